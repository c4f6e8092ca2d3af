"""Upload, update, delete: the invariants on the happy path, over twins and real stores alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from typing import Any
from uuid import UUID, uuid4

import pytest

from functions.ingest import passages
from functions.ingest.parsing import ParsedDocument, parse
from functions.ingest.pipeline import TOO_SLOW
from shared.domain import Bot, BotSettings, Filter, KeyRange, ObjectVersion, Pair, StagedPair
from shared.errors import LeasedError, LockstepError, NotFoundError, OutOfTimeError, StoreUnavailableError
from shared.ports import pin_name
from shared.testing import HashingEmbedder
from tests.worlds import FOREVER, World

FAQ = "id,question,answer\nhours,When is it open?,From ten to six.\nprice,What does a ticket cost?,Nine euros.\n"


def test_an_upload_answers_with_its_source(world: World) -> None:
    world.put("faq.csv", FAQ)
    (best, *_) = world.search("When is it open?").hits
    assert best.evidence.text == "From ten to six."
    assert best.evidence.pair.external_id == "hours"
    assert best.evidence.source.object_path == "faq.csv"
    status = world.status("faq.csv")
    assert status is not None
    assert (status.state, status.pairs, status.passages, status.is_answering) == ("live", 2, 2, True)


def test_every_delivered_row_is_in_the_index_as_the_catalog_recorded_it(world: World) -> None:
    world.put("faq.csv", FAQ)
    bot = world.refreshed()
    proofs = world.delivery.proven(bot.collection, [bot.bot_id], KeyRange(), limit=10)
    rows = world.index.fetch(bot.collection, bot.bot_id, [proof.passage_id for proof in proofs])
    assert len(proofs) == len(rows) == world.index.count(bot.collection, bot.bot_id) == 2
    for proof in proofs:
        row, vectors = rows[proof.passage_id]
        assert (row.row_hash, vectors.digest) == (proof.row_hash, proof.vector_digest)


def test_an_update_embeds_and_writes_only_what_changed(world: World) -> None:
    assert isinstance(world.embedder, HashingEmbedder)
    world.put("faq.csv", FAQ)
    before = {hit.evidence.pair.external_id: hit.evidence for hit in world.search("open ticket").hits}
    world.embedder.embedded.clear()
    world.put("faq.csv", FAQ.replace("Nine euros", "Ten euros"))
    after = {hit.evidence.pair.external_id: hit.evidence for hit in world.search("open ticket").hits}
    assert world.embedder.embedded == ["Ten euros."]
    assert after["hours"].passage_id == before["hours"].passage_id
    assert after["price"].passage_id != before["price"].passage_id
    assert after["price"].pair.qa_id == before["price"].pair.qa_id
    assert after["price"].text == "Ten euros."


def test_a_change_of_metadata_copies_the_vectors(world: World) -> None:
    assert isinstance(world.embedder, HashingEmbedder)
    world.put("faq.csv", "id,question,answer,category\nhours,When is it open?,From ten to six.,visit\n")
    (before,) = world.search("open").hits
    world.embedder.embedded.clear()
    world.put("faq.csv", "id,question,answer,category\nhours,When is it open?,From ten to six.,times\n")
    (after,) = world.search("open", matching=Filter(category=("times",))).hits
    assert world.embedder.embedded == []
    assert after.evidence.passage_id != before.evidence.passage_id


def test_while_an_update_builds_the_live_generation_answers(world: World) -> None:
    world.put("faq.csv", FAQ)
    world.objects.put(world.key("faq.csv"), FAQ.replace("Nine", "Ten").encode())
    document_id = world.look("faq.csv")
    assert document_id is not None
    assert "Nine euros." in world.answers("What does a ticket cost?")
    world.deliver(document_id)
    answers = world.answers("What does a ticket cost?")
    assert "Ten euros." in answers
    assert "Nine euros." not in answers


def test_a_rejected_update_leaves_what_was_live(world: World) -> None:
    world.put("faq.csv", FAQ)
    world.put("faq.csv", b"\x00\x01\x02\x03" * 100)
    status = world.status("faq.csv")
    assert status is not None
    assert status.state == "rejected"
    assert status.reason
    assert status.is_answering
    assert "Nine euros." in world.answers("What does a ticket cost?")


def test_a_rejected_version_is_not_parsed_twice_and_a_good_one_heals(world: World) -> None:
    world.put("faq.csv", b"\x00\x01\x02\x03" * 100)
    assert world.look("faq.csv") is None
    world.put("faq.csv", FAQ)
    status = world.status("faq.csv")
    assert status is not None
    assert (status.state, status.reason) == ("live", None)


def test_a_delete_stops_answers_at_once_and_leaves_a_receipt(world: World) -> None:
    world.put("faq.csv", FAQ)
    world.objects.delete(world.key("faq.csv"))
    document_id = world.look("faq.csv")
    assert document_id is not None
    assert world.answers("When is it open?") == []
    assert world.status("faq.csv") is None
    world.deliver(document_id)
    bot = world.refreshed()
    assert world.index.is_empty(bot.collection, bot.bot_id)
    (receipt,) = world.delivery.receipts(bot.bot_id, 10)
    assert (receipt["state"], receipt["kind"], receipt["counts"]) == (
        "provisional",
        "document",
        {
            "catalog": {"generations": 1, "qa_pairs": 2, "passages": 2, "document_sources": 2, "relations": 0},
            "index": {"rows": 2},
            "scrubbed_logs": 0,
        },
    )


def test_a_receipt_becomes_final_after_a_second_look(world: World) -> None:
    world.objects.put(
        ".lockstep/deployment.json", b'{"deployment_id": "%s"}' % str(world.registry.deployment_id()).encode()
    )
    world.put("faq.csv", FAQ)
    world.remove("faq.csv")
    world.sync(second_look_seconds=3600)
    assert world.delivery.receipts(world.bot.bot_id, 10)[0]["state"] == "provisional"
    world.sync(second_look_seconds=-1)
    assert world.delivery.receipts(world.bot.bot_id, 10)[0]["state"] == "final"


def test_an_object_that_comes_again_is_a_new_document(world: World) -> None:
    world.put("faq.csv", FAQ)
    first = world.status("faq.csv")
    world.remove("faq.csv")
    world.put("faq.csv", FAQ)
    second = world.status("faq.csv")
    assert first is not None
    assert second is not None
    assert first.document_id != second.document_id
    assert "From ten to six." in world.answers("When is it open?")


def test_the_same_event_again_changes_nothing(world: World) -> None:
    world.put("faq.csv", FAQ)
    before = world.status("faq.csv")
    for _ in range(3):
        world.ingest("faq.csv")
    assert world.status("faq.csv") == before
    assert world.index.count(world.bot.collection, world.bot.bot_id) == 2


def test_an_event_for_an_object_that_never_was_leaves_nothing(world: World) -> None:
    world.remove("ghost.txt")
    assert world.status("ghost.txt") is None
    assert world.delivery.receipts(world.bot.bot_id, 10) == []


def test_a_look_waits_for_the_generation_that_is_building(world: World) -> None:
    world.objects.put(world.key("faq.csv"), FAQ.encode())
    document_id = world.look("faq.csv")
    assert document_id is not None
    world.objects.put(world.key("faq.csv"), FAQ.replace("Nine", "Ten").encode())
    assert world.look("faq.csv") is None
    world.deliver(document_id)
    assert world.hints.keys == [world.key("faq.csv")]
    world.ingest("faq.csv")
    assert "Ten euros." in world.answers("What does a ticket cost?")


def test_a_look_that_is_under_way_is_not_disturbed(world: World) -> None:
    world.objects.put(world.key("faq.csv"), FAQ.encode())
    observation = world.documents.observe(world.refreshed(), world.key("faq.csv"), lease_seconds=60)
    assert observation is not None
    with pytest.raises(LeasedError):
        world.look("faq.csv")
    world.documents.release(observation)
    world.ingest("faq.csv")
    assert "From ten to six." in world.answers("When is it open?")


def test_superseded_passages_leave_the_index_when_no_generation_keeps_them(world: World) -> None:
    for price in ("Nine", "Ten", "Eleven", "Twelve"):
        world.put("faq.csv", FAQ.replace("Nine", price))
    # One live and one kept generation share a pair and differ in one.
    assert world.index.count(world.bot.collection, world.bot.bot_id) == 3


def test_a_bot_that_keeps_nothing_holds_the_live_generation_only(world: World) -> None:
    world.bot = world.register("lean", BotSettings(kept_generations=0))
    for price in ("Nine", "Ten"):
        world.put("faq.csv", FAQ.replace("Nine", price))
    assert world.index.count(world.bot.collection, world.bot.bot_id) == 2


def test_a_content_that_returns_shares_the_passages_of_the_kept_generation(world: World) -> None:
    assert isinstance(world.embedder, HashingEmbedder)
    world.put("faq.csv", FAQ)
    world.put("faq.csv", FAQ.replace("Nine", "Ten"))
    world.embedder.embedded.clear()
    world.put("faq.csv", FAQ)
    assert world.embedder.embedded == []
    assert "Nine euros." in world.answers("What does a ticket cost?")


def test_nothing_crosses_from_bot_to_bot(world: World) -> None:
    world.put("faq.csv", FAQ)
    other = world.register("other")
    assert world.search("When is it open?", bot=other).hits == []
    (hit, *_) = world.search("When is it open?").hits
    assert world.reading.hydrate(other, [hit.evidence.passage_id], Filter()) == {}
    assert world.index.fetch(other.collection, other.bot_id, [hit.evidence.passage_id]) == {}


def test_a_deleted_bot_answers_no_more_and_leaves_nothing(world: World) -> None:
    world.put("faq.csv", FAQ)
    bot = world.refreshed()
    world.registry.delete_bot(bot.slug)
    with pytest.raises(NotFoundError):
        world.registry.bot(bot.slug)
    world.sync()
    assert world.index.is_empty(bot.collection, bot.bot_id)
    assert list(world.objects.list(f"{bot.slug}/")) == []
    (receipt,) = world.delivery.receipts(bot.bot_id, 10)
    assert (receipt["kind"], receipt["state"]) == ("bot", "provisional")


def test_a_document_of_many_parts_becomes_one_generation(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.ingest.staging.PART_PAIRS", 7)
    rows = "\n".join(f"{n},Question number {n}?,Answer number {n}." for n in range(50))
    world.put("many.csv", f"id,question,answer\n{rows}\n")
    status = world.status("many.csv")
    assert status is not None
    assert (status.state, status.pairs) == ("live", 50)
    (best, *_) = world.search("Question number 37?").hits
    assert best.evidence.pair.external_id == "37"


# What takes longer than an invocation lives


class Hourglass:
    """Time that runs out when it was asked for so often: at the beginning of a look, before it reads, before each record."""

    def __init__(self, records: int) -> None:
        self._questions = 2 + records

    def __call__(self) -> float:
        self._questions -= 1
        return FOREVER if self._questions >= 0 else 0.0


def rows(numbers: Iterable[int], said: str = "Answer number") -> bytes:
    lines = (f"{n},Question number {n}?,{said} {n}." for n in numbers)
    return "\n".join(["id,question,answer", *lines]).encode()


@pytest.fixture
def by_sevens(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part has seven pairs. With time for 20 records two of them are full, so that 14 pairs are staged."""
    monkeypatch.setattr("functions.ingest.staging.PART_PAIRS", 7)


