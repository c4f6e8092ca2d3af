"""What the audit asks of markers, and has done to them: over twins and real stores alike."""

from __future__ import annotations

from uuid import uuid4

from shared.domain import KEY_SPACE, KeyRange, ProvenMarker, Wanted
from tests.worlds import World


def proven(world: World, keys: KeyRange | None = None, limit: int = 100) -> list[ProvenMarker]:
    bot = world.refreshed()
    return world.delivery.proven(bot.collection, [bot.bot_id], keys or KeyRange(), limit=limit)


def fill(world: World) -> None:
    for number in range(12):
        world.put(f"{number}.txt", f"This is number {number}.")


def test_proven_markers_come_by_stretches_of_ids(world: World) -> None:
    fill(world)
    found = proven(world)
    assert len(found) == 12
    assert found == sorted(found, key=lambda marker: marker.passage_id)
    half = KEY_SPACE // 2
    assert proven(world, KeyRange(0, half)) + proven(world, KeyRange(half, KEY_SPACE)) == found
    assert proven(world, limit=5) == found[:5]


def test_proven_markers_are_of_the_bots_and_the_document_that_were_asked_for(world: World) -> None:
    fill(world)
    bot, other = world.refreshed(), world.register("other")
    status = world.status("3.txt")
    assert status is not None
    delivery, collection = world.delivery, bot.collection
    assert delivery.proven(collection, [other.bot_id], KeyRange(), limit=10) == []
    assert delivery.proven(collection, [], KeyRange(), limit=10) == []
    assert len(delivery.proven(collection, [other.bot_id, bot.bot_id], KeyRange(), limit=100)) == 12
    of_document = delivery.proven(collection, [bot.bot_id], KeyRange(), limit=10, document_id=status.document_id)
    assert len(of_document) == 1


def test_a_marker_says_what_is_wanted_and_whether_it_is_done(world: World) -> None:
    fill(world)
    bot, markers = world.refreshed(), proven(world)
    places = [(marker.bot_id, marker.passage_id) for marker in markers]
    states = world.delivery.marker_states(bot.collection, [*places, (bot.bot_id, uuid4()), (uuid4(), uuid4())])
    assert {place: state.proven for place, state in states.items()} == dict(zip(places, markers, strict=True))
    world.remove("3.txt")
    states = world.delivery.marker_states(bot.collection, places)
    (removed,) = (state for state in states.values() if state.proven is None)
    assert (removed.wanted, removed.is_delivered) == (Wanted.ABSENT, True)
    assert world.delivery.marker_states(bot.collection, []) == {}


def test_what_is_reopened_is_written_and_proven_anew(world: World) -> None:
    fill(world)
    bot, markers = world.refreshed(), proven(world)
    ids = [marker.passage_id for marker in markers[:3]]
    assert world.delivery.reopen(bot.collection, bot.bot_id, [*ids, uuid4()]) == 3
    assert world.delivery.reopen(bot.collection, bot.bot_id, ids) == 0  # they are under way now
    assert proven(world) == markers[3:]
    assert len(world.delivery.unfinished_documents(bot, 100)) == 3
    world.sync()
    again = proven(world)
    assert [marker.row_hash for marker in again] == [marker.row_hash for marker in markers]
    assert all(after.proven_at != before.proven_at for after, before in zip(again[:3], markers[:3], strict=True))


def test_what_was_swept_is_not_reopened(world: World) -> None:
    fill(world)
    bot, markers = world.refreshed(), proven(world)
    for number in range(12):
        world.remove(f"{number}.txt")
    assert world.delivery.reopen(bot.collection, bot.bot_id, [marker.passage_id for marker in markers]) == 0


def test_every_bot_that_ever_was_is_known_with_its_state(world: World) -> None:
    gone, going = world.register("gone"), world.register("going")
    world.registry.delete_bot("gone")
    world.registry.drop_bot(gone)
    world.registry.delete_bot("going")
    assert world.registry.bot_states() == {
        world.bot.bot_id: "active",
        gone.bot_id: "deleted",
        going.bot_id: "deleting",
    }
    assert [collection.name for collection in world.registry.collections()] == [world.bot.collection.name]
