"""A change of embedder: live, resumable, per bot; never a mix, never a gap. Over the twins and the real stores alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray

from functions.sync import former, reembed
from functions.sync.bucket_scan import claim_bucket
from functions.sync.reembed import Reembed
from shared.domain import Bot, Collection, KeyRange, ProvenMarker, Wanted
from shared.errors import ConflictError, EmbedderMismatchError, NotFoundError
from shared.steps import listen
from shared.testing import HashingEmbedder
from tests.worlds import World

STEPS = sorted(
    {
        name
        for module in (reembed, former)
        for name in re.findall(r'step\("(.+?)"\)', Path(str(module.__file__)).read_text("utf-8"))
    }
)
FAQ = "question,answer\nIs it open?,It is open.\nIs it free?,It is free.\n"


class Killed(BaseException):
    """What a process is told that is told nothing any more."""


class NextEmbedder(HashingEmbedder):
    """Another model, during whose work something may happen."""

    def __init__(self) -> None:
        super().__init__(dimension=48, revision="2")
        self.meanwhile: Callable[[Sequence[str]], None] = lambda texts: None

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.meanwhile(texts)
        return super().embed_passages(texts)


@pytest.fixture
def following() -> NextEmbedder:
    return NextEmbedder()


@pytest.fixture(autouse=True)
def nobody_listens() -> Iterator[None]:
    yield
    listen(None)


def change_of(world: World, following: HashingEmbedder, **changes: Any) -> Reembed:
    parts: dict[str, Any] = {
        "registry": world.registry,
        "changes": world.changes,
        "catalog": world.delivery,
        "index": world.index,
        "embedder": following,
        "hints": world.hints,
        "report": lambda message: None,
        "pause": lambda seconds: end_leases(world),
    }
    return Reembed(**parts | changes)


def target_of(world: World, following: HashingEmbedder) -> Collection:
    return world.registry.ensure_collection(following.model, metric="COSINE", index_type="FLAT", index_params={})


def build(world: World, following: HashingEmbedder, bot: Bot | None = None, **changes: Any) -> bool:
    bot = bot or world.refreshed()
    return change_of(world, following, **changes).build(bot, target_of(world, following))


def move(world: World, following: HashingEmbedder, bot: Bot | None = None, **changes: Any) -> bool:
    bot = bot or world.refreshed()
    return change_of(world, following, **changes).move(bot, target_of(world, following))


def add_markers(world: World, following: HashingEmbedder, *, stretch: int = 100) -> int:
    """Mark every passage for the next collection; returns how many were not before."""
    target, before = target_of(world, following), world.changes.progress(world.bot, target_of(world, following))
    after = UUID(int=0)
    while last := world.changes.add_markers(world.bot, target, after=after, limit=stretch):
        after = last
    return before.unmarked - world.changes.progress(world.bot, target).unmarked


def end_leases(world: World) -> None:
    """As time does."""
    delivery = world.delivery
    if hasattr(delivery, "_client"):
        delivery._client.transact(lambda tx: tx.script("update markers set leased_until = null"))
    else:
        for rows in delivery._state.bots.values():  # type: ignore[attr-defined]
            for marker in rows.all_markers():
                marker.leased_until = 0.0


def leave(world: World) -> None:
    """Sync, as if the move had been long ago."""
    world.sync(second_look_seconds=0)
    world.refreshed()


def living(world: World) -> int:
    """How many passages generations hold: each of them must be in each collection that answers."""
    return world.changes.progress(world.refreshed(), world.bot.collection).passages


def fill(world: World) -> None:
    claim_bucket(world.objects, world.registry.deployment_id())
    world.put("faq.csv", FAQ)
    world.put("goes.txt", "The barn owl hunts at night.")
    world.put("changes.txt", "The ferry leaves at nine.")


# Live


def test_a_bot_answers_before_during_and_after_the_move(world: World, following: NextEmbedder) -> None:
    fill(world)
    before = world.refreshed().collection
    asked = []

    def ask(texts: Sequence[str]) -> None:
        asked.append(world.answers("When does the ferry leave?")[:1])
        assert world.refreshed().collection == before

    following.meanwhile = ask
    world.next_embedder = following
    assert move(world, following)
    assert asked and asked == [["The ferry leaves at nine."]] * len(asked)
    assert world.answers("When does the ferry leave?")[:1] == ["The ferry leaves at nine."]
    assert world.refreshed().collection.is_of(following.model)
    assert world.index.count(world.bot.collection, world.bot.bot_id) == living(world) == 4


@pytest.mark.parametrize("has_both", [True, False], ids=["a process with both models", "a process with the old one"])
def test_what_is_written_while_it_runs_ends_up_in_both(world: World, following: NextEmbedder, has_both: bool) -> None:
    fill(world)
    old = world.refreshed().collection

    def write(texts: Sequence[str]) -> None:
        following.meanwhile = lambda texts: None
        world.next_embedder = following if has_both else None
        world.put("new.txt", "The lighthouse is red.")
        world.put("changes.txt", "The ferry leaves at ten.")
        world.remove("goes.txt")
        assert world.answers("When does the ferry leave?")[:1] == ["The ferry leaves at ten."]
        assert world.answers("What colour is the lighthouse?")[:1] == ["The lighthouse is red."]

    following.meanwhile = write
    assert build(world, following)
    world.sync(second_look_seconds=0)  # the batch that was under way had written the deleted passage once more
    for collection in (old, target_of(world, following)):
        assert world.index.count(collection, world.bot.bot_id) == living(world) == 5  # one of them is kept
    assert move(world, following)
    world.next_embedder = following
    assert world.answers("When does the ferry leave?")[:1] == ["The ferry leaves at ten."]
    assert world.answers("What colour is the lighthouse?")[:1] == ["The lighthouse is red."]
    assert "The barn owl hunts at night." not in world.answers("When does the barn owl hunt?")


def test_from_the_first_commit_on_ingest_and_sync_deliver_to_both(world: World, following: NextEmbedder) -> None:
    fill(world)
    assert build(world, following)
    world.next_embedder = following
    world.put("new.txt", "The lighthouse is red.")
    world.objects.put(world.key("other.txt"), b"The harbour is deep.")
    world.look("other.txt")
    assert world.sync()
    assert world.changes.progress(world.refreshed(), target_of(world, following)).is_complete
    assert world.changes.move(world.bot)


def test_a_process_with_the_old_model_alone_has_nothing_left_to_do(world: World, following: NextEmbedder) -> None:
    fill(world)
    world.changes.begin(world.refreshed(), target_of(world, following), settled_seconds=0)
    world.put("new.txt", "The lighthouse is red.")
    assert world.delivery.unfinished_documents(world.refreshed(), 10) == []
    assert world.sync()
    assert len(world.delivery.unfinished_documents(world.bot.within(target_of(world, following)), 10)) == 1


def test_after_the_move_all_questions_are_compared_again(world: World, following: NextEmbedder) -> None:
    world.put("faq.csv", FAQ)
    assert world.compare()
    assert move(world, following)
    assert len(world.graph.uncompared(world.refreshed(), after=None, limit=5)) == 2
    assert world.compare()
    assert world.graph.uncompared(world.refreshed(), after=None, limit=5) == []


def test_a_search_that_began_before_the_move_ends_as_it_began(world: World, following: NextEmbedder) -> None:
    fill(world)
    world.next_embedder = following
    asking = world.refreshed()
    assert move(world, following)
    hits = world.search("When does the ferry leave?", bot=asking).hits
    assert hits[0].evidence.text == "The ferry leaves at nine."


# Nothing is missed


def test_a_bot_does_not_move_before_everything_that_answers_is_there(world: World, following: NextEmbedder) -> None:
    fill(world)
    assert build(world, following)
    world.put("new.txt", "The lighthouse is red.")
    assert not world.changes.move(world.refreshed())
    assert move(world, following)


def test_a_passage_without_a_marker_keeps_the_bot_where_it_is(world: World, following: NextEmbedder) -> None:
    world.objects.put(world.key("a.txt"), b"The lighthouse is red.")
    document_id = world.look("a.txt")
    world.changes.begin(world.refreshed(), target_of(world, following), settled_seconds=0)
    assert not world.changes.move(world.refreshed())
    assert add_markers(world, following) == 1
    assert world.changes.move(world.refreshed())  # it answers nothing yet, so there is nothing to miss
    world.embedder = following
    assert document_id and world.deliver(document_id)
    assert world.answers("What colour is the lighthouse?") == ["The lighthouse is red."]


def test_a_generation_flips_by_what_was_proven_on_the_collection_that_answers(
    world: World, following: NextEmbedder
) -> None:
    fill(world)
    assert build(world, following)
    stale = world.refreshed()
    world.objects.put(world.key("late.txt"), b"The lighthouse is red.")
    document_id = world.look("late.txt")
    assert document_id and world.changes.move(world.refreshed())
    slow = world.carrier()
    incarnation = slow.ensure_collection(stale)
    slow._carry_out(stale, [document_id], Wanted.PRESENT, incarnation)  # a worker that has not noticed
    assert not world.delivery.flip(stale, document_id)
    world.embedder = following
    world.deliver(document_id)
    assert world.answers("What colour is the lighthouse?")[:1] == ["The lighthouse is red."]


def test_a_next_collection_that_was_lost_is_built_anew(world: World, following: NextEmbedder) -> None:
    fill(world)
    assert build(world, following)
    target = world.refreshed().next_collection
    assert target is not None
    world.index.delete_bot(target, world.bot.bot_id)
    assert world.index.drop_empty(target)
    assert move(world, following)
    assert world.index.count(world.refreshed().collection, world.bot.bot_id) == 4


# Killed, and run again


@pytest.mark.parametrize("name", STEPS)
def test_killed_at_any_step_it_goes_on(world: World, following: NextEmbedder, name: str) -> None:
    fill(world)
    old = world.refreshed().collection

    def kill(passed: str) -> None:
        if passed == name:
            raise Killed

    def run() -> None:
        if not world.refreshed().collection.is_of(following.model):
            assert move(world, following)
        world.embedder = following
        leave(world)

    world.index.create(target_of(world, following), old.incarnation or old.collection_id)
    if name == "reembed.markers-reopened":  # for that, something must have been lost
        assert build(world, following)
        target = target_of(world, following)
        world.index.delete_bot(target, world.bot.bot_id)
        assert world.index.drop_empty(target)
    listen(kill)
    with pytest.raises(Killed):
        run()
    listen(None)
    world.next_embedder = following
    assert world.answers("When does the ferry leave?")[:1] == ["The ferry leaves at nine."]
    run()
    assert world.answers("When does the ferry leave?")[:1] == ["The ferry leaves at nine."]
    assert world.bot.former_collection is world.bot.next_collection is None
    assert world.index.incarnation(old) is None
    assert world.index.count(world.bot.collection, world.bot.bot_id) == living(world) == 4


def test_killed_while_it_embeds_the_next_waits_for_what_it_had_claimed(world: World, following: NextEmbedder) -> None:
    fill(world)

    def kill(texts: Sequence[str]) -> None:
        raise Killed

    following.meanwhile = kill
    with pytest.raises(Killed):
        move(world, following)
    following.meanwhile = lambda texts: None
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        end_leases(world)

    assert move(world, following, pause=wait)
    assert waited


def test_what_is_embedded_is_not_embedded_again(world: World, following: NextEmbedder) -> None:
    fill(world)
    assert build(world, following)
    following.embedded.clear()
    assert move(world, following)
    assert following.embedded == []


# Something fails


def test_a_passage_that_the_next_model_cannot_take_keeps_the_bot_where_it_is(
    world: World, following: NextEmbedder
) -> None:
    fill(world)

    def choke(texts: Sequence[str]) -> None:
        if "It is free." in texts:
            raise ValueError("too free")

    following.meanwhile = choke
    told: list[str] = []
    assert not move(world, following, report=told.append)
    assert any("1 passages are missing" in line for line in told)
    assert any("faq.csv" in line and "too free" in line for line in told)
    status = world.status("faq.csv")
    assert status and (status.state, status.reason) == ("live", None)
    following.meanwhile = lambda texts: None
    assert move(world, following)  # without waiting for the next attempt


def test_what_fails_in_the_next_collection_fails_no_document(world: World, following: NextEmbedder) -> None:
    fill(world)
    world.changes.begin(world.refreshed(), target_of(world, following), settled_seconds=0)
    world.objects.put(world.key("new.txt"), b"The lighthouse is red.")
    document_id = world.look("new.txt")
    assert document_id
    view = world.refreshed().within(target_of(world, following))
    for _ in range(8):
        claim = world.delivery.claim(view, [document_id], wanted=Wanted.PRESENT, limit=10, lease_seconds=60)
        assert claim
        world.delivery.postpone(view, claim, [marker.passage_id for marker in claim.markers], "poison")
        make_due(world)
    status = world.status("new.txt")
    assert status and status.state == "building"
    assert world.deliver(document_id)
    assert world.answers("What colour is the lighthouse?")[:1] == ["The lighthouse is red."]
    assert world.changes.failures(view, view.collection, 5) == [(world.key("new.txt"), "poison")]


def make_due(world: World) -> None:
    """Let the back-off of every marker be over."""
    delivery = world.delivery
    if hasattr(delivery, "_client"):
        delivery._client.transact(lambda tx: tx.script("update markers set next_attempt_at = now()"))
    else:
        for rows in delivery._state.bots.values():  # type: ignore[attr-defined]
            for marker in rows.all_markers():
                marker.due = 0.0


# Refused


def test_after_the_move_a_process_with_the_old_model_is_refused_everywhere(
    world: World, following: NextEmbedder
) -> None:
    fill(world)
    old = world.refreshed().collection
    assert move(world, following)
    rows = world.index.count(old, world.bot.bot_id)
    with pytest.raises(EmbedderMismatchError, match=r"\(2, 48 dimensions\).* this process has lockstep/hashing \(1\)"):
        world.answers("When does the ferry leave?")
    world.objects.put(world.key("new.txt"), b"The lighthouse is red.")
    with pytest.raises(EmbedderMismatchError):
        world.look("new.txt")
    with pytest.raises(EmbedderMismatchError, match="this process has"):
        world.carrier().ensure_collection(world.refreshed())
    world.sync()
    assert world.index.count(old, world.bot.bot_id) == rows
    status = world.status("new.txt")
    assert status and not status.is_answering
    world.embedder = following
    world.ingest("new.txt")
    assert world.answers("What colour is the lighthouse?")[:1] == ["The lighthouse is red."]


def test_a_model_that_differs_in_dimension_alone_is_refused(world: World) -> None:
    fill(world)
    world.embedder = HashingEmbedder(dimension=32)
    with pytest.raises(EmbedderMismatchError, match="64 dimensions"):
        world.answers("When does the ferry leave?")


def test_one_change_at_a_time(world: World, following: NextEmbedder) -> None:
    fill(world)
    other = HashingEmbedder(revision="3")
    assert build(world, following)
    with pytest.raises(ConflictError, match="--cancel"):
        build(world, other)
    assert move(world, following)
    with pytest.raises(ConflictError, match="already"):
        move(world, following)
    with pytest.raises(ConflictError, match="emptied"):
        build(world, other)
    world.embedder = following
    leave(world)
    with pytest.raises(ConflictError, match="only just left"):
        build(world, other)
    assert move(world, other, settled_seconds=-1)


def test_a_bot_that_is_being_deleted_goes_nowhere(world: World, following: NextEmbedder) -> None:
    fill(world)
    assert build(world, following)
    target, bot = target_of(world, following), world.refreshed()
    world.registry.delete_bot(bot.slug)
    with pytest.raises(NotFoundError):
        world.changes.move(bot)
    world.sync()
    assert world.index.is_empty(target, bot.bot_id)
    assert world.index.is_empty(bot.collection, bot.bot_id)


# Beside it, and behind it


def test_of_two_bots_one_moves(world: World, following: NextEmbedder) -> None:
    fill(world)
    other = world.register("other")
    world.next_embedder = following
    moving, old = world.refreshed(), world.refreshed().collection
    world.bot = other
    world.put("a.txt", "The lighthouse is red.")
    assert move(world, following, moving)
    assert world.registry.bot("other").collection.collection_id == old.collection_id
    assert world.answers("What colour is the lighthouse?") == ["The lighthouse is red."]
    leave(world)
    assert world.index.is_empty(old, moving.bot_id)
    assert world.index.count(old, other.bot_id) == 1
    world.bot = world.registry.bot("library")
    assert world.bot.former_collection is None
    assert world.answers("When does the ferry leave?")[:1] == ["The ferry leaves at nine."]


def test_the_former_collection_is_left_when_nobody_can_be_asking_it_any_more(
    world: World, following: NextEmbedder
) -> None:
    fill(world)
    world.next_embedder = following
    old = world.refreshed().collection
    assert move(world, following)
    assert world.sync()
    assert world.index.count(old, world.bot.bot_id) == 4
    leave(world)
    assert world.index.incarnation(old) is None
    assert not world.changes.has_markers(world.bot, old)


def test_a_collection_with_rows_of_somebody_else_is_not_dropped(world: World, following: NextEmbedder) -> None:
    fill(world)
    old, bot = world.refreshed().collection, world.bot
    (found, *_) = world.index.fetch(old, bot.bot_id, [p.passage_id for p in proofs(world)]).values()
    row, vectors = found
    values = {name: getattr(row, name) for name in row.__dataclass_fields__}
    stranger = type(row)(**values | {"bot_id": target_of(world, following).collection_id, "passage_id": row.qa_id})
    world.index.upsert(old, [(stranger, vectors)])
    assert move(world, following)
    world.embedder = following
    leave(world)
    assert world.refreshed().former_collection is None
    assert world.index.count(old, stranger.bot_id) == 1


def proofs(world: World) -> Sequence[ProvenMarker]:
    bot = world.refreshed()
    return world.delivery.proven(bot.collection, [bot.bot_id], KeyRange(), limit=100)


@pytest.mark.parametrize("is_delivered", [True, False], ids=["in both", "only wanted in the next"])
def test_a_delete_during_the_change_comes_to_its_final_receipt(
    world: World, following: NextEmbedder, is_delivered: bool
) -> None:
    fill(world)
    target, old = target_of(world, following), world.refreshed().collection
    if is_delivered:
        assert build(world, following)
    else:
        world.changes.begin(world.bot, target, settled_seconds=0)
        assert add_markers(world, following, stretch=3) == 4
    world.remove("goes.txt")  # by a process that has the old model only
    assert [receipt["state"] for receipt in world.delivery.receipts(world.bot.bot_id, 10)] == ["provisional"]
    world.sync(second_look_seconds=0)
    assert [receipt["state"] for receipt in world.delivery.receipts(world.bot.bot_id, 10)] == ["final"]
    assert world.index.count(old, world.bot.bot_id) == 3
    assert world.index.count(target, world.bot.bot_id) == (3 if is_delivered else 0)
    assert move(world, following)


def test_a_delete_after_the_move_is_carried_out_in_the_former_collection_too(
    world: World, following: NextEmbedder
) -> None:
    fill(world)
    world.next_embedder = following
    old = world.refreshed().collection
    assert move(world, following)
    world.remove("goes.txt")
    assert world.index.count(old, world.bot.bot_id) == 3
    leave(world)
    assert [receipt["state"] for receipt in world.delivery.receipts(world.bot.bot_id, 10)] == ["final"]


def test_a_change_that_is_given_up_leaves_nothing_behind(world: World, following: NextEmbedder) -> None:
    fill(world)
    assert build(world, following)
    target = target_of(world, following)
    world.changes.cancel(world.refreshed())
    assert world.refreshed().next_collection is None
    world.put("new.txt", "The lighthouse is red.")
    leave(world)
    assert world.index.incarnation(target) is None
    assert world.bot.former_collection is None
    assert len(world.answers("What colour is the lighthouse?")) > 0


def test_a_bot_may_go_back_at_once(world: World, following: NextEmbedder) -> None:
    fill(world)
    first = world.embedder
    assert isinstance(first, HashingEmbedder)
    world.next_embedder = following
    assert move(world, following)
    world.put("new.txt", "The lighthouse is red.")
    first.embedded.clear()
    assert move(world, first)
    assert first.embedded == ["new", "The lighthouse is red."]  # everything else is there still
    assert world.refreshed().collection.is_of(first.model)
    assert world.answers("What colour is the lighthouse?")[:1] == ["The lighthouse is red."]


def test_vectors_are_lent_within_a_collection(world: World, following: NextEmbedder) -> None:
    world.put("faq.csv", "question,answer,category\nIs it open?,It is open.,a\n")
    assert build(world, following)
    world.next_embedder = following
    following.embedded.clear()
    world.put("faq.csv", "question,answer,category\nIs it open?,It is open.,b\n")
    assert following.embedded == []
    assert world.changes.progress(world.refreshed(), target_of(world, following)).is_complete
    assert world.changes.move(world.bot)
    assert world.answers("Is it open?") == ["It is open."]