def look_briefly(world: World, records: int, name: str = "many.csv") -> UUID | None:
    """Look with time for so many records."""
    world.time_left = Hourglass(records)
    try:
        return world.look(name)
    finally:
        world.time_left = lambda: FOREVER


def put_off(world: World) -> None:
    """A new object of 50 pairs, of which 14 are staged."""
    world.objects.put(world.key("many.csv"), rows(range(50)))
    assert look_briefly(world, 20) is None


def staged_pairs(world: World) -> int | None:
    """How many pairs the next look would go on from."""
    observation = world.documents.observe(world.refreshed(), world.key("many.csv"), lease_seconds=60)
    assert observation is not None
    if observation.staged is None:
        world.documents.release(observation)
        return None
    world.documents.put_off(observation, observation.staged.pairs)
    return observation.staged.pairs


def test_what_takes_longer_than_an_invocation_goes_on_in_the_next(world: World, by_sevens: None) -> None:
    assert isinstance(world.embedder, HashingEmbedder)
    put_off(world)
    assert world.hints.keys == [world.key("many.csv")]
    assert staged_pairs(world) == 14
    assert look_briefly(world, 30) is None
    assert staged_pairs(world) == 28
    status = world.status("many.csv")
    assert status is not None
    assert (status.state, status.is_answering) == ("observing", False)
    world.ingest("many.csv")
    status = world.status("many.csv")
    assert status is not None
    assert (status.state, status.pairs, status.passages) == ("live", 50, 50)
    assert sorted(world.embedder.embedded) == sorted({*world.embedder.embedded})
    assert world.index.count(world.bot.collection, world.bot.bot_id) == 50
    (best, *_) = world.search("Question number 3?").hits
    assert best.evidence.pair.external_id == "3"


