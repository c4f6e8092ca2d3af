"""Leases, epochs, attempts: what each transition of the catalog allows and refuses, over the twin and Postgres alike."""

from __future__ import annotations

import time
from uuid import UUID, uuid4

import pytest

from functions.ingest.passages import stage_pair
from shared.catalog.delivery import MAX_ATTEMPTS
from shared.domain import (
    Accepted,
    BotSettings,
    Claim,
    ObjectVersion,
    Observation,
    Pair,
    Proof,
    Staged,
    Wanted,
    qa_id_of,
)
from shared.errors import ConflictError, InvalidInputError, LeasedError, LockstepError, NotFoundError, SupersededError
from tests.worlds import World, unknown_bot

VERSION = ObjectVersion("library/a.txt", "etag-1", 10)
ACCEPTED = Accepted(VERSION, "hash-1", "A")


def observe(world: World, *, lease_seconds: float = 60.0) -> Observation:
    observation = world.documents.observe(world.refreshed(), "library/a.txt", lease_seconds=lease_seconds)
    assert observation is not None
    return observation


def pairs_of(observation: Observation, *texts: str) -> list[Pair]:
    return [Pair(qa_id_of(observation.document_id, text), f"About {text}?", text) for text in texts]


def stage(
    world: World, observation: Observation, *texts: str, sealed: bool = True, generation: int | None = None
) -> int:
    pairs = pairs_of(observation, *texts)
    return world.documents.stage(
        observation,
        ACCEPTED,
        generation=generation,
        pairs=[stage_pair(world.bot, observation.document_id, pair, world.embedder) for pair in pairs],
        unchanged={},
        sealed_pairs=len(pairs) if sealed else None,
        lease_seconds=60,
    )


def claim(world: World, document_id: UUID, *, lease_seconds: float = 60.0, limit: int = 100) -> Claim | None:
    bot = world.refreshed()
    return world.delivery.claim(bot, [document_id], wanted=Wanted.PRESENT, limit=limit, lease_seconds=lease_seconds)


def prove(world: World, taken: Claim) -> int:
    incarnation = world.carrier().ensure_collection(world.bot)
    proofs = [Proof(marker.passage_id, marker.row_hash, "digest") for marker in taken.markers]
    return world.delivery.prove_present(world.refreshed(), taken, proofs, incarnation)


# Looks


def test_each_look_raises_the_epoch(world: World) -> None:
    first = observe(world)
    world.documents.release(first)
    assert observe(world).epoch == first.epoch + 1


def test_a_lease_that_expired_lets_the_next_worker_look_and_the_first_commit_no_more(world: World) -> None:
    first = observe(world, lease_seconds=0.01)
    time.sleep(0.05)
    second = observe(world)
    with pytest.raises(SupersededError):
        stage(world, first, "from the first")
    stage(world, second, "from the second")
    assert claim(world, second.document_id) is not None


def test_a_lease_that_expired_without_a_newer_look_may_still_commit(world: World) -> None:
    observation = observe(world, lease_seconds=0.01)
    time.sleep(0.05)
    assert stage(world, observation, "late but newest") == 1


def test_releasing_an_old_look_does_not_end_the_lease_of_the_new_one(world: World) -> None:
    first = observe(world, lease_seconds=0.01)
    time.sleep(0.05)
    observe(world)
    world.documents.release(first)
    with pytest.raises(LeasedError):
        observe(world)


def test_a_removal_fences_the_look_that_is_under_way(world: World) -> None:
    stage(world, observe(world), "one")
    taken = claim(world, world.documents.documents(world.bot, after="", limit=1)[0].document_id)
    assert taken is not None
    prove(world, taken)
    world.delivery.flip(world.refreshed(), taken.markers[0].document_id)
    slow = observe(world, lease_seconds=0.01)
    time.sleep(0.05)
    world.documents.remove(observe(world))
    with pytest.raises(SupersededError):
        stage(world, slow, "too late")


def test_a_staging_generation_that_was_left_behind_is_swept_without_touching_the_index(world: World) -> None:
    observation = observe(world, lease_seconds=0.01)
    stage(world, observation, "part one", sealed=False)
    time.sleep(0.05)
    world.documents.release(observation)
    second = observe(world)
    stage(world, second, "whole")
    world.deliver(second.document_id)
    assert world.answers("whole") == ["whole"]
    assert world.index.count(world.bot.collection, world.bot.bot_id) == 1


def test_what_a_look_that_was_put_off_has_staged_is_found_by_the_next(world: World) -> None:
    first = observe(world)
    number = stage(world, first, "part one", "and its neighbour", sealed=False)
    world.documents.put_off(first, 2)
    second = observe(world)
    assert second.staged == Staged(number, VERSION.token, 2)
    offered = pairs_of(second, "part one", "part two")
    assert list(world.documents.unchanged_pairs(second, offered).values()) == [number]
    with pytest.raises(SupersededError):
        world.documents.put_off(first, 2)
    with pytest.raises(SupersededError):
        world.documents.drop_staged(first)


