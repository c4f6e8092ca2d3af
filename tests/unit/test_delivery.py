"""Delivery: what goes into the index is sound, comes back as it was sent, and flips only then."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray

from shared import delivery
from shared.catalog.delivery import MAX_ATTEMPTS
from shared.delivery import BATCH, BATCH_SECONDS, RESERVE_SECONDS, next_batch
from shared.domain import Collection, EmbedderModel, IndexRow, Marker, Vectors
from shared.errors import (
    CollectionMissingError,
    ConfigurationError,
    LockstepError,
    MismatchError,
    RefusedRowError,
    StoreUnavailableError,
)
from shared.testing import HashingEmbedder, InMemoryCatalog, InMemoryVectorIndex
from tests.worlds import World, memory_world

Rows = Sequence[tuple[IndexRow, Vectors]]
FAQ = "question,answer\nIs it open?,It is open.\nIs it poisoned?,It is poisoned.\nIs it free?,It is free.\n"


class Embedder(HashingEmbedder):
    """One whose result somebody may spoil."""

    def __init__(self) -> None:
        super().__init__()
        self.spoil: Callable[[Sequence[str], NDArray[np.float32]], NDArray[np.float32]] = lambda texts, vectors: vectors

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self.spoil(texts, super().embed_passages(texts))


class Index(InMemoryVectorIndex):
    """One that counts its writes, and in which something may go wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[int] = []
        self.within: list[float | None] = []  # how long each of them may take
        self.before_writing: Callable[[Rows], None] = lambda rows: None
        self.when_read: Callable[[dict[UUID, tuple[IndexRow, Vectors]]], dict[UUID, tuple[IndexRow, Vectors]]] = dict
        self.seconds_to_write = 10.0

    @property
    def write_timeout_seconds(self) -> float:
        return self.seconds_to_write

    def upsert(self, collection: Collection, rows: Rows, *, within_seconds: float | None = None) -> None:
        self.writes.append(len(rows))
        self.within.append(within_seconds)
        self.before_writing(rows)
        super().upsert(collection, rows, within_seconds=within_seconds)

    def fetch(
        self, collection: Collection, bot_id: UUID, passage_ids: Sequence[UUID]
    ) -> dict[UUID, tuple[IndexRow, Vectors]]:
        return self.when_read(super().fetch(collection, bot_id, passage_ids))


