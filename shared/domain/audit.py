"""What is compared when the index is audited, and how the stores may differ."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.domain.hashes import uuid_or_none
from shared.domain.markers import Wanted

KEY_SPACE = 1 << 32


@dataclass(frozen=True, slots=True)
class KeyRange:
    """A stretch of a collection's keys by their first 32 bits, `end` left out. Ids are random, so that equal stretches
    hold about as many rows.

    The first and the last stretch reach beyond all ids, to keys that are none: somebody else wrote those.
    """

    begin: int = 0
    end: int = KEY_SPACE

    @property
    def first(self) -> UUID:
        return UUID(int=self.begin << 96)

    @property
    def last(self) -> UUID:
        return UUID(int=(self.end << 96) - 1)

    @property
    def first_text(self) -> str:
        return str(self.first) if self.begin else ""

    @property
    def end_text(self) -> str | None:
        return str(UUID(int=self.end << 96)) if self.end < KEY_SPACE else None


@dataclass(frozen=True, slots=True)
class StoredRow:
    """What the index holds under a key, in hashes. Anybody may have written it, so that nothing of it need be in order."""

    key: str
    bot_id: UUID | None
    row_hash: str  # recomputed from the fields; "" if they make no row
    vector_digest: str

    @property
    def passage_id(self) -> UUID | None:
        """None if no passage has such a key."""
        return uuid_or_none(self.key)


@dataclass(frozen=True, slots=True)
class ProvenMarker:
    """What was proven to be in the index, and when."""

    bot_id: UUID
    passage_id: UUID
    row_hash: str
    vector_digest: str | None
    proven_at: datetime | float | None


@dataclass(frozen=True, slots=True)
class MarkerState:
    """A marker as it is now; `proven` if its row must be in the index."""

    wanted: Wanted
    is_delivered: bool
    proven: ProvenMarker | None


@dataclass(frozen=True, slots=True)
class Drift:
    """What a comparison of index and catalog found, in rows."""

    checked: int = 0
    missing: int = 0  # proven, and not in the index
    corrupt: int = 0  # not what was proven
    orphaned: int = 0  # of this deployment, and not wanted by the catalog
    foreign: int = 0  # of other origin: no drift, and never touched

    def __add__(self, other: Drift) -> Drift:
        return Drift(*(getattr(self, name) + getattr(other, name) for name in Drift.__slots__))

    @property
    def is_clean(self) -> bool:
        return not (self.missing or self.corrupt or self.orphaned)