def test_what_was_staged_may_be_offered_again_and_is_sealed_once(world: World) -> None:
    first = observe(world)
    number = stage(world, first, "part one", sealed=False)
    world.documents.put_off(first, 1)
    second = observe(world)
    unchanged = world.documents.unchanged_pairs(second, pairs_of(second, "part one"))
    world.documents.stage(
        second, ACCEPTED, generation=number, pairs=[], unchanged=unchanged, sealed_pairs=1, lease_seconds=60
    )
    world.deliver(second.document_id)
    assert world.answers("part one") == ["part one"]
    assert world.index.count(world.bot.collection, world.bot.bot_id) == 1


@pytest.mark.parametrize("has_died", [True, False])
def test_what_a_look_that_failed_or_died_was_to_go_on_with_is_given_up(world: World, has_died: bool) -> None:
    first = observe(world)
    stage(world, first, "part one", sealed=False)
    world.documents.put_off(first, 1)
    second = observe(world, lease_seconds=0.01)
    assert second.staged is not None
    if not has_died:
        world.documents.release(second)
    time.sleep(0.05)
    last = observe(world)
    assert last.staged is None
    stage(world, last, "whole")
    world.deliver(last.document_id)
    assert world.answers("whole") == ["whole"]
    assert world.index.count(world.bot.collection, world.bot.bot_id) == 1


def test_dropped_is_what_was_staged_and_nothing_else(world: World) -> None:
    world.put("a.txt", "This is live.")
    first = observe(world)
    stage(world, first, "part one", sealed=False)
    world.documents.put_off(first, 1)
    second = observe(world)
    world.documents.drop_staged(second)
    world.documents.put_off(second, 0)
    third = observe(world)
    assert third.staged is None
    world.documents.release(third)
    world.deliver(first.document_id)
    assert world.answers("live") == ["This is live."]
    assert world.index.count(world.bot.collection, world.bot.bot_id) == 1


def test_nothing_of_a_generation_that_is_being_staged_can_be_claimed(world: World) -> None:
    observation = observe(world)
    stage(world, observation, "part one", sealed=False)
    assert claim(world, observation.document_id) is None


def test_a_generation_is_not_sealed_with_a_wrong_count(world: World) -> None:
    observation = observe(world)
    with pytest.raises(LockstepError, match="3 pairs"):
        world.documents.stage(
            observation, ACCEPTED, generation=None, pairs=[], unchanged={}, sealed_pairs=3, lease_seconds=60
        )


def test_looking_for_a_bot_that_is_not_there_is_refused(world: World) -> None:
    with pytest.raises(NotFoundError):
        world.documents.observe(unknown_bot(world), "nobody/a.txt", lease_seconds=1)


# Claims


def test_a_marker_is_claimed_by_one_worker_at_a_time(world: World) -> None:
    observation = observe(world)
    stage(world, observation, "one", "two", "three")
    first, second = claim(world, observation.document_id, limit=2), claim(world, observation.document_id)
    assert first is not None
    assert second is not None
    assert {len(first.markers), len(second.markers)} == {2, 1}
    assert claim(world, observation.document_id) is None


def test_after_its_lease_a_claim_proves_nothing(world: World) -> None:
    observation = observe(world)
    stage(world, observation, "one")
    stalled = claim(world, observation.document_id, lease_seconds=0.01)
    time.sleep(0.05)
    second = claim(world, observation.document_id)
    assert stalled is not None
    assert second is not None
    assert prove(world, stalled) == 0
    assert prove(world, second) == 1


def test_a_proof_with_another_hash_does_not_count(world: World) -> None:
    observation = observe(world)
    stage(world, observation, "one")
    taken = claim(world, observation.document_id)
    assert taken is not None
    incarnation = world.carrier().ensure_collection(world.bot)
    wrong = [Proof(taken.markers[0].passage_id, "another hash", "digest")]
    assert world.delivery.prove_present(world.refreshed(), taken, wrong, incarnation) == 0


def test_a_generation_does_not_flip_before_every_member_is_proven(world: World) -> None:
    observation = observe(world)
    stage(world, observation, "one", "two")
    first = claim(world, observation.document_id, limit=1)
    assert first is not None
    prove(world, first)
    assert not world.delivery.flip(world.refreshed(), observation.document_id)
    second = claim(world, observation.document_id)
    assert second is not None
    prove(world, second)
    assert world.delivery.flip(world.refreshed(), observation.document_id)
    assert not world.delivery.flip(world.refreshed(), observation.document_id)


def test_what_was_proven_on_a_lost_collection_does_not_count(world: World) -> None:
    observation = observe(world)
    stage(world, observation, "one")
    taken = claim(world, observation.document_id)
    assert taken is not None
    world.carrier().ensure_collection(world.bot)
    proofs = [Proof(taken.markers[0].passage_id, taken.markers[0].row_hash, "digest")]
    world.delivery.prove_present(world.refreshed(), taken, proofs, uuid4())
    assert not world.delivery.flip(world.refreshed(), observation.document_id)


