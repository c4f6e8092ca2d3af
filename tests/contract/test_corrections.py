"""Corrections: one pair is replaced until its own document changes it, and never do both answer, or neither."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from functions.ingest.corrections import CHANGED, GONE
from functions.sync.bucket_scan import claim_bucket
from shared.domain import Evidence, Filter, qa_id_of
from shared.testing import HashingEmbedder
from tests.worlds import World

FAQ = (
    "id,question,answer,category,related\n"
    "hours,When is it open?,From ten to six.,visit,price\n"
    "price,What does a ticket cost?,Nine euros.,visit,\n"
)

UNKNOWN = UUID("5f6d8f0e-8f4e-4a55-9c1e-2d6a3b7c9e10")  # of no pair


@pytest.fixture
def library(world: World) -> World:
    claim_bucket(world.objects, world.registry.deployment_id())
    world.put("faq.csv", FAQ)
    return world


def found(world: World, external_id: str, matching: Filter | None = None) -> Evidence | None:
    hits = world.search("When is it open and what does a ticket cost?", matching=matching).hits
    of_pair = [hit.evidence for hit in hits if hit.evidence.pair.external_id == external_id]
    assert len(of_pair) <= 1, "a pair and its correction answer both"
    return of_pair[0] if of_pair else None


def id_of(world: World, external_id: str) -> UUID:
    evidence = found(world, external_id)
    assert evidence is not None
    return evidence.pair.qa_id


def name_of(qa_id: UUID) -> str:
    return f".corrections/{qa_id}.json"


def content_of(world: World, qa_id: UUID, **fields: Any) -> str:
    own = world.documents.own_pair(world.refreshed(), qa_id)
    assert own is not None
    return json.dumps({"base": own.content_hash, **fields})


def correct(world: World, qa_id: UUID, **fields: Any) -> None:
    world.put(name_of(qa_id), content_of(world, qa_id, **fields))


def embedded(world: World) -> list[str]:
    assert isinstance(world.embedder, HashingEmbedder)
    return world.embedder.embedded


def test_a_correction_answers_as_the_pair_it_replaces(library: World) -> None:
    before = found(library, "price")
    assert before is not None
    correct(library, before.pair.qa_id, answer="Ten euros.")
    after = found(library, "price")
    assert after is not None
    assert (after.text, after.pair.qa_id, after.pair.question) == (
        "Ten euros.",
        before.pair.qa_id,
        before.pair.question,
    )
    assert (after.source.object_path, after.source.name) == ("faq.csv", "faq.csv")
    assert after.is_corrected and not before.is_corrected
    assert library.reading.pair(library.bot, before.pair.qa_id) == after
    own = library.documents.own_pair(library.bot, before.pair.qa_id)
    assert own is not None
    assert (own.pair.response, own.document_id) == ("Nine euros.", before.document_id)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"category": "money", "tags": ["new"], "metadata": {"shelf": 3}}, []),
        ({"answer": "Ten euros."}, ["Ten euros."]),
        ({"question": "How much is a ticket?"}, ["How much is a ticket?"]),
    ],
)
def test_a_correction_embeds_only_what_it_changes(library: World, changes: dict[str, Any], expected: list[str]) -> None:
    qa_id = id_of(library, "price")
    embedded(library).clear()
    correct(library, qa_id, **changes)
    assert embedded(library) == expected
    after = found(library, "price")
    assert after is not None and after.is_corrected


def test_a_correction_can_be_filtered_by_what_it_says_and_by_the_document_it_corrects(library: World) -> None:
    correct(library, id_of(library, "price"), category="money")
    status = library.status("faq.csv")
    assert status is not None
    assert found(library, "price", Filter(category=("money",))) is not None
    assert found(library, "price", Filter(category=("visit",))) is None
    assert found(library, "price", Filter(document_id=(status.document_id,))) is not None
    assert found(library, "price", Filter(external_id=("price",))) is not None


def test_a_deleted_correction_leaves_the_pair_as_its_document_has_it(library: World) -> None:
    qa_id = id_of(library, "price")
    correct(library, qa_id, answer="Ten euros.")
    embedded(library).clear()
    library.remove(name_of(qa_id))
    after = found(library, "price")
    assert after is not None
    assert (after.text, after.pair.qa_id, after.is_corrected) == ("Nine euros.", qa_id, False)
    assert embedded(library) == []
    assert library.index.count(library.bot.collection, library.bot.bot_id) == 2


def test_until_a_correction_is_proven_the_pair_or_the_correction_before_answers(library: World) -> None:
    qa_id = id_of(library, "price")
    for price, before in (("Ten euros.", "Nine euros."), ("Eleven euros.", "Ten euros.")):
        library.objects.put(library.key(name_of(qa_id)), content_of(library, qa_id, answer=price).encode())
        document_id = library.look(name_of(qa_id))
        assert document_id is not None
        waiting = found(library, "price")
        assert waiting is not None and waiting.text == before
        library.deliver(document_id)
        after = found(library, "price")
        assert after is not None and after.text == price


def test_a_change_of_the_pair_ends_its_correction_and_the_list_says_so(library: World) -> None:
    qa_id = id_of(library, "price")
    correct(library, qa_id, answer="Ten euros.")
    library.put("faq.csv", FAQ.replace("Nine", "Twelve"))
    after = found(library, "price")
    assert after is not None
    assert (after.text, after.pair.qa_id, after.is_corrected) == ("Twelve euros.", qa_id, False)
    status = library.status(name_of(qa_id))
    assert status is not None
    assert not status.is_answering and "has changed since" in str(status.reason)
    library.put("faq.csv", FAQ)  # what was corrected is back, and so is the correction
    again = found(library, "price")
    assert again is not None and again.text == "Ten euros."
    status = library.status(name_of(qa_id))
    assert status is not None
    assert (status.is_answering, status.reason) == (True, None)


def test_a_change_of_another_pair_leaves_the_correction_alone(library: World) -> None:
    correct(library, id_of(library, "price"), answer="Ten euros.")
    library.put("faq.csv", FAQ.replace("six", "seven"))
    price, hours = found(library, "price"), found(library, "hours")
    assert price is not None and price.text == "Ten euros."
    assert hours is not None and hours.text == "From ten to seven."


def test_a_rollback_of_the_document_brings_back_the_correction_of_what_it_brings_back(library: World) -> None:
    correct(library, id_of(library, "price"), answer="Ten euros.")
    library.put("faq.csv", FAQ.replace("Nine", "Twelve"))
    status = library.status("faq.csv")
    assert status is not None
    library.amendments.roll_back(library.bot, status.document_id, None)
    library.deliver(status.document_id)
    after = found(library, "price")
    assert after is not None and after.text == "Ten euros."


def test_a_pair_that_was_removed_answers_no_more_until_that_is_undone(library: World) -> None:
    qa_id = id_of(library, "price")
    correct(library, qa_id, removed=True)
    assert found(library, "price") is None
    assert found(library, "hours") is not None
    assert library.reading.pair(library.bot, qa_id) is None
    assert all("euros" not in row.staged.passage.text or row.since == 1 for row in _passages_of_corrections(library))
    library.remove(name_of(qa_id))
    assert found(library, "price") is not None


def _passages_of_corrections(world: World) -> list[Any]:
    state = getattr(world.documents, "_state", None)  # the twin shows what it holds
    if state is None:
        return []
    rows = state.bots[world.bot.bot_id]
    return [row for row in rows.passages.values() if rows.documents[row.document_id].corrects]


def test_a_deleted_document_takes_its_corrections_with_it(library: World) -> None:
    qa_id = id_of(library, "price")
    correct(library, qa_id, answer="Ten euros.")
    library.remove("faq.csv")
    assert library.search("What does a ticket cost?").hits == []
    assert library.reading.pair(library.bot, qa_id) is None
    library.sync()
    assert library.objects.head(library.key(name_of(qa_id))) is None
    assert library.key(name_of(qa_id)) in library.hints.keys
    library.ingest(name_of(qa_id))
    assert library.index.is_empty(library.bot.collection, library.bot.bot_id)
    assert len(library.delivery.receipts(library.bot.bot_id, 10)) == 2


def test_the_corrections_of_other_documents_stay(library: World) -> None:
    library.put("other.csv", "id,question,answer\na,Who reads?,Everybody.\n")
    correct(library, id_of(library, "price"), answer="Ten euros.")
    library.remove("other.csv")
    library.sync()
    after = found(library, "price")
    assert after is not None and after.text == "Ten euros."


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"base": "another content", "answer": "x"}', CHANGED),
        ('{"answer": ""}', "empty"),
        ('{"answr": "x"}', "no field 'answr'"),
        ('{"metadata": "x"}', "object"),
        ("{}", "JSON object"),
        ("[]", "JSON object"),
        ("{", "damaged"),
        ("\x00", "damaged"),
    ],
)
def test_a_correction_that_is_none_is_rejected_and_changes_nothing(library: World, content: str, reason: str) -> None:
    qa_id = id_of(library, "price")
    library.put(name_of(qa_id), content)
    status = library.status(name_of(qa_id))
    assert status is not None
    assert status.state == "rejected" and reason in str(status.reason)
    after = found(library, "price")
    assert after is not None and after.text == "Nine euros."


@pytest.mark.parametrize("name", [f"{UNKNOWN}.json", "price.json", "deep/price.json", f"{UNKNOWN}.csv"])
def test_a_correction_of_nothing_is_rejected(library: World, name: str) -> None:
    library.put(f".corrections/{name}", '{"answer": "Mine."}')
    status = library.status(f".corrections/{name}")
    assert status is not None
    assert (status.state, status.reason) == ("rejected", GONE)


def test_a_correction_cannot_be_corrected(library: World) -> None:
    qa_id = id_of(library, "price")
    correct(library, qa_id, answer="Ten euros.")
    document = library.status(name_of(qa_id))
    assert document is not None
    assert library.documents.own_pair(library.bot, qa_id_of(document.document_id, "correction")) is None


def test_another_bot_cannot_correct_the_pair(library: World) -> None:
    qa_id = id_of(library, "price")
    first, library.bot = library.bot, library.register("other")
    library.put(name_of(qa_id), '{"answer": "Mine."}')
    status = library.status(name_of(qa_id))
    assert status is not None and status.state == "rejected"
    library.bot = first
    after = found(library, "price")
    assert after is not None and after.text == "Nine euros."
