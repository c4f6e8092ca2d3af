"""Names, mentions and what they lead to, over twins and real stores alike."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

import pytest

from functions.ingest.lifetime import Lifetime
from functions.ingest.pipeline import Ingest
from shared.domain import PAIRS_PER_ID, Bearer, Edge, Filter, GraphLimits, Neighbourhood, qa_id_of
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
    assert library.graph.link(bot, limit=100) == 0  # it has not gone live yet
    library.deliver(document_id) if document_id else None
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


# Relations that name a record of another document by its id


def with_id(external_id: str, *related: Any, **more: Any) -> str:
    asked = {"id": external_id, "question": f"What is {external_id}?", "answer": f"It is {external_id}."}
    return json.dumps(asked | ({"related": related} if related else {}) | more)


def with_ids(*external_ids: str) -> str:
    return "\n".join(with_id(external_id) for external_id in external_ids)


def related(world: World, document: str, external_id: str) -> set[tuple[str, str, str, float]]:
    """Where the relations of that record lead among what is live: the target's document and id, type, confidence."""
    bot = world.refreshed()
    source = qa_id_in(world, document, external_id)
    ends = {e.target_qa_id for e in world.graph.look_around(bot, [source], (), LIMITS).relations} | {source}
    first = {p.own_qa_id: p for p in world.graph.first_passages(bot, ends)}
    found = world.graph.edges_between(bot, {q: p.since_generation for q, p in first.items()}, (), LIMITS)
    names = {s.document_id: s.object_key.partition("/")[2] for s in world.documents.documents(bot, after="", limit=100)}
    evidence = world.reading.hydrate(bot, [p.passage_id for p in first.values()], Filter())
    ids = {e.pair.qa_id: (names[e.document_id], e.pair.external_id or "") for e in evidence.values()}
    return {(*ids[e.target_qa_id], e.type, round(e.confidence, 3)) for e in found if e.source_qa_id == source}


def qa_id_in(world: World, document: str, external_id: str) -> UUID:
    status = world.status(document)
    assert status
    return qa_id_of(status.document_id, f"id:{external_id}")


@pytest.mark.parametrize("order", [("a.jsonl", "b.jsonl"), ("b.jsonl", "a.jsonl")])
def test_a_record_is_related_to_one_of_another_document_whichever_comes_first(
    world: World, order: tuple[str, str]
) -> None:
    contents = {
        "a.jsonl": with_id("oil", {"id": "chain", "type": "part", "confidence": 0.4}),
        "b.jsonl": with_id("chain"),
    }
    for name in order:
        world.put(name, contents[name])
    assert related(world, "a.jsonl", "oil") == {("b.jsonl", "chain", "part", 0.4)}
    chain, oil = qa_id_in(world, "b.jsonl", "chain"), qa_id_in(world, "a.jsonl", "oil")
    found = world.graph.look_around(world.refreshed(), [chain], (), LIMITS).relations
    assert {(e.source_qa_id, e.target_qa_id) for e in found} == {(oil, chain)}


@pytest.mark.parametrize("order", [("a.jsonl", "b.jsonl"), ("b.jsonl", "a.jsonl")])
def test_a_record_of_the_same_document_comes_first(world: World, order: tuple[str, str]) -> None:
    contents = {"a.jsonl": f"{with_id('oil', 'chain')}\n{with_id('chain')}", "b.jsonl": with_id("chain")}
    for name in order:
        world.put(name, contents[name])
    assert related(world, "a.jsonl", "oil") == {("a.jsonl", "chain", "related", 1.0)}


def test_several_records_that_have_an_id_share_the_confidence_and_too_many_lead_nowhere(world: World) -> None:
    world.put("a.jsonl", with_id("oil", "1"))
    for number in range(PAIRS_PER_ID):
        world.put(f"{number}.jsonl", with_id("1"))
        share = round(1 / (number + 1), 3)
        expected = {(f"{n}.jsonl", "1", "related", share) for n in range(number + 1)}
        assert related(world, "a.jsonl", "oil") == expected
    world.put("more.jsonl", with_id("1"))
    assert related(world, "a.jsonl", "oil") == set()
    world.remove("more.jsonl")
    world.sync()
    assert len(related(world, "a.jsonl", "oil")) == PAIRS_PER_ID


def test_a_relation_follows_a_record_that_goes_moves_and_comes_back(world: World) -> None:
    world.put("a.jsonl", f"{with_id('oil', 'chain')}\n{with_id('chain')}")
    world.put("b.jsonl", with_ids("chain", "other"))
    here, there = {("a.jsonl", "chain", "related", 1.0)}, {("b.jsonl", "chain", "related", 1.0)}
    assert related(world, "a.jsonl", "oil") == here
    world.put("a.jsonl", with_id("oil", "chain"))  # the pair that went is kept, and does not answer
    assert related(world, "a.jsonl", "oil") == there
    world.put("b.jsonl", with_ids("other"))
    assert related(world, "a.jsonl", "oil") == set()
    world.put("c.jsonl", with_ids("chain"))
    assert related(world, "a.jsonl", "oil") == {("c.jsonl", "chain", "related", 1.0)}
    world.remove("c.jsonl")
    assert related(world, "a.jsonl", "oil") == set()
    world.sync()
    for content in (with_ids("one"), with_ids("two"), with_ids("chain", "two")):  # what went is not kept any more
        world.put("b.jsonl", content)
    assert related(world, "a.jsonl", "oil") == there
    world.put("a.jsonl", f"{with_id('oil', 'chain')}\n{with_id('chain')}")
    assert related(world, "a.jsonl", "oil") == here


