"""Deleted is gone, and stays gone: the deletion ledger, deletes of pairs, the second look, old questions."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from functions.sync.bucket_scan import claim_bucket
from shared import steps
from shared.domain import Deletion, DocumentStatus, QueryLog
from shared.errors import BehindError, NotFoundError
from shared.requested_exports import ExportRequest, request_export, stored_exports
from shared.testing import InMemoryObjectStore
from tests.worlds import World

FAQ = "id,question,answer\nhours,When is it open?,From ten to six.\nprice,What does a ticket cost?,Nine euros.\n"


class DiedError(Exception):
    """The process ended here."""


def dies_at(name: str, work: Callable[[], object]) -> None:
    """Let a process do that work and die at the step of that name."""

    def listener(step: str) -> None:
        if step == name:
            raise DiedError(step)

    steps.listen(listener)
    try:
        with pytest.raises(DiedError):
            work()
    finally:
        steps.listen(None)


def entries(world: World) -> list[Deletion]:
    return world.ledger().deletions(world.bot.slug)


def known(world: World, name: str) -> DocumentStatus:
    status = world.status(name)
    assert status is not None
    return status


def qa_id(world: World, question: str) -> UUID:
    return world.search(question).hits[0].evidence.pair.qa_id


# The ledger


def test_a_delete_is_in_the_ledger_before_its_tombstone(world: World) -> None:
    world.put("faq.csv", FAQ)
    document_id = known(world, "faq.csv").document_id
    world.objects.delete(world.key("faq.csv"))
    dies_at("ledger.entry-written", lambda: world.look("faq.csv"))
    (deletion,) = entries(world)
    assert (deletion.kind, deletion.document_id, deletion.object_key) == ("document", document_id, "library/faq.csv")
    assert (deletion.bot_id, deletion.slug) == (world.bot.bot_id, "library")
    assert world.answers("When is it open?")  # nobody was told that it is deleted


def test_a_delete_whose_worker_died_is_made_by_the_next_sync(world: World) -> None:
    claim_bucket(world.objects, world.registry.deployment_id())
    world.put("faq.csv", FAQ)
    world.objects.delete(world.key("faq.csv"))
    dies_at("ledger.entry-written", lambda: world.look("faq.csv"))
    assert world.sync()
    assert world.answers("When is it open?") == []
    assert len(world.delivery.receipts(world.bot.bot_id, 10)) == 1


def test_a_delete_whose_worker_died_does_not_take_what_came_under_the_same_key(world: World) -> None:
    world.put("faq.csv", FAQ)
    first = known(world, "faq.csv").document_id
    world.objects.delete(world.key("faq.csv"))
    dies_at("ledger.entry-written", lambda: world.look("faq.csv"))
    world.put("faq.csv", FAQ.replace("six", "eight"))
    assert known(world, "faq.csv").document_id != first
    world.ledger().catch_up(world.refreshed())
    assert "From ten to eight." in world.answers("When is it open?")
    assert "From ten to six." not in world.answers("When is it open?")


def test_a_delete_that_another_worker_made_meanwhile_is_made_once(world: World) -> None:
    world.put("faq.csv", FAQ)
    world.objects.delete(world.key("faq.csv"))

    def follow(step: str) -> None:
        if step == "ledger.entry-written":
            steps.listen(None)
            world.ledger().catch_up(world.bot)

    steps.listen(follow)
    try:
        world.ingest("faq.csv")
    finally:
        steps.listen(None)
    assert len(world.delivery.receipts(world.bot.bot_id, 10)) == 1
    assert world.ledger().catch_up(world.refreshed()) == 0


def test_a_delete_that_was_superseded_after_it_was_written_counts_nevertheless(world: World) -> None:
    world.put("faq.csv", FAQ)
    first = known(world, "faq.csv").document_id
    bot = world.refreshed()
    observation = world.documents.observe(bot, world.key("faq.csv"), lease_seconds=-1)
    assert observation is not None
    deletion = world.ledger().append(bot, "document", document_id=first, object_key=world.key("faq.csv"))
    world.put("faq.csv", FAQ.replace("six", "eight"))  # a look that begins with what the ledger has
    assert known(world, "faq.csv").document_id != first
    world.ledger().apply(bot, deletion)
    assert "From ten to eight." in world.answers("When is it open?")


def test_a_delete_of_what_never_was_or_was_never_seen_is_not_written(world: World) -> None:
    world.ingest("ghost.txt")
    assert entries(world) == []


def test_the_delete_of_a_rejected_file_is_written(world: World) -> None:
    world.put("broken.pdf", b"no pdf at all")
    world.remove("broken.pdf")
    assert [deletion.object_key for deletion in entries(world)] == ["library/broken.pdf"]
    assert world.ledger().catch_up(world.refreshed()) == 0


def test_two_deletes_at_the_same_time_are_both_in_the_ledger_and_in_the_catalog(world: World) -> None:
    names = [f"{number}.txt" for number in range(4)]
    for name in names:
        world.put(name, f"This is {name}.")
        world.objects.delete(world.key(name))
    ready = threading.Barrier(len(names))

    def remove(name: str) -> None:
        ready.wait()
        world.look(name)

    threads = [threading.Thread(target=remove, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(str(deletion.object_key) for deletion in entries(world)) == [world.key(name) for name in names]
    assert world.answers("This is") == []
    assert world.ledger().catch_up(world.refreshed()) == 0


def test_numbers_grow_even_if_the_clock_goes_back(world: World) -> None:
    ledger, bot = world.ledger(), world.refreshed()
    yesterday = replace(ledger, clock=lambda: ledger.clock() - 24 * 3600)
    written = [
        each.append(bot, "document", document_id=uuid4()).entry for each in (ledger, yesterday, ledger, yesterday)
    ]
    assert written == sorted(written)


def test_what_is_settled_is_not_listed_again_and_nothing_else_is_forgotten(world: World) -> None:
    ledger, bot = world.ledger(), world.refreshed()
    long_ago = replace(ledger, clock=lambda: ledger.clock() - 3600)
    old = long_ago.append(bot, "document", document_id=uuid4())
    new = ledger.append(bot, "document", document_id=uuid4())
    ledger.settle(bot)
    assert world.deletions.settled(bot) == ""  # it is not applied yet
    assert ledger.catch_up(bot) == 2
    ledger.settle(bot)
    assert world.deletions.settled(bot) == old.entry
    assert world.deletions.unapplied(bot, [new.entry]) == []
    assert ledger.catch_up(bot) == 0


def test_more_deletes_than_are_made_at_once_are_made_by_repetition(world: World) -> None:
    ledger, bot = world.ledger(), world.refreshed()
    for _ in range(5):
        ledger.append(bot, "document", document_id=uuid4())
    for left in (3, 1):
        with pytest.raises(BehindError, match=f"{left} deletes of 'library'"):
            ledger.catch_up(bot, at_most=2)
    assert ledger.catch_up(bot, at_most=2) == 1
    assert ledger.catch_up(bot, at_most=2) == 0


def test_what_is_no_entry_is_left_alone_and_a_damaged_one_is_not_passed_over(world: World) -> None:
    world.objects.put(".lockstep/ledger/library/notes.txt", b"somebody's")
    assert world.ledger().catch_up(world.refreshed()) == 0
    world.objects.put(".lockstep/ledger/library/000000000000001-0a0b0c0d0e0f.json", b"{half of")
    for _ in range(2):
        with pytest.raises(Exception, match="damaged"):
            world.ledger().catch_up(world.refreshed())


def test_a_bot_is_in_the_ledger_before_it_goes_and_goes_once(world: World) -> None:
    world.put("faq.csv", FAQ)
    bot = world.refreshed()
    dies_at("ledger.entry-written", lambda: world.ledger().delete_bot(bot))
    assert world.answers("When is it open?")
    assert world.ledger().delete_bot(bot).bot_id == world.ledger().delete_bot(bot).bot_id
    with pytest.raises(NotFoundError):
        world.registry.bot("library")
    assert world.sync()
    (receipt,) = world.delivery.receipts(bot.bot_id, 10)
    assert receipt["counts"]["catalog"]["documents"] == 1


def test_a_bot_whose_deleting_worker_died_goes_with_the_next_sync(world: World) -> None:
    claim_bucket(world.objects, world.registry.deployment_id())
    world.put("faq.csv", FAQ)
    bot = world.refreshed()
    dies_at("ledger.entry-written", lambda: world.ledger().delete_bot(bot))
    world.sync()
    assert world.registry.bots() == []
    assert list(world.objects.list("library/")) == []
    assert len(world.delivery.receipts(bot.bot_id, 10)) == 1


def test_the_delete_of_an_earlier_bot_of_the_slug_does_not_touch_this_one(world: World) -> None:
    earlier = replace(world.refreshed(), bot_id=uuid4())
    world.ledger().append(earlier, "bot")
    assert world.ledger().catch_up(world.refreshed()) == 1
    assert world.registry.bot("library").bot_id == world.bot.bot_id
    assert world.ledger().catch_up(world.refreshed()) == 0


# Pairs


def test_a_pair_that_stands_alone_is_known_to(world: World) -> None:
    world.put("faq.csv", FAQ)
    world.put("pairs/tea.json", '{"id": "tea", "question": "Is there tea?", "answer": "There is, at four."}')
    bot = world.refreshed()
    alone = world.deletions.live_pair(bot, qa_id(world, "Is there tea?"))
    assert (alone.is_alone, alone.object_key) == (True, "library/pairs/tea.json")
    assert not world.deletions.live_pair(bot, qa_id(world, "When is it open?")).is_alone
    with pytest.raises(NotFoundError):
        world.deletions.live_pair(bot, uuid4())


def test_a_pair_of_a_file_goes_from_every_generation_and_its_neighbours_stay(world: World) -> None:
    world.put("faq.csv", FAQ)
    world.put("faq.csv", FAQ.replace("Nine", "Ten"))
    bot, gone = world.refreshed(), qa_id(world, "When is it open?")
    pair = world.deletions.live_pair(bot, gone)
    world.ledger().delete_pair(bot, pair)
    assert not world.deletions.apply(bot, entries(world)[-1])
    assert "From ten to six." not in world.answers("When is it open?")
    assert "Ten euros." in world.answers("What does a ticket cost?")
    assert world.delivery.receipts(bot.bot_id, 10) == []
    assert world.delivery.unfinished_documents(bot, 10) == [pair.document_id]
    assert world.deliver(pair.document_id)
    (receipt,) = world.delivery.receipts(bot.bot_id, 10)
    assert (receipt["kind"], receipt["qa_id"], receipt["counts"]["index"]["rows"]) == ("pair", gone, 1)
    status = known(world, "faq.csv")
    assert (status.state, status.pairs, status.passages) == ("live", 1, 1)
    assert world.index.count(bot.collection, bot.bot_id) == 2  # the other pair, live and kept
    assert not any(world.deletions.remains(_second_look(world)).values())


def test_a_pair_that_comes_again_in_a_later_generation_answers(world: World) -> None:
    world.put("faq.csv", FAQ)
    bot, gone = world.refreshed(), qa_id(world, "When is it open?")
    pair = world.deletions.live_pair(bot, gone)
    world.ledger().append(bot, "pair", document_id=pair.document_id, qa_id=gone, generation=pair.generation)
    world.ledger().catch_up(bot)
    world.put("faq.csv", FAQ.replace("six", "eight"))
    assert "From ten to eight." in world.answers("When is it open?")
    assert "From ten to six." not in world.answers("When is it open?")


def _second_look(world: World) -> dict[str, object]:
    (receipt,) = world.delivery.receipts_to_finish(10, -1)
    return dict(receipt)


# The second look


def log_of(world: World, document_id: UUID) -> QueryLog:
    return QueryLog(
        uuid4(), "When?", "From ten to six.", False, 5, document_ids=(document_id,), citations=({"number": 1},)
    )


def test_a_receipt_is_final_only_when_both_stores_were_seen_to_hold_nothing(world: World) -> None:
    claim_bucket(world.objects, world.registry.deployment_id())
    world.put("faq.csv", FAQ)
    document_id = known(world, "faq.csv").document_id
    world.reading.log(world.bot, log_of(world, document_id), [])
    world.remove("faq.csv")
    assert world.delivery.receipts(world.bot.bot_id, 10)[0]["counts"]["scrubbed_logs"] == 1
    assert world.sync(second_look_seconds=-1)
    (receipt,) = world.delivery.receipts(world.bot.bot_id, 10)
    assert (receipt["state"], receipt["verified"]["index"]) == ("final", {"rows": 0})
    assert receipt["verified"]["catalog"]["passages"] == receipt["verified"]["catalog"]["query_logs"] == 0
    assert set(receipt["verified"]["catalog"].values()) == {0}


def test_an_answer_that_was_logged_after_the_delete_is_scrubbed_before_the_receipt_is_final(world: World) -> None:
    claim_bucket(world.objects, world.registry.deployment_id())
    world.put("faq.csv", FAQ)
    document_id = known(world, "faq.csv").document_id
    world.remove("faq.csv")
    world.reading.log(world.bot, log_of(world, document_id), [])
    for state in ("provisional", "final"):
        world.sync(second_look_seconds=-1)
        (receipt,) = world.delivery.receipts(world.bot.bot_id, 10)
        assert receipt["state"] == state


def test_the_receipt_of_a_bot_is_final_after_a_second_look_and_outlives_it(world: World) -> None:
    world.put("faq.csv", FAQ)
    bot = world.refreshed()
    world.ledger().delete_bot(bot)
    world.sync()
    world.sync(second_look_seconds=-1)
    (receipt,) = world.deletions.newest_receipts(10)
    assert (receipt["kind"], receipt["slug"], receipt["state"]) == ("bot", "library", "final")
    assert set(receipt["verified"]["catalog"].values()) == {0}
    assert receipt["verified"]["exports"] == {"objects": 0}
    assert world.deletions.bot_id("library") == bot.bot_id
    assert world.deletions.receipt(receipt["tombstone_id"])["state"] == "final"
    for unknown in ("nobody", "\0"):
        with pytest.raises(NotFoundError):
            world.deletions.bot_id(unknown)
    with pytest.raises(NotFoundError):
        world.deletions.receipt(uuid4())


# Old questions


def test_questions_of_today_are_kept(world: World) -> None:
    world.reading.log(world.bot, log_of(world, uuid4()), [])
    assert world.reading.forget_logs(world.bot, days=2, limit=10) == 0


def test_old_questions_go_in_batches(world: World) -> None:
    for _ in range(5):
        world.reading.log(world.bot, log_of(world, uuid4()), [])
    forgotten = [world.reading.forget_logs(world.bot, days=-1, limit=2) for _ in range(4)]
    assert forgotten == [2, 2, 1, 0]


def test_sync_forgets_old_questions_and_no_others(world: World) -> None:
    claim_bucket(world.objects, world.registry.deployment_id())
    for days, left in ((2, 1), (-1, 0)):
        world.reading.log(world.bot, log_of(world, uuid4()), [])
        world.sync(log_retention_days=days)
        assert world.reading.forget_logs(world.bot, days=-1, limit=10) == left


def test_the_ledger_is_no_knowledge(world: World) -> None:
    assert isinstance(world.objects, InMemoryObjectStore)
    world.put("faq.csv", FAQ)
    world.remove("faq.csv")
    assert [key for key in world.objects.contents if not key.startswith(".lockstep/ledger/library/")] == []
    assert world.hints.keys == []


def test_the_exports_of_a_bot_go_with_it_and_what_comes_behind_them_goes_before_the_receipt_is_final(
    world: World,
) -> None:
    bot, kept = world.refreshed(), world.register("kept")
    export = request_export(world.backups, bot, ExportRequest("csv", None, False))
    world.backups.put(f"{export.key.prefix}0123/pairs.csv", b"x")
    request_export(world.backups, kept, ExportRequest("csv", None, False))
    world.ledger().delete_bot(bot)
    world.sync()
    assert list(world.backups.list(f"exports/{bot.bot_id}/")) == []
    assert [stored.key.bot_id for stored in stored_exports(world.backups)] == [kept.bot_id]
    world.backups.put(f"{export.key.prefix}4567/pairs.csv", b"of a worker that had stood still")
    for state in ("provisional", "final"):
        world.sync(second_look_seconds=-1)
        (receipt,) = world.deletions.newest_receipts(10)
        assert receipt["state"] == state
        assert list(world.backups.list(f"exports/{bot.bot_id}/")) == []
