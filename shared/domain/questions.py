"""Questions: what is proposed, vouched for and logged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.domain.content import Pair, Source


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage that a search proposes; nothing is known of it until the catalog vouches for it."""

    passage_id: UUID
    qa_id: UUID
    document_id: UUID
    score: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """A passage that the catalog vouched for, with its pair and its source."""

    passage_id: UUID
    document_id: UUID
    generation: int
    text: str
    part: int
    pair: Pair
    source: Source
    is_corrected: bool = False  # the pair is a correction of what its document says


@dataclass(frozen=True, slots=True)
class Votes:
    """How many of those who were answered with a pair found that it helped, and how many that it did not."""

    up: int = 0
    down: int = 0


@dataclass(frozen=True, slots=True)
class QueryLog:
    """One answered question, as it is kept."""

    query_id: UUID
    question: str
    answer: str | None
    abstained: bool
    response_time_ms: int
    score: float | None = None
    user_id: str | None = None
    session_id: str | None = None
    document_ids: tuple[UUID, ...] = ()
    citations: tuple[Mapping[str, Any], ...] = ()