def test_a_relation_is_there_after_a_roll_back_and_gone_with_what_named_it(world: World) -> None:
    world.put("b.jsonl", with_ids("chain", "other"))
    world.put("b.jsonl", with_ids("other"))
    world.put("a.jsonl", with_id("oil", "chain"))
    assert related(world, "a.jsonl", "oil") == set()
    status = world.status("b.jsonl")
    assert status
    world.amendments.roll_back(world.refreshed(), status.document_id, None)
    world.deliver(status.document_id)
    world.link()
    assert related(world, "a.jsonl", "oil") == {("b.jsonl", "chain", "related", 1.0)}
    world.put("a.jsonl", with_id("oil", "other"))
    assert related(world, "a.jsonl", "oil") == {("b.jsonl", "other", "related", 1.0)}
    chain = qa_id_in(world, "b.jsonl", "chain")
    world.remove("a.jsonl")
    world.sync()
    assert world.graph.look_around(world.refreshed(), [chain], (), LIMITS).relations == set()


def test_a_record_that_is_deleted_by_itself_leaves_the_relation_to_another_that_has_its_id(world: World) -> None:
    world.put("a.jsonl", f"{with_id('oil', 'chain')}\n{with_id('chain')}\n{with_id('rim')}")
    world.put("b.jsonl", with_ids("chain", "other"))
    bot = world.refreshed()
    world.ledger().delete_pair(bot, world.deletions.live_pair(bot, qa_id_in(world, "a.jsonl", "chain")))
    world.sync()
    assert related(world, "a.jsonl", "oil") == {("b.jsonl", "chain", "related", 1.0)}


def test_a_correction_does_not_bear_the_id_of_what_it_corrects(world: World) -> None:
    world.put("b.jsonl", with_id("chain"))
    chain = qa_id_in(world, "b.jsonl", "chain")
    world.put(f".corrections/{chain}.json", json.dumps({"answer": "Something else."}))
    world.put("a.jsonl", with_id("oil", "chain"))
    found = world.graph.look_around(world.refreshed(), [chain], (), LIMITS).relations
    oil = qa_id_in(world, "a.jsonl", "oil")
    assert [(e.source_qa_id, e.target_qa_id, e.confidence) for e in found] == [(oil, chain, 1.0)]


def test_no_relation_leads_into_another_bot(world: World) -> None:
    other = world.register("other")
    world.put("a.jsonl", with_id("oil", "chain"))
    world.objects.put("other/b.jsonl", with_id("chain").encode())
    ingest = Ingest(
        world.documents,
        world.objects,
        world.embedders(),
        max_object_bytes=1_000,
        ledger=world.ledger(),
        hints=world.hints,
        lifetime=Lifetime.begin(world.time_left),
    )
    document_id = ingest.look_at(other, "other/b.jsonl")
    assert document_id
    world.carrier().run(other, [document_id])
    assert world.graph.link(other, limit=10) == 1
    assert related(world, "a.jsonl", "oil") == set()


def test_records_that_are_named_by_others_are_not_linked_again_for_what_changes_beside_them(world: World) -> None:
    world.put("a.jsonl", with_id("oil", "chain"))
    world.put("b.jsonl", with_ids("chain", "other", "third"))
    world.objects.put(world.key("b.jsonl"), with_ids("chain", "other").replace("It is other", "It was other").encode())
    document_id = world.look("b.jsonl")
    assert document_id
    world.deliver(document_id)
    assert world.graph.link(world.refreshed(), limit=100) == 1
    assert related(world, "a.jsonl", "oil") == {("b.jsonl", "chain", "related", 1.0)}


def test_a_row_carries_the_relations_that_were_known_when_it_was_written(world: World) -> None:
    world.put("b.jsonl", with_ids("chain", "rim"))
    world.put("c.jsonl", with_ids("rim", "spoke"))
    world.put("a.jsonl", f"{with_id('oil', 'chain', 'rim', 'spoke', 'later', 'nobody')}\n{with_id('spoke')}")
    world.put("d.jsonl", with_ids("later"))
    bot, oil = world.refreshed(), qa_id_in(world, "a.jsonl", "oil")
    (passage,) = world.graph.first_passages(bot, [oil])
    row, _ = world.index.fetch(bot.collection, bot.bot_id, [passage.passage_id])[passage.passage_id]
    own = {("a.jsonl", name, 1.0) for name in ("spoke", "later", "nobody")}
    others = {("b.jsonl", "chain", 1.0), ("b.jsonl", "rim", 0.5), ("c.jsonl", "rim", 0.5)}
    assert {(node["qa_id"], node["confidence"]) for node in row.related_nodes} == {
        (str(qa_id_in(world, document, name)), confidence) for document, name, confidence in own | others
    }