def test_what_was_staged_is_not_cut_again(world: World, by_sevens: None, monkeypatch: pytest.MonkeyPatch) -> None:
    cut: list[str] = []

    def stage_pair(bot: Bot, document_id: UUID, pair: Pair, *others: Any) -> StagedPair:
        cut.append(str(pair.external_id))
        return passages.stage_pair(bot, document_id, pair, *others)

    monkeypatch.setattr("functions.ingest.staging.stage_pair", stage_pair)
    put_off(world)
    world.ingest("many.csv")
    assert cut == [str(n) for n in range(50)]


def test_an_update_that_takes_several_looks_writes_only_what_changed(world: World, by_sevens: None) -> None:
    assert isinstance(world.embedder, HashingEmbedder)
    world.put("many.csv", rows(range(50)))
    world.embedder.embedded.clear()
    world.objects.put(
        world.key("many.csv"), rows(range(50)).replace(b"Answer number 3.", b"Nothing.") + b"\n50,New?,New."
    )
    assert look_briefly(world, 20) is None
    assert "Answer number 3." in world.answers("Question number 3?")
    world.ingest("many.csv")
    assert sorted(world.embedder.embedded) == ["New.", "New?", "Nothing."]
    status = world.status("many.csv")
    assert status is not None
    assert status.pairs == 51