def test_a_passage_that_cannot_be_delivered_fails_after_bounded_attempts_and_names_itself(
    world: World,
) -> None:
    observation = observe(world)
    stage(world, observation, "one")
    poisoned = set()
    for _ in range(MAX_ATTEMPTS):
        taken = claim(world, observation.document_id)
        assert taken is not None
        poisoned = {marker.passage_id for marker in taken.markers}
        world.delivery.postpone(world.refreshed(), taken, list(poisoned), "it is poisonous")
        make_due(world)
    assert claim(world, observation.document_id) is None
    status = world.status("a.txt")
    assert status is not None
    assert status.state == "failed"
    assert "it is poisonous" in str(status.reason)
    assert all(str(passage_id) in str(status.reason) for passage_id in poisoned)


def test_a_store_that_was_away_does_not_count_as_an_attempt(world: World) -> None:
    observation = observe(world)
    stage(world, observation, "one")
    for _ in range(MAX_ATTEMPTS + 2):
        taken = claim(world, observation.document_id)
        assert taken is not None
        world.delivery.release(world.refreshed(), taken)
    assert claim(world, observation.document_id) is not None


def test_a_worker_that_dies_each_time_exhausts_the_attempts_too(world: World) -> None:
    observation = observe(world)
    stage(world, observation, "one")
    for _ in range(MAX_ATTEMPTS):
        assert claim(world, observation.document_id, lease_seconds=0.001) is not None
        time.sleep(0.005)
    assert claim(world, observation.document_id) is None
    world.delivery.fail_exhausted(world.refreshed())
    status = world.status("a.txt")
    assert status is not None
    assert status.state == "failed"


def test_a_failed_generation_gives_way_to_the_newest_look(world: World) -> None:
    test_a_worker_that_dies_each_time_exhausts_the_attempts_too(world)
    world.put("a.txt", "Something better.")
    status = world.status("a.txt")
    assert status is not None
    assert status.state == "live"
    assert world.answers("Something better") == ["Something better."]


def test_a_failed_passage_does_not_keep_its_neighbours_from_delivery(world: World) -> None:
    observation = observe(world)
    stage(world, observation, "one", "two")
    taken = claim(world, observation.document_id)
    assert taken is not None
    poisonous, healthy = taken.markers
    world.delivery.postpone(world.refreshed(), taken, [poisonous.passage_id], "poison")
    incarnation = world.carrier().ensure_collection(world.bot)
    proof = Proof(healthy.passage_id, healthy.row_hash, "digest")
    assert world.delivery.prove_present(world.refreshed(), taken, [proof], incarnation) == 1


def make_due(world: World) -> None:
    """Let the back-off of every marker be over."""
    delivery = world.delivery
    if hasattr(delivery, "_client"):
        delivery._client.transact(lambda tx: tx.script("update markers set next_attempt_at = now()"))
    else:
        for rows in delivery._state.bots.values():  # type: ignore[attr-defined]
            for marker in rows.markers.values():
                marker.due = 0.0


# The registry


def test_a_slug_is_never_given_out_twice(world: World) -> None:
    world.register("short-lived")
    world.registry.delete_bot("short-lived")
    with pytest.raises(ConflictError):
        world.register("short-lived")
    world.sync()
    with pytest.raises(ConflictError):
        world.register("short-lived")


@pytest.mark.parametrize("slug", ["", "A", "ü", "a b", "-a", "a/b", ".a", "a" * 64, "a'; drop table bots; --"])
def test_a_slug_that_is_none_is_refused(world: World, slug: str) -> None:
    with pytest.raises(InvalidInputError):
        world.register(slug)


def test_a_bot_keeps_its_settings(world: World) -> None:
    settings = BotSettings(consistency="strong", kept_generations=3, columns={"question": "Frage"})
    world.register("chosen", settings)
    assert world.registry.bot("chosen").settings == settings


def test_a_lease_has_one_holder_and_keeps_its_progress(world: World) -> None:
    first, second = uuid4(), uuid4()
    assert world.registry.claim_lease("scan", first, 60) == {}
    assert world.registry.claim_lease("scan", second, 60) is None
    world.registry.save_progress("scan", first, {"after": "b"})
    world.registry.save_progress("scan", second, {"after": "stolen"})
    world.registry.release_lease("scan", first)
    assert world.registry.claim_lease("scan", second, 60) == {"after": "b"}


def test_a_dropped_lease_is_forgotten_with_its_progress_by_its_holder_alone(world: World) -> None:
    registry, holder, other = world.registry, uuid4(), uuid4()
    assert registry.claim_lease("work", holder, 60) == {}
    registry.save_progress("work", holder, {"attempts": 1})
    registry.drop_lease("work", other)
    assert registry.claim_lease("work", other, 60) is None
    registry.release_lease("work", holder)
    assert registry.claim_lease("work", other, 60) == {"attempts": 1}
    registry.drop_lease("work", other)
    registry.release_lease("work", other)
    assert registry.claim_lease("work", holder, 60) == {}
