"""Compares a stretch of a collection with what the catalog wants of it: the catalog, the index, and the catalog again.

No writer is paused, and work under way is never taken for drift:
- `missing` and `corrupt` were proven before the index was read, and the same proof stands after it. A row is written before
  it is proven, and the proof of a row that is written anew is another.
- `orphaned` was in the index, and then the catalog did not want it. A marker is committed before its row is written, and no
  id is used twice, so that what has no marker then never gets one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.domain import (
    KEY_SPACE,
    Collection,
    Drift,
    KeyRange,
    MarkerState,
    ProvenMarker,
    StoredRow,
    Wanted,
)
from shared.errors import CollectionMissingError
from shared.ports import DeliveryCatalog, Registry, VectorIndex

ROWS_AT_ONCE = 2_000  # some 15 MB with their vectors; each read of Milvus Lite looks at every row, whatever it returns
FIRST_WIDTH = KEY_SPACE // 16
STATES_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Extent:
    """What of a collection is compared: everything, one bot, or one document."""

    collection: Collection
    bot_id: UUID | None = None
    document_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was found in one stretch."""

    intact: Sequence[StoredRow] = ()
    missing: Sequence[ProvenMarker] = ()
    corrupt: Sequence[ProvenMarker] = ()
    orphaned: Sequence[StoredRow] = ()
    foreign: Sequence[StoredRow] = ()

    @property
    def drift(self) -> Drift:
        return Drift(
            checked=len(self.intact) + len(self.missing) + len(self.corrupt) + len(self.orphaned),
            missing=len(self.missing),
            corrupt=len(self.corrupt),
            orphaned=len(self.orphaned),
            foreign=len(self.foreign),
        )


@dataclass(slots=True)
class Walk:
    """How far the comparison of an extent has come, and how wide a stretch holds about as many rows as are read at once."""

    position: int = 0
    width: int = FIRST_WIDTH

    @property
    def is_over(self) -> bool:
        return self.position >= KEY_SPACE

    @property
    def share(self) -> float:
        """How much is behind, from 0 to 1."""
        return self.position / KEY_SPACE

    def stretch(self) -> KeyRange:
        return KeyRange(self.position, min(KEY_SPACE, self.position + self.width))

    def narrow(self) -> None:
        self.width = max(1, self.width // 2)

    def go_on(self, keys: KeyRange, rows: int) -> None:
        """Step behind a stretch that held so many rows."""
        self.position = keys.end
        if rows < ROWS_AT_ONCE // 3:
            self.width = min(KEY_SPACE, self.width * 2)


@dataclass(frozen=True, slots=True)
class Comparer:
    """Reads both stores. Every method may raise what the ports raise."""

    registry: Registry
    catalog: DeliveryCatalog
    index: VectorIndex

    def next(self, extent: Extent, walk: Walk) -> Comparison:
        """Compare the stretch that the walk stands at, made as narrow as need be, and step behind it."""
        while True:
            keys = walk.stretch()
            read = self._read(extent, keys)
            if read.is_whole or walk.width == 1:  # so many keys alike are no ids: what is left over comes another time
                walk.go_on(keys, len(read.stored))
                return self._compare(extent.collection, read)
            walk.narrow()

    def foreign(self, extent: Extent) -> Drift:
        """Rows of the collection that say that they are another deployment's: they are no bot's, and in no stretch."""
        if extent.bot_id is not None:
            return Drift()
        try:
            return Drift(foreign=self.index.count_foreign(extent.collection))
        except CollectionMissingError:
            return Drift()

    def _read(self, extent: Extent, keys: KeyRange) -> _Read:
        bots = [extent.bot_id] if extent.bot_id else [bot.bot_id for bot in self.registry.bots()]
        limit = ROWS_AT_ONCE + 1
        proven = self.catalog.proven(extent.collection, bots, keys, limit=limit, document_id=extent.document_id)
        if len(proven) == limit:
            return _Read(proven, [], is_whole=False)
        try:
            stored = self.index.stored(
                extent.collection, keys, limit=limit, bot_id=extent.bot_id, document_id=extent.document_id
            )
        except CollectionMissingError:
            stored = []
        return _Read(proven, stored, is_whole=len(stored) < limit)

    def _compare(self, collection: Collection, read: _Read) -> Comparison:
        proven = {(marker.bot_id, marker.passage_id): marker for marker in read.proven}
        intact: list[StoredRow] = []
        seen: dict[tuple[UUID, UUID], ProvenMarker] = {}
        unknown: list[StoredRow] = []
        for row in read.stored:
            marker = proven.get(_place(row))
            if marker is None:
                unknown.append(row)
                continue
            seen[_place(row)] = marker
            if (row.row_hash, row.vector_digest) == (marker.row_hash, marker.vector_digest):
                intact.append(row)
        whole = {_place(row) for row in intact}
        corrupt = [marker for place, marker in seen.items() if place not in whole]
        missing = [marker for place, marker in proven.items() if place not in seen] if read.is_whole else []
        if not (missing or corrupt or unknown):
            return Comparison(intact)
        return self._look_again(collection, _Suspects(intact, missing, corrupt, unknown))

    def _look_again(self, collection: Collection, suspects: _Suspects) -> Comparison:
        """The catalog's second word on everything that looked wrong."""
        places = [(marker.bot_id, marker.passage_id) for marker in (*suspects.missing, *suspects.corrupt)]
        places += [_place(row) for row in suspects.unknown if row.bot_id and row.passage_id]
        markers: dict[tuple[UUID, UUID], MarkerState] = {}
        for begin in range(0, len(places), STATES_AT_ONCE):
            markers |= self.catalog.marker_states(collection, places[begin : begin + STATES_AT_ONCE])
        bots = self.registry.bot_states()

        def stands(marker: ProvenMarker) -> bool:
            state = markers.get((marker.bot_id, marker.passage_id))
            return bots.get(marker.bot_id) == "active" and state is not None and state.proven == marker

        return Comparison(
            intact=suspects.intact,
            missing=[marker for marker in suspects.missing if stands(marker)],
            corrupt=[marker for marker in suspects.corrupt if stands(marker)],
            orphaned=[row for row in suspects.unknown if _is_orphan(row, bots, markers)],
            foreign=[row for row in suspects.unknown if row.bot_id not in bots],
        )


@dataclass(frozen=True, slots=True)
class _Read:
    proven: Sequence[ProvenMarker]
    stored: Sequence[StoredRow]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class _Suspects:
    intact: Sequence[StoredRow]
    missing: Sequence[ProvenMarker]
    corrupt: Sequence[ProvenMarker]
    unknown: Sequence[StoredRow]


def _place(row: StoredRow) -> tuple[UUID, UUID]:
    nowhere = UUID(int=0)  # never minted
    return row.bot_id or nowhere, row.passage_id or nowhere


def _is_orphan(row: StoredRow, bots: Mapping[UUID, str], markers: Mapping[tuple[UUID, UUID], MarkerState]) -> bool:
    """A row of a bot of ours that no marker wants, or that came back. A bot that is being deleted takes its rows along."""
    if row.bot_id is None or bots.get(row.bot_id, "deleting") == "deleting":
        return False
    marker = markers.get(_place(row))
    return marker is None or (marker.wanted == Wanted.ABSENT and marker.is_delivered)