def test_an_object_that_changed_between_two_looks_is_read_anew(world: World, by_sevens: None) -> None:
    put_off(world)
    world.put("many.csv", rows(range(10, 40), "Another answer"))
    status = world.status("many.csv")
    assert status is not None
    assert (status.state, status.pairs) == ("live", 30)
    assert all(answer.startswith("Another") for answer in world.answers("Question number 3?"))
    assert world.index.count(world.bot.collection, world.bot.bot_id) == 30


def test_an_object_that_becomes_what_it_was_between_two_looks_leaves_nothing_staged(
    world: World, by_sevens: None
) -> None:
    world.put("many.csv", rows(range(5)))
    before = world.status("many.csv")
    world.objects.put(world.key("many.csv"), rows(range(50)))
    assert look_briefly(world, 20) is None
    world.put("many.csv", rows(range(5)))
    world.sync()
    assert world.status("many.csv") == before
    assert staged_pairs(world) is None
    assert world.index.count(world.bot.collection, world.bot.bot_id) == 5


def test_an_object_that_is_removed_between_two_looks_leaves_nothing(world: World, by_sevens: None) -> None:
    put_off(world)
    world.remove("many.csv")
    assert world.status("many.csv") is None
    (receipt,) = world.delivery.receipts(world.bot.bot_id, 10)
    assert receipt["counts"]["catalog"]["passages"] == 14


def test_a_look_that_nobody_was_told_of_is_asked_for_by_sync(world: World, by_sevens: None) -> None:
    put_off(world)
    world.hints.keys.clear()
    world.sync()
    assert set(world.hints.keys) == {world.key("many.csv")}
    assert staged_pairs(world) == 14


