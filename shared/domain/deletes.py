"""Deletes, as the ledger and the catalog know them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Deletion:
    """One entry of the deletion ledger. What it names is deleted, in whatever catalog it turns up again."""

    entry: str  # its name in the ledger
    kind: str  # "document", "pair" or "bot"
    bot_id: UUID
    slug: str
    deleted_at: datetime
    document_id: UUID | None = None
    object_key: str | None = None
    qa_id: UUID | None = None
    generation: int | None = None  # of a pair, which keeps its id: deleted up to this one


@dataclass(frozen=True, slots=True)
class Buried:
    """What has a tombstone that is younger than its bot."""

    kind: str
    object_key: str | None
    passages: int


@dataclass(frozen=True, slots=True)
class LivePair:
    """Where a pair stands that answers."""

    qa_id: UUID
    document_id: UUID
    object_key: str
    generation: int
    is_alone: bool  # it is all that its object holds
