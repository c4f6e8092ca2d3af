"""Relations between pairs whose questions are alike, over twins and real stores alike."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import pytest

from shared.comparing import NEIGHBOURS, PAIRS_AT_ONCE
from shared.domain import SIMILAR, SIMILAR_PER_PAIR, Edge, GraphLimits, qa_id_of
from shared.testing import HashingEmbedder
from tests.worlds import World

WITH_SIMILAR = GraphLimits(similar=True)
RESET = "How do I set a new password for my account?"


def put(world: World, name: str, *questions: str, **more: object) -> list[UUID]:
    """A document of those questions; returns the ids of its pairs."""
    records = [{"id": str(n), "question": q, "answer": f"{name} {n}.", **more} for n, q in enumerate(questions)]
    world.put(name, "\n".join(map(json.dumps, records)))
    status = world.status(name)
    assert status
    return [qa_id_of(status.document_id, f"id:{n}") for n in range(len(questions))]


def similar(world: World, qa_ids: Sequence[UUID]) -> set[Edge]:
    found = world.graph.look_around(world.refreshed(), qa_ids, (), WITH_SIMILAR)
    return {edge for edge in found.relations if edge.type == SIMILAR}


def ends(world: World, *qa_ids: UUID) -> set[tuple[UUID, UUID]]:
    return {(edge.source_qa_id, edge.target_qa_id) for edge in similar(world, qa_ids)}


def test_questions_that_are_alike_are_related_and_others_are_not(world: World) -> None:
    one, other = put(world, "a.jsonl", RESET, "Where is the library?")
    assert world.compare()
    (two,) = put(world, "b.jsonl", "For my account, how do I set a new password?")
    assert world.compare()
    (edge,) = similar(world, [one])
    assert (edge.source_qa_id, edge.target_qa_id) == (two, one)  # the newer found the older
    assert 0.95 <= edge.confidence <= 1.0
    assert similar(world, [two]) == {edge}
    assert similar(world, [other]) == set()


def test_only_who_asks_for_similarity_walks_it(world: World) -> None:
    (one,), (two,) = put(world, "a.jsonl", RESET), put(world, "b.jsonl", RESET)
    world.compare()
    bot = world.refreshed()
    assert world.graph.look_around(bot, [one], (), GraphLimits()).relations == set()
    contents = {p.own_qa_id: p.since_generation for p in world.graph.first_passages(bot, [one, two])}
    told = world.graph.edges_between(bot, contents, (), WITH_SIMILAR)
    assert {(edge.source_qa_id, edge.target_qa_id, edge.type) for edge in told} == {
        (one, two, SIMILAR),
        (two, one, SIMILAR),
    }


def test_only_what_is_new_is_compared_and_nothing_is_embedded(world: World) -> None:
    put(world, "a.jsonl", RESET)
    world.compare()
    put(world, "b.jsonl", RESET)
    assert isinstance(world.embedder, HashingEmbedder)
    embedded = len(world.embedder.embedded)
    assert len(world.graph.uncompared(world.refreshed(), after=None, limit=10)) == 1
    world.compare()
    assert world.graph.uncompared(world.refreshed(), after=None, limit=10) == []
    assert len(world.embedder.embedded) == embedded


def test_what_is_not_live_yet_waits(world: World) -> None:
    world.objects.put(world.key("a.jsonl"), json.dumps({"question": RESET, "answer": "So."}).encode())
    document_id = world.look("a.jsonl")
    assert document_id
    assert world.graph.uncompared(world.refreshed(), after=None, limit=10) == []
    assert world.compare()
    world.deliver(document_id)
    assert len(world.graph.uncompared(world.refreshed(), after=None, limit=10)) == 1


def test_a_pair_is_related_to_its_nearest_few(world: World) -> None:
    many = [qa_id for n in range(SIMILAR_PER_PAIR + 3) for qa_id in put(world, f"{n}.jsonl", RESET)]
    world.compare()
    for qa_id in many:
        assert len([edge for edge in similar(world, [qa_id]) if edge.source_qa_id == qa_id]) == SIMILAR_PER_PAIR


def test_a_question_that_very_many_ask_says_nothing(world: World) -> None:
    many = put(world, "chapters.jsonl", *["Introduction"] * NEIGHBOURS)
    world.compare()
    assert similar(world, many) == set()


def test_a_deleted_document_takes_its_edges_along_in_both_directions(world: World) -> None:
    (one,), (two,) = put(world, "a.jsonl", RESET), put(world, "b.jsonl", RESET)
    world.compare()
    assert ends(world, one) == {(one, two), (two, one)}
    world.remove("b.jsonl")
    world.sync()
    assert similar(world, [one, two]) == set()


def test_an_update_takes_the_old_edges_along(world: World) -> None:
    (one,), (two,) = put(world, "a.jsonl", RESET), put(world, "b.jsonl", RESET)
    world.compare()
    put(world, "b.jsonl", "Which planets have rings?")
    world.compare()
    assert [e for e in similar(world, [one]) if e.source_qa_id == one] == []
    assert contents_told(world, one, two) == []
    put(world, "b.jsonl", RESET)
    world.compare()
    assert [edge.target_qa_id for edge in contents_told(world, one, two)] == [one]


def contents_told(world: World, *qa_ids: UUID) -> list[Edge]:
    """Among the live contents of those pairs."""
    bot = world.refreshed()
    contents = {p.own_qa_id: p.since_generation for p in world.graph.first_passages(bot, list(qa_ids))}
    return world.graph.edges_between(bot, contents, (), WITH_SIMILAR)


def test_what_was_found_is_related_only_if_it_is_live_still(world: World) -> None:
    put(world, "a.jsonl", RESET)
    (two,) = put(world, "b.jsonl", RESET)
    bot = world.refreshed()
    contents = world.graph.uncompared(bot, after=None, limit=10)
    rows = world.index.fetch(bot.collection, bot.bot_id, [content.passage_id for content in contents])
    vectors = [rows[content.passage_id][1].question for content in contents]
    found = world.index.nearest(bot.collection, bot.bot_id, vectors, field="question", limit=5)
    world.remove("a.jsonl")
    world.sync()
    world.graph.set_similar(bot, dict(zip(contents, found, strict=True)))
    assert similar(world, [content.qa_id for content in contents]) == set()
    assert world.graph.uncompared(bot, after=None, limit=10) == []
    gone = replace(contents[0], qa_id=two, since_generation=9)
    world.graph.set_similar(bot, {gone: found[0]})  # never heard of
    assert similar(world, [two]) == set()


def test_pairs_that_are_not_active_are_neither_compared_nor_found(world: World) -> None:
    (one,) = put(world, "a.jsonl", RESET)
    (two,) = put(world, "b.jsonl", RESET, is_active=False)
    world.compare()
    assert similar(world, [one, two]) == set()
    assert world.graph.uncompared(world.refreshed(), after=None, limit=10) == []


def test_comparing_goes_on_where_another_worker_stopped(world: World) -> None:
    questions = [f"What is the number after {n}x?" for n in range(PAIRS_AT_ONCE + 5)]
    put(world, "numbers.jsonl", *questions, questions[-1])
    bot = world.refreshed()
    (first,) = world.graph.uncompared(bot, after=None, limit=1)
    world.graph.set_similar(bot, {first: ()})
    world.time_left = lambda: 0.0
    assert not world.compare()
    world.time_left = lambda: 3600.0
    world.sync()
    assert world.graph.uncompared(bot, after=None, limit=1) == []


def test_when_its_time_is_over_sync_asks_to_be_run_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    put(world, "a.jsonl", RESET)
    monkeypatch.setattr("functions.sync.pipeline.COMPARING_SECONDS", 0.0)
    world.sync()
    assert world.hints.syncs == 1
    assert len(world.graph.uncompared(world.refreshed(), after=None, limit=2)) == 1


@pytest.mark.parametrize("question", ["", "?", "𝔘 İıĞ \u0000", "x" * 9_000])
def test_hostile_questions_are_compared_or_nothing(world: World, question: str) -> None:
    world.put("hostile.jsonl", json.dumps({"id": "h", "title": "Title", "question": question, "answer": "An answer."}))
    assert world.compare()


def test_another_bot_has_nothing_that_is_alike(world: World) -> None:
    (one,) = put(world, "a.jsonl", RESET)
    other = world.register("other")
    world.bot = other
    (two,) = put(world, "a.jsonl", RESET)
    world.compare()
    assert similar(world, [one, two]) == set()
