"""The audit: it goes on where it stopped, rests when it is done, and never takes work under way for drift."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from functions.sync import comparison
from functions.sync.audit import REST_SECONDS, Audit, AuditPass, audit_lease
from functions.sync.bucket_scan import claim_bucket
from functions.sync.comparison import Comparer, Extent, Walk
from functions.sync.healing import Healer
from functions.sync.verify import verify
from shared.domain import KEY_SPACE, Bot, Collection, Drift, IndexRow, KeyRange, StoredRow, Vectors
from shared.testing import InMemoryVectorIndex
from tests.worlds import World, memory_world

FILES = 40


class Index(InMemoryVectorIndex):
    """Lets something happen before or after it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.before: Callable[[], object] = lambda: None
        self.after: Callable[[], object] = lambda: None
        self.reads = 0

    def stored(
        self,
        collection: Collection,
        keys: KeyRange,
        *,
        limit: int,
        bot_id: UUID | None = None,
        document_id: UUID | None = None,
    ) -> list[StoredRow]:
        self.reads += 1
        self.before()
        found = super().stored(collection, keys, limit=limit, bot_id=bot_id, document_id=document_id)
        self.after()
        return found


@pytest.fixture
def world() -> World:
    made = memory_world(index=Index())
    claim_bucket(made.objects, made.registry.deployment_id())
    for number in range(FILES):
        made.put(f"{number}.txt", f"This is number {number}.")
    return made


def index_of(world: World) -> Index:
    assert isinstance(world.index, Index)
    return world.index


def rows_of(world: World) -> dict[UUID, tuple[IndexRow, Vectors]]:
    return index_of(world).rows[world.refreshed().collection.name]


def comparer(world: World) -> Comparer:
    return Comparer(world.registry, world.delivery, world.index)


def drift(world: World) -> Drift:
    return verify([Extent(world.refreshed().collection)], comparer(world)).drift


def audit(
    world: World, *, time_left: Callable[[], float] = lambda: 3600.0, now: float = 0.0, holder: UUID | None = None
) -> bool:
    healer = Healer(world.delivery, world.index)
    made = Audit(world.registry, comparer(world), healer, world.operations, time_left, holder or uuid4(), lambda: now)
    return made.audit_collection(world.refreshed().collection, set())


def progress(world: World) -> AuditPass:
    lease, holder = audit_lease(world.refreshed().collection), uuid4()
    found = world.registry.claim_lease(lease, holder, 60)
    world.registry.release_lease(lease, holder)
    assert found is not None
    return AuditPass.from_progress(found)


def counted(world: World) -> Drift:
    last = progress(world).last
    assert last is not None
    return Drift(**{name: last[name] for name in Drift.__slots__})


def lose(world: World, number: int) -> list[UUID]:
    lost = sorted(rows_of(world))[:: FILES // number][:number]
    for passage_id in lost:
        del rows_of(world)[passage_id]
    return lost


def some_row(world: World) -> tuple[IndexRow, Vectors]:
    return next(iter(rows_of(world).values()))


# Where it is


def test_a_pass_goes_on_where_the_last_invocation_stopped(world: World) -> None:
    lose(world, 4)
    stretches = iter([100.0, 0.0] * 100)
    runs = 1
    while not audit(world, time_left=lambda: next(stretches)):
        runs += 1
    assert runs == index_of(world).reads > 3
    assert counted(world) == Drift(FILES, missing=4)


def test_without_time_nothing_is_read(world: World) -> None:
    assert not audit(world, time_left=lambda: 1.0)
    assert index_of(world).reads == 0


def test_a_finished_audit_rests_for_a_day_and_begins_again(world: World) -> None:
    assert audit(world, now=1_000_000)
    reads = index_of(world).reads
    lose(world, 1)
    assert audit(world, now=1_000_000 + REST_SECONDS - 1)
    assert index_of(world).reads == reads
    assert audit(world, now=1_000_000 + REST_SECONDS)
    assert counted(world) == Drift(FILES, missing=1)


def test_the_next_pass_needs_fewer_reads_as_it_knows_how_wide_a_stretch_may_be(world: World) -> None:
    audit(world, now=0)
    first, index_of(world).reads = index_of(world).reads, 0
    audit(world, now=2 * REST_SECONDS)
    assert index_of(world).reads < first


def test_a_stretch_with_too_many_rows_is_made_narrower(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "ROWS_AT_ONCE", 3)
    lose(world, 8)
    rows_of(world)[uuid4()] = some_row(world)
    assert drift(world) == Drift(FILES + 1, missing=8, orphaned=1)


def test_keys_that_cannot_be_told_apart_do_not_hold_the_audit_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "ROWS_AT_ONCE", 3)
    for number in range(20):
        rows_of(world)[UUID(int=(7 << 96) + number)] = some_row(world)
    for run in range(10):
        audit(world, now=(run + 1) * 2 * REST_SECONDS)
    assert drift(world) == Drift(FILES)


