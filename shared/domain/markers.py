"""Markers on their way: what the index must hold, and what was proven of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from shared.domain.content import EmbeddableText, IndexRow


class Wanted(StrEnum):
    """What the index must hold for a passage. It goes from present to absent and never back."""

    PRESENT = "present"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Marker:
    """A claimed marker: what to carry out on the index."""

    passage_id: UUID
    document_id: UUID
    wanted: Wanted
    row: IndexRow | None = None  # for present
    text: EmbeddableText | None = None  # for present
    row_hash: str = ""  # as recorded when the passage was minted
    copy_from: UUID | None = None  # a delivered passage with the same text or question
    copy_digest: str | None = None  # the digest of its vectors, as proven
    copy_text: EmbeddableText | None = None  # what its vectors were made from
    proven_digest: str | None = None  # of its own vectors, proven on a collection that is gone


@dataclass(frozen=True, slots=True)
class Claim:
    """Markers under one lease."""

    token: UUID
    markers: tuple[Marker, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """What was read back for one marker."""

    passage_id: UUID
    row_hash: str
    vector_digest: str


@dataclass(frozen=True, slots=True)
class ChangeProgress:
    """How far a bot is on its way into another collection."""

    passages: int  # of live and kept generations: those that must be there before the bot moves
    proven: int  # of them, read back from the other collection as it is now
    unmarked: int  # passages of any generation that nobody was told to deliver there yet
    leased: int  # are being delivered there at this moment

    @property
    def is_complete(self) -> bool:
        return self.proven == self.passages and self.unmarked == 0
