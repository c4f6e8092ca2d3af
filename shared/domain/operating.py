"""What a person is told: documents, generations, outcomes, figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class DocumentStatus:
    """What a person is told of a document."""

    document_id: UUID
    object_key: str
    state: str
    reason: str | None
    is_answering: bool
    title: str | None
    pairs: int
    passages: int
    progress: float | None  # of the building generation, 0 to 1
    seen_version: str | None
    created_at: datetime
    updated_at: datetime
    live_at: datetime | None


@dataclass(frozen=True, slots=True)
class GenerationStatus:
    """What a person is told of one generation of a document."""

    generation: int
    state: str
    version: str
    title: str | None
    pairs: int
    passages: int
    created_at: datetime
    live_at: datetime | None


@dataclass(frozen=True, slots=True)
class Reopened:
    """What a retry has opened again of one document."""

    document_id: UUID
    object_key: str
    passages: int  # to be delivered again
    is_looked_at_again: bool  # it was rejected: the same version is parsed once more


@dataclass(frozen=True, slots=True)
class Gauges:
    """What the catalog says of the whole deployment, at one moment."""

    markers: Mapping[str, int]  # by state; those that are delivered are not counted
    oldest_marker_seconds: float  # for how long the oldest pending one has waited; 0 if none is
    documents: Mapping[str, int]  # by state
    deployment_age_seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the last run of an operation ended: `audit` (its subject is a collection), `snapshot` or `drill`."""

    operation: str
    subject: str
    figures: Mapping[str, Any]
    finished_at: datetime
    age_seconds: float


@dataclass(frozen=True, slots=True)
class Notice:
    """News of a document. Two with the same `document_id` and `news` are the same."""

    bot: str
    document_id: UUID
    object_key: str
    state: str  # live, rejected or failed
    reason: str | None
    version: str | None
    updated_at: datetime
    news: str  # the state, and the generation or version that brought it
