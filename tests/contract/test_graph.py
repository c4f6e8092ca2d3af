"""Names, mentions and what they lead to, over twins and real stores alike."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.domain import Bearer, Edge, GraphLimits, Neighbourhood
from shared.linking import PAIRS_AT_ONCE
from shared.names import key_of, phrases
from tests.worlds import World

LIMITS = GraphLimits()
PEOPLE: Mapping[str, str] = {
    "Ada Lovelace": "She wrote notes on the engine of Charles Babbage, and was the daughter of Lord Byron.",
    "Charles Babbage": "A mathematician of London.",
    "Lord Byron (poet)": "A poet. He died in Missolonghi.",
    "Missolonghi": "A town by a lagoon.",
}


def records(**more: Any) -> str:
    titled = [{"id": title, "title": title, "text": text, **more} for title, text in PEOPLE.items()]
    return "\n".join(json.dumps(record) for record in titled)


def bearers(world: World, text: str) -> list[Bearer]:
    return world.graph.bearers(world.refreshed(), set(phrases(text)), LIMITS)


def pair_of(world: World, name: str) -> UUID:
    found = {bearer.qa_id for bearer in bearers(world, name) if bearer.name.key == key_of(name)}
    assert len(found) == 1, found
    return found.pop()


def around(world: World, *names: str, limits: GraphLimits = LIMITS) -> Neighbourhood:
    return world.graph.look_around(world.refreshed(), [pair_of(world, name) for name in names], (), limits)


def edges(world: World, *names: str) -> set[tuple[str, str, str]]:
    """Between the live contents of those pairs: source, target, type."""
    bot = world.refreshed()
    ids = {pair_of(world, name): name for name in names}
    contents = {p.own_qa_id: p.since_generation for p in world.graph.first_passages(bot, list(ids))}
    keys = {key for name in names for key in phrases(name)}
    found = world.graph.edges_between(bot, contents, keys, LIMITS)
    return {(ids[edge.source_qa_id], ids[edge.target_qa_id], edge.type) for edge in found}


def mentioned(world: World, name: str) -> set[UUID]:
    key = key_of(name)
    assert key is not None
    (bearer,) = {bearer.qa_id for bearer in bearers(world, name) if bearer.name.key == key}
    return world.graph.look_around(world.refreshed(), [bearer], (), LIMITS).mentioners.get(key, set())


@pytest.fixture
def library(world: World) -> World:
    world.put("people.jsonl", records())
    return world


def test_a_name_leads_to_who_bears_it_whatever_its_case(library: World) -> None:
    (bearer,) = bearers(library, "who was ADA LOVELACE?")
    assert (bearer.name.text, bearer.name.kind) == ("Ada Lovelace", "focus")
    assert bearers(library, "Ada") == bearers(library, "") == []


def test_what_stands_in_brackets_need_not_be_said(library: World) -> None:
    (short,) = bearers(library, "Lord Byron")
    (whole,) = (b for b in bearers(library, "Lord Byron (poet)") if b.name.key == "lord byron poet")
    assert short.qa_id == whole.qa_id
    assert short.name.kind == "alias"


def test_a_text_is_connected_with_the_pairs_whose_names_it_mentions(library: World) -> None:
    names = ("Ada Lovelace", "Charles Babbage", "Lord Byron", "Missolonghi")
    assert edges(library, *names) == {
        ("Ada Lovelace", "Charles Babbage", "mentions"),
        ("Ada Lovelace", "Lord Byron", "mentions"),
        ("Lord Byron", "Missolonghi", "mentions"),
    }


@pytest.mark.parametrize("order", [("a.jsonl", "b.jsonl"), ("b.jsonl", "a.jsonl")])
def test_the_order_in_which_documents_come_makes_no_difference(world: World, order: tuple[str, str]) -> None:
    contents = {
        "a.jsonl": '{"title": "Kidney stones", "text": "They hurt."}',
        "b.jsonl": '{"title": "Gout", "text": "It comes with Kidney Stones, at times."}',
    }
    for name in order:
        world.put(name, contents[name])
    assert edges(world, "Kidney stones", "Gout") == {("Gout", "Kidney stones", "mentions")}


@pytest.mark.parametrize("order", [("a.jsonl", "b.jsonl"), ("b.jsonl", "a.jsonl")])
def test_long_names_are_found_whole_or_not_at_all(world: World, order: tuple[str, str]) -> None:
    long = "The Great Exhibition of the Works of Industry"
    titles = (long, "The Great Exhibition", "The Great Exhibition of Nothing")
    contents = {
        "a.jsonl": "\n".join(json.dumps({"title": title, "text": "It was."}) for title in titles),
        "b.jsonl": json.dumps({"title": "Crystal Palace", "text": f"{long.upper()} was held in it."}),
    }
    for name in order:
        world.put(name, contents[name])
    palace = pair_of(world, "Crystal Palace")
    assert {title for title in titles if palace in mentioned(world, title)} == set(titles[:2])


def test_a_deleted_document_takes_its_names_and_mentions_along(library: World) -> None:
    library.put("more.jsonl", '{"title": "Percy Shelley", "text": "A friend of Lord Byron."}')
    shelley = pair_of(library, "Percy Shelley")
    assert shelley in mentioned(library, "Lord Byron")
    library.remove("more.jsonl")
    library.sync()
    assert bearers(library, "Percy Shelley") == []
    assert shelley not in mentioned(library, "Lord Byron")

    library.put("more.jsonl", '{"title": "Percy Shelley", "text": "A friend of Lord Byron."}')
    library.remove("people.jsonl")
    library.sync()
    assert bearers(library, "Lord Byron") == []
    assert not around(library, "Percy Shelley").mentioners.get("lord byron")


def test_an_update_takes_the_old_edges_along_and_keeps_the_others(library: World) -> None:
    library.put("people.jsonl", records().replace("the daughter of Lord Byron", "no poet's daughter"))
    names = ("Ada Lovelace", "Charles Babbage", "Lord Byron", "Missolonghi")
    assert edges(library, *names) == {
        ("Ada Lovelace", "Charles Babbage", "mentions"),
        ("Lord Byron", "Missolonghi", "mentions"),
    }


def test_only_what_changed_is_linked_again(library: World) -> None:
    bot = library.refreshed()
    assert library.graph.link(bot, limit=100) == 0
    library.objects.put(library.key("people.jsonl"), records().replace("A town", "A small town").encode())
    document_id = library.look("people.jsonl")
    assert library.graph.link(bot, limit=100, document_ids=[uuid4()]) == 0
    assert library.graph.link(bot, limit=100, document_ids=[document_id] if document_id else []) == 1


def test_linking_goes_on_where_another_worker_stopped(world: World) -> None:
    pairs = 2 * PAIRS_AT_ONCE + 3
    world.objects.put(
        world.key("many.jsonl"),
        "\n".join(
            json.dumps({"id": n, "title": f"Number {n}x", "text": f"After it comes number {n + 1}x."})
            for n in range(pairs)
        ).encode(),
    )
    document_id = world.look("many.jsonl")
    assert document_id
    world.deliver(document_id)
    assert world.graph.link(world.refreshed(), limit=5) == 5
    world.time_left = lambda: 0.0
    assert not world.link()
    world.time_left = lambda: 3600.0
    world.sync()
    assert world.graph.link(world.refreshed(), limit=5) == 0
    assert edges(world, "Number 101x", "Number 102x") == {("Number 101x", "Number 102x", "mentions")}


def test_a_name_that_is_mentioned_too_often_leads_to_no_text_and_one_that_too_many_bear_nowhere(library: World) -> None:
    few = GraphLimits(pairs_per_name=2)
    for number in range(2):
        library.put(f"{number}.jsonl", json.dumps({"title": f"Letter {number}z", "text": "To Lord Byron."}))
    assert "lord byron" in around(library, "Letter 0z").bearers
    assert "lord byron" not in around(library, "Letter 0z", limits=few).bearers
    keys = {"lord byron", "missolonghi"}
    found = library.graph.bearers(library.refreshed(), keys, few)
    assert {(b.name.key, b.is_mentioned_often) for b in found} == {("lord byron", True), ("missolonghi", False)}
    for number in range(2, 5):
        library.put(f"{number}.jsonl", json.dumps({"title": "Letter 0z", "text": "Once more."}))
    assert library.graph.bearers(library.refreshed(), {"letter 0z"}, few) == []


def test_a_look_around_is_bounded_even_at_a_pair_that_is_connected_with_everything(library: World) -> None:
    lines = [json.dumps({"title": f"Person {n}y", "text": "Somebody."}) for n in range(60)]
    library.put("crowd.jsonl", "\n".join(lines))
    everybody = ", ".join(f"person {n}y" for n in range(60))
    library.put("list.jsonl", json.dumps({"title": "List of people", "text": f"{everybody}, list of people."}))
    found = around(library, "List of people", limits=GraphLimits(names=10))
    assert len(found.bearers) <= 10
    assert len(around(library, "List of people").bearers) > 50  # a few are cut in two by the borders of passages


def test_explicit_relations_are_walked_both_ways_and_may_point_in_circles_or_to_themselves(world: World) -> None:
    pairs = [
        {
            "id": "a",
            "question": "One?",
            "answer": "1.",
            "related": [{"id": "b", "type": "next", "confidence": 0.4}, "a"],
        },
        {"id": "b", "question": "Two?", "answer": "2.", "related": ["a", "nobody"]},
    ]
    world.put("circle.jsonl", "\n".join(json.dumps(pair) for pair in pairs))
    bot = world.refreshed()
    one, two = (world.search(question).hits[0].evidence.pair.qa_id for question in ("One?", "Two?"))
    found = world.graph.look_around(bot, [two], (), LIMITS).relations
    assert {(e.source_qa_id, e.target_qa_id, e.type) for e in found} >= {(one, two, "next"), (two, one, "related")}
    contents = {p.own_qa_id: p.since_generation for p in world.graph.first_passages(bot, [one, two])}
    assert {
        (e.source_qa_id, e.target_qa_id, round(e.confidence, 3))
        for e in world.graph.edges_between(bot, contents, (), LIMITS)
    } == {(one, two, 0.4), (two, one, 1.0)}


def test_aliases_and_focus_are_names_of_one_entity(world: World) -> None:
    diseases = [
        {
            "id": "x",
            "question": "What is it?",
            "answer": "A disease.",
            "focus": "Arginase deficiency",
            "synonyms": ["ARG1D"],
        },
        {"id": "y", "question": "Who has it?", "answer": "Few do.", "focus": "Arginase deficiency"},
        {
            "id": "z",
            "question": "Is it rare?",
            "answer": "Yes.",
            "aliases": "ARG1D; Hyper-argininemia",
            "title": "Rarity",
        },
    ]
    world.put("diseases.jsonl", "\n".join(json.dumps(disease) for disease in diseases))
    bot = world.refreshed()
    assert {b.name.kind for b in bearers(world, "arg1d")} == {"alias"}
    assert len(bearers(world, "arginase deficiency")) == 2
    ids = {b.qa_id for b in bearers(world, "arg1d, arginase deficiency")}
    contents = {p.own_qa_id: p.since_generation for p in world.graph.first_passages(bot, ids)}
    found = world.graph.edges_between(bot, contents, {"arg1d", "arginase deficiency"}, LIMITS)
    assert sorted(edge.type for edge in found) == ["same-entity", "same-entity"]
    assert {edge.name for edge in found} == {"ARG1D", "Arginase deficiency"}
    assert {b.name.text for b in world.graph.names_of(bot, ids, LIMITS)} >= {"Hyper-argininemia", "Rarity"}


@pytest.mark.parametrize(
    "title", ["' | & ! :* <->", "a\\'b; drop table names", "%_", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 İIı", "x" * 5_000, "1984", "("]
)
def test_hostile_names_are_names_or_nothing(world: World, title: str) -> None:
    world.put(
        "hostile.jsonl", json.dumps({"id": "h", "title": title, "text": f"About {title} and more.", "aka": [title, 3]})
    )
    assert world.graph.link(world.refreshed(), limit=10) == 0
    assert all(bearer.name.text in title for bearer in bearers(world, title))


def test_korean_names_are_found_inside_words(world: World) -> None:
    world.put(
        "ko.jsonl",
        '{"id": "1", "title": "이순신", "text": "장군이다."}\n{"id": "2", "title": "거북선", "text": "이순신이 만들었다."}',
    )
    assert edges(world, "이순신", "거북선") == {("거북선", "이순신", "mentions")}


def test_the_graph_of_one_bot_knows_nothing_of_another(library: World) -> None:
    other, ada = library.register("other"), pair_of(library, "Ada Lovelace")
    assert library.graph.bearers(other, {"ada lovelace"}, LIMITS) == []
    assert library.graph.names_of(other, [ada], LIMITS) == []
    assert library.graph.look_around(other, [ada], (), LIMITS) == Neighbourhood()
    assert library.graph.first_passages(other, [ada]) == []
    assert library.graph.edges_between(other, {ada: 1}, {"ada lovelace"}, LIMITS) == []


def test_unknown_pairs_are_near_nothing(library: World) -> None:
    bot, nobody = library.refreshed(), uuid4()
    assert library.graph.look_around(bot, [nobody], (), LIMITS) == Neighbourhood()
    assert library.graph.first_passages(bot, [nobody]) == []
    assert library.graph.edges_between(bot, {nobody: 1}, ("ada lovelace",), LIMITS) == []


def test_a_question_finds_what_its_names_lead_to(library: World) -> None:
    for number in range(30):
        library.put(f"{number}.txt", f"Where did the mother of person {number} die? In town {number}.")
    found = [
        hit.evidence.pair.question for hit in library.search("Where did the father of Ada Lovelace die?", top_k=6).hits
    ]
    assert {"Ada Lovelace", "Lord Byron (poet)"} <= set(found)


def test_an_edge_knows_the_name_and_how_sure_it_is(library: World) -> None:
    bot = library.refreshed()
    ada, byron = pair_of(library, "Ada Lovelace"), pair_of(library, "Lord Byron")
    contents = {p.own_qa_id: p.since_generation for p in library.graph.first_passages(bot, [ada, byron])}
    found = library.graph.edges_between(bot, contents, {"lord byron"}, LIMITS)
    assert found == [Edge(ada, byron, "mentions", 0.9, "Lord Byron")]
