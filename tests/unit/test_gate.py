"""The gate: no request reaches a bot whose catalog may not know what was deleted, and looking costs next to nothing."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from functions.query.gate import CHECK_SECONDS, DELETES_AT_ONCE, TRUST_SECONDS, Gate
from shared.domain import ObjectVersion
from shared.errors import BehindError, NotFoundError, StoreUnavailableError
from shared.testing import InMemoryObjectStore
from shared.testing.catalog.deletion import InMemoryDeletions
from tests.worlds import World, memory_world


class Bucket(InMemoryObjectStore):
    """Counts how often it is listed, and may be away."""

    listings = 0
    is_away = False

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectVersion]:
        self.listings += 1
        if self.is_away:
            raise StoreUnavailableError()
        return super().list(prefix, after=after)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(bucket: Bucket) -> World:
    return memory_world(objects=bucket)


@pytest.fixture
def gate(world: World, clock: Clock) -> Gate:
    return Gate(world.registry, world.deletions, world.ledger, clock)


def reconnect(world: World) -> None:
    assert isinstance(world.deletions, InMemoryDeletions)
    world.deletions.state.connections += 1


def test_the_ledger_is_looked_at_once_and_then_now_and_then(gate: Gate, bucket: Bucket, clock: Clock) -> None:
    for _ in range(5):
        assert gate.bot("library").slug == "library"
    assert bucket.listings == 1
    clock.now += CHECK_SECONDS
    gate.bot("library")
    assert bucket.listings == 2


def test_it_is_looked_at_again_after_a_new_connection(gate: Gate, bucket: Bucket, world: World) -> None:
    gate.bot("library")
    reconnect(world)
    gate.bot("library")
    gate.bot("library")
    assert bucket.listings == 2


def test_each_bot_is_looked_after_by_itself(gate: Gate, world: World) -> None:
    world.register("other")
    for _ in range(DELETES_AT_ONCE + 1):
        world.ledger().append(world.bot, "document", document_id=uuid4())
    with pytest.raises(BehindError):
        gate.bot("library")
    assert gate.bot("other").slug == "other"
    assert gate.bot("library").slug == "library"  # the first request went on with it, this one came to its end


def test_a_document_that_was_deleted_answers_no_more_behind_the_gate(gate: Gate, world: World) -> None:
    world.put("a.txt", "This is a.txt.")
    status = world.status("a.txt")
    assert status is not None
    world.ledger().append(world.bot, "document", document_id=status.document_id)
    gate.bot("library")
    assert world.answers("This is a.txt") == []


def test_a_bot_that_was_deleted_is_not_let_through(gate: Gate, world: World) -> None:
    world.ledger().append(world.bot, "bot")
    for _ in range(2):
        with pytest.raises(NotFoundError):
            gate.bot("library")


def test_while_the_bucket_is_away_the_last_look_counts_for_a_while(gate: Gate, bucket: Bucket, clock: Clock) -> None:
    gate.bot("library")
    bucket.is_away = True
    clock.now += TRUST_SECONDS
    assert gate.bot("library").slug == "library"
    clock.now += 1
    with pytest.raises(StoreUnavailableError):
        gate.bot("library")


def test_without_a_look_on_these_connections_nobody_is_let_through(gate: Gate, bucket: Bucket, world: World) -> None:
    bucket.is_away = True
    with pytest.raises(StoreUnavailableError):
        gate.bot("library")
    bucket.is_away = False
    gate.bot("library")
    reconnect(world)
    bucket.is_away = True
    with pytest.raises(StoreUnavailableError):
        gate.bot("library")
