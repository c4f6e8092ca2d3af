"""Copying vectors: only what is new, nothing that is dead, and a copy that was broken off goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

import numpy as np
import pytest

from functions.backup import vectors
from functions.backup.parts import BotParts
from functions.backup.vectors import OutOfTimeError, VectorCopy
from shared import snapshot_vectors
from shared.domain import Bot, BotSettings, Collection, IndexRow, Marker, Vectors, Wanted
from shared.errors import LockstepError
from shared.snapshot_vectors import VectorFiles, record_type
from shared.snapshots import BotManifest, VectorPart
from shared.testing import InMemoryObjectStore, InMemoryVectorIndex

DIMENSION = 4
DEPLOYMENT, BOT = uuid4(), uuid4()
COLLECTION = Collection(uuid4(), DEPLOYMENT, "c", "model", "1", DIMENSION)
THE_BOT = Bot(BOT, "library", "Library", COLLECTION, BotSettings(), datetime.now(UTC))


class Index(InMemoryVectorIndex):
    """Counts what is read of it."""

    def __init__(self) -> None:
        super().__init__()
        self.create(COLLECTION, uuid4())
        self.fetched: list[UUID] = []

    def add(self, number: int) -> tuple[UUID, str]:
        passage_id = UUID(int=number << 64)  # its bytes end with zeros, which nothing may strip
        each = Vectors(*(np.array([number, place, 1, 2], dtype=np.float32) for place in range(3)))
        row = IndexRow(passage_id, DEPLOYMENT, BOT, uuid4(), uuid4(), 0, "q", "r")
        self.upsert(COLLECTION, [(row, each)])
        return passage_id, each.digest

    def fetch(
        self, collection: Collection, bot_id: UUID, passage_ids: Sequence[UUID]
    ) -> dict[UUID, tuple[IndexRow, Vectors]]:
        self.fetched += passage_ids
        return super().fetch(collection, bot_id, passage_ids)


@pytest.fixture(autouse=True)
def parts_of_four(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_vectors, "PART_BYTES", 4 * record_type(DIMENSION).itemsize)
    monkeypatch.setattr(vectors, "FETCHED_AT_ONCE", 2)


@pytest.fixture
def index() -> Index:
    return Index()


@pytest.fixture
def store() -> InMemoryObjectStore:
    return InMemoryObjectStore()


def never(copied: int) -> None:
    """Time does not run out."""


def copy(
    index: Index,
    store: InMemoryObjectStore,
    digests: Sequence[tuple[UUID, str]],
    *,
    snapshot: str,
    earlier: Sequence[VectorPart] = (),
    go_on: Callable[[int], None] = never,
) -> list[VectorPart]:
    parts = BotParts(store, snapshot, str(BOT))
    copying = VectorCopy(THE_BOT, lambda: digests, len(digests), index=index, store=store, parts=parts, go_on=go_on)
    return copying.run(earlier)


def held(store: InMemoryObjectStore, parts: Sequence[VectorPart]) -> list[UUID]:
    keys = [key for part in parts for key in np.frombuffer(store.contents[part.keys.key], dtype="V24")]
    return sorted(UUID(bytes=key.tobytes()[:16]) for key in keys)


def test_everything_is_copied_once_and_found_again(
    index: Index, store: InMemoryObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_vectors, "PARTS_ON_DISK", 1)
    digests = [index.add(number) for number in range(11)]
    parts = copy(index, store, digests, snapshot="one")
    assert [part.vectors.rows for part in parts] == [4, 4, 3]
    files = VectorFiles(_manifest(parts), store)
    markers = [Marker(passage_id, uuid4(), Wanted.PRESENT) for passage_id, _ in [*reversed(digests), (uuid4(), "")]]
    known = files.known_vectors(markers)
    assert {passage_id: each.digest for passage_id, each in known.items()} == dict(digests)
    files.close()


def test_a_second_snapshot_reads_only_what_is_new(index: Index, store: InMemoryObjectStore) -> None:
    digests = [index.add(number) for number in range(8)]
    first = copy(index, store, digests, snapshot="one")
    index.fetched.clear()
    added = index.add(100)
    second = copy(index, store, [added, *digests], snapshot="two", earlier=first)
    assert index.fetched == [added[0]]
    assert second[:2] == first
    assert held(store, second) == sorted(passage_id for passage_id, _ in [*digests, added])


def test_what_is_dead_is_in_no_part_of_the_next_snapshot_and_its_neighbours_are_not_read_again(
    index: Index, store: InMemoryObjectStore
) -> None:
    digests = [index.add(number) for number in range(8)]
    first = copy(index, store, digests, snapshot="one")
    index.fetched.clear()
    dead, left = digests[1], [*digests[:1], *digests[2:]]
    second = copy(index, store, left, snapshot="two", earlier=first)
    assert index.fetched == []
    assert held(store, second) == sorted(passage_id for passage_id, _ in left)
    assert not any(dead[0].bytes in store.contents[part.vectors.key] for part in second)
    assert first[1] in second


def test_vectors_that_were_made_anew_are_read_anew(index: Index, store: InMemoryObjectStore) -> None:
    digests = [index.add(number) for number in range(4)]
    first = copy(index, store, digests, snapshot="one")
    row, _ = index.fetch(COLLECTION, BOT, [digests[2][0]])[digests[2][0]]
    other = Vectors(*(np.array([9, 9, 9, place], dtype=np.float32) for place in range(3)))
    index.upsert(COLLECTION, [(row, other)])
    digests[2] = (digests[2][0], other.digest)
    index.fetched.clear()
    second = copy(index, store, digests, snapshot="two", earlier=first)
    assert index.fetched == [digests[2][0]]
    files = VectorFiles(_manifest(second), store)
    known = files.known_vectors([Marker(passage_id, uuid4(), Wanted.PRESENT) for passage_id, _ in digests])
    assert {passage_id: each.digest for passage_id, each in known.items()} == dict(digests)
    files.close()


def test_what_the_index_has_lost_or_holds_altered_is_left_out(index: Index, store: InMemoryObjectStore) -> None:
    digests = [index.add(number) for number in range(5)]
    index.delete(COLLECTION, BOT, [digests[0][0]])
    digests[1] = (digests[1][0], "f" * 64)
    parts = copy(index, store, digests, snapshot="one")
    assert held(store, parts) == sorted(passage_id for passage_id, _ in digests[2:])


@pytest.mark.parametrize("damage", ["vectors are gone", "keys are damaged", "vectors are damaged"])
def test_an_earlier_part_that_is_lost_or_damaged_is_read_from_the_index(
    index: Index, store: InMemoryObjectStore, damage: str
) -> None:
    digests = [index.add(number) for number in range(8)]
    first = copy(index, store, digests, snapshot="one")
    if damage == "vectors are gone":
        store.delete(first[0].vectors.key)
    elif damage == "keys are damaged":
        store.contents[first[0].keys.key] = b"x" * first[0].keys.bytes
    else:  # which is noticed when something of it moves
        store.contents[first[0].vectors.key] = b"x" * first[0].vectors.bytes
        digests = digests[1:]
    second = copy(index, store, digests, snapshot="two", earlier=first)
    assert first[0] not in second
    assert held(store, second) == sorted(passage_id for passage_id, _ in digests)


def test_many_small_parts_are_put_together_without_reading_the_index(index: Index, store: InMemoryObjectStore) -> None:
    digests: list[tuple[UUID, str]] = []
    parts: list[VectorPart] = []
    for number in range(vectors.SMALL_PARTS + 2):
        digests.append(index.add(number))
        index.fetched.clear()
        parts = copy(index, store, digests, snapshot=f"s{number}", earlier=parts)
        assert index.fetched == [digests[-1][0]]
    assert len(parts) <= 4
    assert held(store, parts) == sorted(passage_id for passage_id, _ in digests)


def test_a_copy_that_runs_out_of_time_again_and_again_goes_on_and_reads_nothing_twice(
    index: Index, store: InMemoryObjectStore
) -> None:
    digests = [index.add(number) for number in range(20)]
    first = copy(index, store, digests[:12], snapshot="one")
    left = digests[1:]
    index.fetched.clear()

    def runs_out() -> Callable[[int], None]:
        calls = 0

        def go_on(copied: int) -> None:
            nonlocal calls
            calls += 1
            if calls == 2:
                raise OutOfTimeError()

        return go_on

    for attempt in range(20):
        try:
            second = copy(index, store, left, snapshot="two", earlier=first, go_on=runs_out())
            break
        except OutOfTimeError:
            assert attempt < 19
    assert held(store, second) == sorted(passage_id for passage_id, _ in left)
    assert sorted(index.fetched) == sorted(passage_id for passage_id, _ in digests[12:])
    assert first[1] in second and first[2] in second


def test_an_empty_bot_has_no_parts(index: Index, store: InMemoryObjectStore) -> None:
    digests = [index.add(1)]
    first = copy(index, store, digests, snapshot="one")
    assert copy(index, store, [], snapshot="two", earlier=first) == []


def test_a_damaged_part_is_told_when_its_vectors_are_asked_for(index: Index, store: InMemoryObjectStore) -> None:
    digests = [index.add(number) for number in range(4)]
    (part,) = copy(index, store, digests, snapshot="one")
    content = bytearray(store.contents[part.vectors.key])
    content[5] ^= 1
    store.contents[part.vectors.key] = bytes(content)
    files = VectorFiles(_manifest([part]), store)
    with pytest.raises(LockstepError, match="damaged"):
        files.known_vectors([Marker(digests[0][0], uuid4(), Wanted.PRESENT)])
    files.close()


def _manifest(parts: list[VectorPart]) -> BotManifest:
    return BotManifest(str(BOT), "library", "Library", {}, "model", "1", DIMENSION, "", {}, [], parts, [])