def test_two_workers_do_not_audit_the_same_collection(world: World) -> None:
    collection = world.refreshed().collection
    world.registry.claim_lease(audit_lease(collection), uuid4(), 60)
    assert audit(world)
    assert index_of(world).reads == 0


def test_a_collection_that_the_index_does_not_have_is_left_to_delivery(world: World) -> None:
    index_of(world).drop(world.refreshed().collection)
    assert audit(world)
    assert index_of(world).reads == 0


def test_stretches_cover_all_keys_once() -> None:
    walk, ends = Walk(width=KEY_SPACE // 3), [""]
    while not walk.is_over:
        keys = walk.stretch()
        assert keys.first_text == ends[-1]
        assert keys.end_text is None or UUID(keys.end_text).int == keys.last.int + 1
        ends.append(keys.end_text or "")
        walk.go_on(keys, 1_000)
    assert ends[-1] == ""
    assert len(ends) == 5


# Work under way


def test_what_is_committed_and_not_yet_delivered_is_no_drift(world: World) -> None:
    world.objects.put(world.key("new.txt"), b"Nothing of this is in the index yet.")
    world.look("new.txt")
    assert drift(world) == Drift(FILES)


def test_a_row_that_is_written_while_the_audit_reads_is_no_orphan(world: World) -> None:
    index_of(world).before = lambda: None if world.status("new.txt") else world.put("new.txt", "Just written.")
    assert drift(world).is_clean
    assert world.answers("Just written")[0] == "Just written."


def test_a_row_that_is_swept_while_the_audit_reads_is_not_missing(world: World) -> None:
    index_of(world).before = lambda: world.remove("1.txt") if world.status("1.txt") else None
    assert drift(world).is_clean


def test_a_row_that_is_written_anew_while_the_audit_reads_is_not_corrupt(world: World) -> None:
    bot, (row, vectors) = world.refreshed(), some_row(world)
    rows_of(world)[row.passage_id] = replace(row, response="altered"), vectors

    def heal() -> None:
        if world.delivery.reopen(bot.collection, bot.bot_id, [row.passage_id]):
            world.deliver(row.document_id)

    index_of(world).after = heal
    assert drift(world).is_clean


def test_a_bot_that_is_deleted_takes_its_own_rows_along(world: World) -> None:
    world.registry.delete_bot(world.bot.slug)
    collection = world.collection()
    assert verify([Extent(collection)], comparer(world)).drift == Drift()


# Healing


def test_live_answers_while_its_rows_wait_to_be_healed(world: World) -> None:
    lose(world, 5)
    audit(world)
    status = world.status("1.txt")
    assert status is not None and status.state == "live"
    assert drift(world) == Drift(FILES - 5)  # five are under way now
    assert world.sync()
    assert drift(world) == Drift(FILES)


def test_what_the_timer_finds_it_heals_in_the_same_run(world: World) -> None:
    lose(world, 5)
    assert world.sync()
    assert drift(world) == Drift(FILES)
    assert world.sync()


def test_a_healer_that_dies_half_way_is_followed_by_another(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    lose(world, 5)
    rows_of(world)[uuid4()] = some_row(world)

    def die(collection: Collection, bot_id: UUID, passage_ids: Sequence[UUID]) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(world.delivery, "reopen", die)
        with pytest.raises(KeyboardInterrupt):
            audit(world)
    assert world.sync()
    assert drift(world) == Drift(FILES)


def test_a_passage_whose_content_is_gone_is_told_and_not_tried_for_ever(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    (lost,) = lose(world, 1)
    catalog_rows(world, world.refreshed()).pop(lost)
    assert world.sync()
    assert "passages differ whose content the catalog does not have" in caplog.messages


def catalog_rows(world: World, bot: Bot) -> dict[UUID, object]:
    passages: dict[UUID, object] = world.delivery._state.bots[bot.bot_id].passages  # type: ignore[attr-defined]
    return passages
