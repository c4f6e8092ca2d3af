"""Upload, update, delete: the invariants on the happy path, over twins and real stores alike."""

from __future__ import annotations

from uuid import uuid4

import pytest

from shared.domain import BotSettings, Filter, KeyRange
from shared.errors import LeasedError, NotFoundError
from shared.ports import pin_name
from shared.testing import HashingEmbedder
from tests.worlds import World

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
    monkeypatch.setattr("functions.ingest.pipeline.PART_PAIRS", 7)
    rows = "\n".join(f"{n},Question number {n}?,Answer number {n}." for n in range(50))
    world.put("many.csv", f"id,question,answer\n{rows}\n")
    status = world.status("many.csv")
    assert status is not None
    assert (status.state, status.pairs) == ("live", 50)
    (best, *_) = world.search("Question number 37?").hits
    assert best.evidence.pair.external_id == "37"


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
