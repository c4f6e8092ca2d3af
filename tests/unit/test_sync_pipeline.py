"""Sync: whatever was left, lost or in the way, the timer brings it to its end, and touches nothing of others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, repeat
from uuid import UUID, uuid4

import pytest

from functions.sync.bucket_scan import IDENTITY_KEY, claim_bucket
from shared.delivery import RESERVE_SECONDS
from shared.domain import Bot, BotSettings, Collection, IndexRow, Vectors
from shared.errors import LeasedError, StoreUnavailableError
from shared.testing import InMemoryCatalog, InMemoryObjectStore, InMemoryVectorIndex
from tests.worlds import World, memory_world


class Index(InMemoryVectorIndex):
    """An index that may fail for some bots, and may keep what it should delete."""

    def __init__(self) -> None:
        super().__init__()
        self.trouble: dict[UUID, Exception] = {}
        self.keeps = False

    def upsert(
        self, collection: Collection, rows: Sequence[tuple[IndexRow, Vectors]], *, within_seconds: float | None = None
    ) -> None:
        for row, _ in rows:
            if row.bot_id in self.trouble:
                raise self.trouble[row.bot_id]
        super().upsert(collection, rows, within_seconds=within_seconds)

    def delete(self, collection: Collection, bot_id: UUID, keys: Sequence[UUID] | Sequence[str]) -> None:
        if not self.keeps:
            super().delete(collection, bot_id, keys)


class Clock:
    """Goes on when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(clock: Clock) -> World:
    catalog = InMemoryCatalog(clock)
    made = memory_world(
        registry=catalog.registry,
        documents=catalog.documents,
        delivery=catalog.delivery,
        reading=catalog.reading,
        changes=catalog.changes,
        amendments=catalog.amendments,
        index=Index(),
    )
    claim_bucket(made.objects, made.registry.deployment_id())
    return made


def index_of(world: World) -> Index:
    assert isinstance(world.index, Index)
    return world.index


def objects_of(world: World) -> dict[str, bytes]:
    assert isinstance(world.objects, InMemoryObjectStore)
    return world.objects.contents


def state(world: World, name: str) -> str | None:
    status = world.status(name)
    return status.state if status else None


def leave_behind(world: World, *names: str) -> None:
    """Documents that ingest committed and had no time to deliver."""
    for name in names:
        world.objects.put(world.key(name), f"This is {name}.".encode())
        world.look(name)


def follow_hints(world: World) -> None:
    """Let ingest look at every object that was hinted."""
    for key in world.hints.keys:
        world.ingest(key.partition("/")[2])
    world.hints.keys.clear()


def minutes_until_late(slices: int) -> Callable[[], float]:
    """Time enough to be asked that often."""
    return chain(repeat(RESERVE_SECONDS + 1, slices), repeat(0.0)).__next__


# What was left or lost


def test_what_ingest_had_no_time_for_is_delivered_and_flips(world: World) -> None:
    leave_behind(world, "a.txt", "b.txt")
    assert world.answers("This is a.txt") == []
    assert world.sync()
    assert (state(world, "a.txt"), state(world, "b.txt")) == ("live", "live")
    assert "This is a.txt." in world.answers("This is a.txt")


def test_an_object_whose_event_was_lost_is_found(world: World) -> None:
    world.objects.put(world.key("lost.txt"), b"Nobody told of it.")
    assert world.sync()
    assert world.hints.keys == [world.key("lost.txt")]
    follow_hints(world)
    assert world.answers("Nobody told") == ["Nobody told of it."]


def test_a_change_and_a_removal_whose_events_were_lost_are_found(world: World) -> None:
    for name in ("stays.txt", "changes.txt", "goes.txt"):
        world.put(name, f"First of {name}.")
    world.objects.put(world.key("changes.txt"), b"Second of changes.txt.")
    world.objects.delete(world.key("goes.txt"))
    world.sync()
    assert sorted(world.hints.keys) == [world.key("changes.txt"), world.key("goes.txt")]
    follow_hints(world)
    assert sorted(world.answers("first second of")) == ["First of stays.txt.", "Second of changes.txt."]


def test_a_deployment_at_rest_stays_as_it_is_and_loads_no_model(world: World) -> None:
    world.put("a.txt", "This is a.txt.")
    world.put("broken.pdf", b"no pdf at all")
    world.sync()
    before = world.status("a.txt"), world.status("broken.pdf"), dict(objects_of(world))
    world.embedder = None  # type: ignore[assignment]  # whoever asked it for anything would fail
    for _ in range(3):
        assert world.sync()
    assert (world.status("a.txt"), world.status("broken.pdf"), dict(objects_of(world))) == before
    assert world.hints.keys == []


def test_a_collection_that_was_lost_is_built_anew(world: World) -> None:
    world.put("a.txt", "This is a.txt.")
    index_of(world).drop(world.bot.collection)
    assert world.sync()
    assert world.answers("This is a.txt") == ["This is a.txt."]
    assert world.index.count(world.bot.collection, world.bot.bot_id) == 1


def test_what_no_generation_holds_is_swept_even_if_its_worker_died(world: World, clock: Clock) -> None:
    world.bot = world.register("lean", BotSettings(kept_generations=0))
    world.put("a.txt", "The first.")
    world.objects.put(world.key("a.txt"), b"The second.")
    document_id = world.look("a.txt")
    assert document_id is not None
    index_of(world).keeps = True
    world.deliver(document_id)
    assert world.index.count(world.bot.collection, world.bot.bot_id) == 2
    index_of(world).keeps = False
    clock.now += 3600
    assert world.sync()
    assert world.index.count(world.bot.collection, world.bot.bot_id) == 1


# One's trouble