class Clock:
    """Goes on when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def embedder() -> Embedder:
    return Embedder()


@pytest.fixture
def index() -> Index:
    return Index()


@pytest.fixture
def world(clock: Clock, embedder: Embedder, index: Index) -> World:
    catalog = InMemoryCatalog(clock)
    return memory_world(
        registry=catalog.registry,
        documents=catalog.documents,
        delivery=catalog.delivery,
        reading=catalog.reading,
        changes=catalog.changes,
        amendments=catalog.amendments,
        index=index,
        embedder=embedder,
    )


def state(world: World, name: str = "faq.csv") -> tuple[str, str | None]:
    status = world.status(name)
    assert status is not None
    return status.state, status.reason


def texts_in(index: Index) -> set[str]:
    return {row.response for rows in index.rows.values() for row, _ in rows.values()}


# Vectors that are none


def spoiled_by(value: float) -> Callable[[Sequence[str], NDArray[np.float32]], NDArray[np.float32]]:
    def spoil(texts: Sequence[str], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        for place, text in enumerate(texts):
            if "It is poisoned" in text:
                vectors[place] = value
        return vectors

    return spoil


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 0.0])
def test_a_vector_that_is_none_is_never_written_and_never_flips(
    world: World, embedder: Embedder, index: Index, clock: Clock, value: float
) -> None:
    world.put("faq.csv", FAQ.replace("poisoned", "healthy"))
    embedder.spoil = spoiled_by(value)
    world.put("faq.csv", FAQ)
    for _ in range(MAX_ATTEMPTS):
        clock.now += 3600
        world.sync()
        assert "It is poisoned." not in texts_in(index)
        assert all(np.isfinite(v.question).all() for rows in index.rows.values() for _, v in rows.values())
    told, reason = state(world)
    assert told == "failed" and "finite" in str(reason)
    assert "It is healthy." in world.answers("Is it healthy?")


def test_the_neighbours_of_a_vector_that_is_none_are_delivered_and_it_follows_when_it_is_mended(
    world: World, embedder: Embedder, index: Index, clock: Clock
) -> None:
    embedder.spoil = spoiled_by(float("nan"))
    world.put("faq.csv", FAQ)
    assert texts_in(index) == {"It is open.", "It is free."}
    assert state(world)[0] == "building"
    world.put("other.txt", "Another document does not notice.")
    assert state(world, "other.txt")[0] == "live"
    embedder.spoil = lambda texts, vectors: vectors
    clock.now += 3600
    world.sync()
    assert state(world) == ("live", None)
    assert "It is poisoned." in world.answers("Is it poisoned?")


SPOILS: dict[str, Callable[[Sequence[str], NDArray[np.float32]], Any]] = {
    "one too few": lambda texts, vectors: vectors[:-1],
    "one too many": lambda texts, vectors: np.vstack([vectors, vectors[:1]]),
    "none": lambda texts, vectors: vectors[:0],
    "too narrow": lambda texts, vectors: vectors[:, :-1],
    "too wide": lambda texts, vectors: np.hstack([vectors, vectors]),
    "too deep": lambda texts, vectors: vectors[:, :, np.newaxis],
}


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS.keys())
def test_vectors_of_another_shape_or_number_are_never_written(
    world: World, embedder: Embedder, index: Index, spoil: Callable[[Sequence[str], Any], Any]
) -> None:
    embedder.spoil = spoil
    world.put("faq.csv", FAQ)
    assert index.writes == []
    assert state(world)[0] == "building"
    assert world.answers("Is it open?") == []


# What comes back


def test_a_row_that_does_not_come_back_does_not_count(world: World, index: Index) -> None:
    index.when_read = lambda found: {}
    world.put("faq.csv", FAQ)
    assert state(world)[0] == "building"


@pytest.mark.parametrize("field", ["question", "response", "combined"])
def test_a_vector_that_comes_back_as_another_does_not_count(world: World, index: Index, field: str) -> None:
    def damage(found: dict[UUID, tuple[IndexRow, Vectors]]) -> dict[UUID, tuple[IndexRow, Vectors]]:
        made = {}
        for passage_id, (row, vectors) in found.items():
            parts = {name: getattr(vectors, name).copy() for name in ("question", "response", "combined")}
            parts[field][0] += 1e-6
            made[passage_id] = row, Vectors(**parts)
        return made

    index.when_read = damage
    world.put("faq.csv", FAQ)
    assert state(world)[0] == "building"
    assert world.answers("Is it open?") == []


# What is refused, and what is away


def test_what_the_index_refuses_is_found_by_halving(world: World, index: Index) -> None:
    def refuse(rows: Rows) -> None:
        if any("number 37" in row.response for row, _ in rows):
            raise RefusedRowError("too odd")

    index.before_writing = refuse
    rows = "".join(f"Question {n}?,It is number {n}.\n" for n in range(64))
    world.put("faq.csv", f"question,answer\n{rows}")
    assert len(texts_in(index)) == 63
    assert len(index.writes) == 2 + 2 * 5  # the first batch, and the second with its halves


@pytest.mark.parametrize("kind", [StoreUnavailableError, ConfigurationError])
def test_an_index_that_is_away_or_refuses_us_costs_no_attempt_and_loses_nothing(
    world: World, index: Index, clock: Clock, kind: type[LockstepError]
) -> None:
    def away(rows: Rows) -> None:
        raise kind()

    index.before_writing = away
    with pytest.raises(kind):
        world.put("faq.csv", FAQ)
    for _ in range(MAX_ATTEMPTS + 1):
        world.sync()
    index.before_writing = lambda rows: None
    world.sync()
    assert state(world) == ("live", None)


def test_a_collection_that_goes_away_in_between_is_made_anew(world: World, index: Index) -> None:
    def lose(rows: Rows) -> None:
        index.before_writing = lambda rows: None
        index.drop(world.bot.collection)

    index.before_writing = lose
    with pytest.raises(CollectionMissingError):
        world.put("faq.csv", FAQ)
    world.sync()
    assert state(world) == ("live", None)


def test_another_embedder_writes_nothing(world: World, index: Index, embedder: Embedder) -> None:
    embedder.model = EmbedderModel("lockstep/hashing", "2", 64, 64)
    with pytest.raises(MismatchError, match=r"\(2\)"):
        world.put("faq.csv", FAQ)
    assert index.writes == []


def test_nothing_is_written_with_less_lease_left_than_a_write_may_take(
    world: World, index: Index, clock: Clock
) -> None:
    world.objects.put(world.key("faq.csv"), FAQ.encode())
    document_id = world.look("faq.csv")
    assert document_id
    index.seconds_to_write = 10_000.0
    world.time_left = iter([3600.0] * 4 + [0.0] * 100).__next__
    world.deliver(document_id)
    assert index.writes == []
    assert state(world)[0] == "building"
    index.seconds_to_write, world.time_left = 10.0, lambda: 3600.0
    clock.now += 3600
    world.sync()
    assert state(world) == ("live", None)


def test_a_write_hears_how_much_of_the_lease_is_left(world: World, index: Index, embedder: Embedder) -> None:
    def embed_slowly(texts: Sequence[str], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        time.sleep(0.2)
        return vectors

    embedder.spoil = embed_slowly
    world.put("faq.csv", FAQ)
    (seconds,) = index.within
    assert seconds is not None
    assert 0 < seconds <= delivery.LEASE_SECONDS - 0.2


@pytest.mark.parametrize(("seconds", "sizes"), [(1e9, [2, 5]), (0.0, [2, 1, 1, 1, 1, 1])])
def test_a_batch_is_as_large_as_the_one_before_was_quick(
    world: World, index: Index, monkeypatch: pytest.MonkeyPatch, seconds: float, sizes: list[int]
) -> None:
    monkeypatch.setattr(delivery, "FIRST_BATCH", 2)
    monkeypatch.setattr(delivery, "BATCH_SECONDS", seconds)
    world.put("faq.csv", "question,answer\n" + "".join(f"What is {n}?,It is {n}.\n" for n in range(7)))
    assert index.writes == sizes
    assert state(world) == ("live", None)


def test_the_next_batch_fits_into_its_time() -> None:
    assert next_batch(32, 0.0) == BATCH
    assert next_batch(32, 2 * BATCH_SECONDS) == 16
    assert next_batch(1, 100 * BATCH_SECONDS) == 1


def test_no_batch_begins_without_the_time_that_it_may_need(world: World, index: Index) -> None:
    world.time_left = lambda: RESERVE_SECONDS
    world.put("faq.csv", FAQ)
    assert index.writes == []
    world.time_left = lambda: RESERVE_SECONDS + 1
    assert world.sync() is not None
    assert state(world) == ("live", None)


# Vectors that are there already


@pytest.mark.parametrize("is_damaged", [False, True])
def test_a_vector_is_copied_only_if_it_is_still_the_one_that_was_proven(
    world: World, index: Index, embedder: Embedder, is_damaged: bool
) -> None:
    world.put("faq.csv", "question,answer,category\nIs it open?,It is open.,a\n")
    if is_damaged:
        (rows,) = index.rows.values()
        for passage_id, (row, vectors) in rows.items():
            rows[passage_id] = row, Vectors(-vectors.question, vectors.response, vectors.combined)
    embedder.embedded.clear()
    world.put("faq.csv", "question,answer,category\nIs it open?,It is open.,b\n")
    assert bool(embedder.embedded) is is_damaged
    assert state(world) == ("live", None)


def test_vectors_of_a_snapshot_are_looked_at_like_any_other(world: World, index: Index) -> None:
    world.objects.put(world.key("faq.csv"), FAQ.encode())
    document_id = world.look("faq.csv")
    assert document_id is not None
    spoiled = np.full(world.bot.collection.dimension, np.nan, dtype=np.float32)

    def known(markers: Sequence[Marker]) -> dict[UUID, Vectors]:
        return {marker.passage_id: Vectors(spoiled, spoiled, spoiled) for marker in markers}

    replace(world.carrier(), known_vectors=known).run(world.refreshed(), [document_id])
    assert index.writes == []
    assert state(world)[0] == "building"