def test_a_store_that_is_away_costs_nothing_of_what_was_staged(
    world: World, by_sevens: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_off(world)

    def away(version: ObjectVersion) -> None:
        raise StoreUnavailableError()

    with monkeypatch.context() as patch, pytest.raises(StoreUnavailableError):
        patch.setattr(world.objects, "open", away)
        world.look("many.csv")
    assert staged_pairs(world) == 14


def test_what_is_read_otherwise_than_before_is_not_mixed_with_what_was_staged(
    world: World, by_sevens: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by another release of the parser."""

    def without_first(*args: Any, **kwargs: Any) -> ParsedDocument:
        document = parse(*args, **kwargs)
        return replace(document, content=islice(document.content, 1, None))

    put_off(world)
    monkeypatch.setattr("functions.ingest.pipeline.parse", without_first)
    with pytest.raises(LockstepError, match="49 pairs"):
        world.look("many.csv")
    world.ingest("many.csv")
    status = world.status("many.csv")
    assert status is not None
    assert (status.state, status.pairs) == ("live", 49)
    assert world.index.count(world.bot.collection, world.bot.bot_id) == 49


def test_what_an_invocation_gets_nowhere_with_is_rejected(world: World, by_sevens: None) -> None:
    world.objects.put(world.key("many.csv"), rows(range(50)))
    assert look_briefly(world, 5) is None
    status = world.status("many.csv")
    assert status is not None
    assert (status.state, status.reason) == ("rejected", TOO_SLOW)
    assert world.hints.keys == []


def test_a_look_that_comes_no_further_than_the_one_before_ends_as_a_rejection(world: World, by_sevens: None) -> None:
    put_off(world)
    assert look_briefly(world, 20) is None
    status = world.status("many.csv")
    assert status is not None
    assert (status.state, status.reason) == ("rejected", TOO_SLOW)
    world.sync()
    assert staged_pairs(world) is None
    assert world.index.count(world.bot.collection, world.bot.bot_id) == 0


def test_a_look_that_began_too_late_is_made_again(world: World, by_sevens: None) -> None:
    put_off(world)
    times = iter([FOREVER, FOREVER / 2, 0.0])
    world.time_left = lambda: next(times)
    with pytest.raises(OutOfTimeError):
        world.look("many.csv")
    world.time_left = lambda: FOREVER
    assert staged_pairs(world) == 14
    world.ingest("many.csv")
    assert "Answer number 3." in world.answers("Question number 3?")


def test_a_document_of_one_part_needs_no_time_to_be_put_off(world: World) -> None:
    world.time_left = lambda: 0.0
    world.objects.put(world.key("faq.csv"), FAQ.encode())
    assert world.look("faq.csv") is not None


def test_a_long_answer_comes_back_as_one_hit(world: World) -> None:
    sentences = " ".join(f"Sentence {n} speaks of the lighthouse keeper." for n in range(60))
    world.put("long.md", f"# The lighthouse\n\n{sentences}\n\n# The harbour\n\nShips rest here.\n")
    status = world.status("long.md")
    assert status is not None
    assert status.passages > status.pairs == 2
    hits = world.search("lighthouse keeper").hits
    assert len([hit for hit in hits if hit.evidence.pair.question == "The lighthouse"]) == 1


def test_an_inactive_pair_does_not_answer(world: World) -> None:
    world.put("faq.csv", "id,question,answer,active\na,Is it old?,Very old.,no\nb,Is it new?,Brand new.,yes\n")
    assert world.answers("Is it old?") == ["Brand new."]


def test_a_pin_has_superseded_passages_wait_and_never_those_of_what_was_deleted(world: World) -> None:
    bot, holder = world.refreshed(), uuid4()
    world.put("guide.md", "# Guide\n\nThe first way.\n")
    world.put("gone.md", "# Gone\n\nThis goes.\n")
    assert world.registry.claim_lease(pin_name(bot), holder, 60.0) is not None
    for word in ("second", "third"):  # one generation is kept: the first is superseded by the third
        world.put("guide.md", f"# Guide\n\nThe {word} way.\n")
    assert world.answers("Which way?")[0] == "The third way."
    assert world.index.count(bot.collection, bot.bot_id) == 4
    world.remove("gone.md")
    assert world.index.count(bot.collection, bot.bot_id) == 3
    world.sync()
    assert world.index.count(bot.collection, bot.bot_id) == 3
    world.registry.release_lease(pin_name(bot), holder)
    world.sync()
    assert world.index.count(bot.collection, bot.bot_id) == 2