@pytest.mark.parametrize("error", [StoreUnavailableError(), LeasedError(), RuntimeError("a mistake of ours")])
def test_one_bots_trouble_does_not_keep_the_others_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    other = world.register("aardvark")  # the first in line
    leave_behind(world, "a.txt")
    healthy = world.delivery.fail_exhausted

    def fail(bot: Bot) -> None:
        if bot.bot_id == other.bot_id:
            raise error
        healthy(bot)

    monkeypatch.setattr(world.delivery, "fail_exhausted", fail)
    assert not world.sync()
    assert state(world, "a.txt") == "live"
    assert "aardvark" in [vars(record).get("bot") for record in caplog.records if record.levelname == "ERROR"]


def test_an_index_that_fails_for_one_document_leaves_it_for_the_next_run(world: World) -> None:
    leave_behind(world, "a.txt")
    index_of(world).trouble = {world.bot.bot_id: StoreUnavailableError()}
    assert not world.sync()
    assert state(world, "a.txt") == "building"
    index_of(world).trouble = {}
    assert world.sync()
    assert state(world, "a.txt") == "live"


# Time


def test_without_time_nothing_begins(world: World) -> None:
    leave_behind(world, "a.txt")
    world.time_left = lambda: RESERVE_SECONDS
    assert not world.sync()
    assert state(world, "a.txt") == "building"
    assert world.hints.keys == []


@pytest.mark.parametrize("slices", [1, 2, 3, 5, 8])
def test_however_little_time_a_run_has_the_next_goes_on(world: World, slices: int) -> None:
    leave_behind(world, *(f"{number}.txt" for number in range(5)))
    world.objects.put(world.key("lost.txt"), b"Nobody told of it.")
    for _ in range(60):
        world.time_left = minutes_until_late(slices)
        world.sync()
    world.time_left = lambda: 3600.0
    assert world.sync()
    assert {state(world, f"{number}.txt") for number in range(5)} == {"live"}
    assert world.key("lost.txt") in world.hints.keys


# Whose bucket it is


@pytest.mark.parametrize(
    "sign",
    [None, b'{"deployment_id": "00000000-0000-0000-0000-000000000000"}', b"{half of"],
    ids=["none", "other", "damaged"],
)
def test_a_bucket_that_is_not_ours_is_neither_compared_nor_believed(world: World, sign: bytes | None) -> None:
    world.put("a.txt", "This is a.txt.")
    leave_behind(world, "b.txt")
    objects_of(world).clear()
    if sign is not None:
        world.objects.put(IDENTITY_KEY, sign)
    assert not world.sync()
    assert world.hints.keys == []
    assert sorted(world.answers("This is")) == ["This is a.txt.", "This is b.txt."]


@pytest.mark.parametrize("sign", [b'{"deployment_id": "00000000-0000-0000-0000-000000000000"}', b"{half of"])
def test_a_bot_that_is_deleted_takes_nothing_from_a_bucket_of_others(world: World, sign: bytes) -> None:
    world.put("a.txt", "This is a.txt.")
    world.registry.delete_bot(world.bot.slug)
    world.objects.put(IDENTITY_KEY, sign)
    assert not world.sync()
    assert "library/a.txt" in objects_of(world)
    assert world.delivery.receipts(world.bot.bot_id, 10) == []
    world.objects.put(IDENTITY_KEY, b'{"deployment_id": "%s"}' % str(world.registry.deployment_id()).encode())
    assert world.sync()
    assert "library/a.txt" not in objects_of(world)
    assert len(world.delivery.receipts(world.bot.bot_id, 10)) == 1


# Deletes


def test_a_bot_is_not_gone_before_its_index_is_empty(world: World) -> None:
    world.put("a.txt", "This is a.txt.")
    world.registry.delete_bot(world.bot.slug)
    index_of(world).keeps = True
    assert not world.sync()
    assert world.delivery.receipts(world.bot.bot_id, 10) == []
    index_of(world).keeps = False
    assert world.sync()
    assert world.delivery.receipts(world.bot.bot_id, 10)[0]["state"] == "provisional"


def test_a_bot_of_many_objects_is_removed_over_several_runs(world: World) -> None:
    for number in range(9):
        world.objects.put(world.key(f"{number}.txt"), b"x")
    world.registry.delete_bot(world.bot.slug)
    world.time_left = minutes_until_late(4)
    assert not world.sync()
    assert len([key for key in objects_of(world) if key.startswith("library/")]) == 6
    world.time_left = lambda: 3600.0
    assert world.sync() and not [key for key in objects_of(world) if key.startswith("library/")]


def test_a_row_that_a_late_worker_brought_back_is_deleted_before_the_receipt_is_final(world: World) -> None:
    world.put("a.txt", "This is a.txt.")
    bot = world.refreshed()
    ((passage_id, (row, vectors)),) = index_of(world).rows[bot.collection.name].items()
    world.remove("a.txt")
    world.index.upsert(bot.collection, [(row, vectors)])
    for expected in ("provisional", "final"):
        world.sync(second_look_seconds=-1)
        assert world.delivery.receipts(bot.bot_id, 10)[0]["state"] == expected
        assert world.index.present(bot.collection, bot.bot_id, [passage_id]) == set()


def test_what_another_deployment_wrote_into_the_collection_stays(world: World) -> None:
    world.put("a.txt", "This is a.txt.")
    bot = world.refreshed()
    rows = index_of(world).rows[bot.collection.name]
    ((row, vectors),) = rows.values()
    foreign = IndexRow(uuid4(), uuid4(), bot.bot_id, row.document_id, row.qa_id, 0, "?", "Not ours.")
    rows[foreign.passage_id] = foreign, vectors
    world.registry.delete_bot(bot.slug)
    world.sync()
    assert list(rows) == [foreign.passage_id]
