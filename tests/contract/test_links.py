"""Links between documents as edges of the graph, over twins and real stores alike."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import permutations
from uuid import UUID

import pytest

from functions.query.graph import Walker
from shared.domain import GraphLimits
from tests.worlds import World

LIMITS = GraphLimits()
CARE, LAMP, RULES, CHAIN = "/guides/care#care", "/guides/care#lamp", "/guides/rules#rules", "/guides/rules#the-chain"
DOCUMENTS: Mapping[str, str] = {
    "guides/care.md": "# Care\n\nClean it weekly, and [oil it](rules.md#the-chain).\n\n## Lamp\n\nIt shines.\n",
    "guides/rules.md": "# Rules\n\nThere are two.\n\n## The chain\n\nIt has an oil of its own.\n",
}


def at(world: World, address: str) -> UUID:
    """The one live pair that has the address."""
    bot = world.refreshed()
    bearers = {bearer.qa_id for bearer in world.graph.bearers(bot, {address}, LIMITS)}
    (passage,) = world.graph.first_passages(bot, bearers)
    return passage.qa_id


def links(world: World, *addresses: str) -> set[tuple[str, str]]:
    """Between the live pairs at those addresses."""
    bot, places = world.refreshed(), {at(world, address): address for address in addresses}
    contents = {p.own_qa_id: p.since_generation for p in world.graph.first_passages(bot, places)}
    names = world.graph.look_around(bot, list(places), (), LIMITS).names
    found = world.graph.edges_between(bot, contents, names, LIMITS)
    assert all(edge.confidence == 0.7 for edge in found if edge.type == "link")
    return {(places[e.source_qa_id], places[e.target_qa_id]) for e in found if e.type == "link"}


@pytest.fixture
def library(world: World) -> World:
    for name, text in DOCUMENTS.items():
        world.put(name, text)
    return world


@pytest.mark.parametrize("order", list(permutations(DOCUMENTS)), ids="-then-".join)
def test_a_link_leads_to_the_section_and_its_document_whichever_comes_first(
    world: World, order: tuple[str, ...]
) -> None:
    for name in order:
        world.put(name, DOCUMENTS[name])
    assert links(world, CARE, LAMP, RULES, CHAIN) == {(CARE, RULES), (CARE, CHAIN)}


def test_a_walk_follows_a_link_to_the_section_first(library: World) -> None:
    scores = Walker(library.graph).walk(library.refreshed(), {at(library, CARE): 1.0}).scores
    assert scores[at(library, CHAIN)] > scores[at(library, RULES)] > 0


def test_a_walk_goes_back_along_a_link(library: World) -> None:
    scores = Walker(library.graph).walk(library.refreshed(), {at(library, CHAIN): 1.0}).scores
    assert scores[at(library, CARE)] > 0


def test_a_link_waits_for_a_document_that_went_and_comes_again(library: World) -> None:
    library.remove("guides/rules.md")
    library.sync()
    assert library.graph.bearers(library.refreshed(), {CHAIN}, LIMITS) == []
    library.put("guides/rules.md", DOCUMENTS["guides/rules.md"])
    assert links(library, CARE, RULES, CHAIN) == {(CARE, RULES), (CARE, CHAIN)}


def test_a_link_that_was_changed_leads_elsewhere(library: World) -> None:
    text = DOCUMENTS["guides/care.md"]
    library.put("guides/care.md", text.replace("rules.md#the-chain", "#lamp"))
    library.sync()
    assert links(library, CARE, LAMP, RULES, CHAIN) == {(CARE, LAMP)}


def test_a_section_that_was_renamed_is_reached_by_its_document(library: World) -> None:
    library.put("guides/rules.md", DOCUMENTS["guides/rules.md"].replace("The chain", "Oiling"))
    library.sync()
    assert links(library, CARE, RULES, "/guides/rules#oiling") == {(CARE, RULES), (CARE, "/guides/rules#oiling")}


def test_pages_are_reached_by_the_url_that_they_say_is_theirs(world: World) -> None:
    head = '<link rel="canonical" href="https://www.example.org/{}/">'
    world.put("1.html", f"{head.format('care')}<h1>Care</h1><p>See <a href='/rules'>the rules</a>, all of them.</p>")
    world.put("2.html", f"{head.format('rules')}<h1>Rules</h1><p>There are two of them, and no more.</p>")
    assert links(world, "/1#care", "/2#rules") == {("/1#care", "/2#rules")}


def test_sections_of_a_document_that_nobody_links_to_are_not_linked_to_each_other(world: World) -> None:
    world.put("guides/rules.md", DOCUMENTS["guides/rules.md"])
    assert links(world, RULES, CHAIN) == set()


def test_a_document_of_many_sections_is_reached_by_the_link_to_one(world: World) -> None:
    many = "".join(f"# Rule {number}\n\nIt is number {number}.\n\n" for number in range(LIMITS.pairs_per_name + 1))
    world.put("guides/rules.md", many)
    world.put("guides/care.md", "# Care\n\nSee [rule 7](rules.md#rule-7) before you begin.\n")
    assert links(world, CARE, "/guides/rules#rule-7", "/guides/rules#rule-8") == {(CARE, "/guides/rules#rule-7")}


@pytest.mark.parametrize(
    ("before", "after"), [("(rules.md#the-chain)", "(other.md)"), ("[oil it](rules.md#the-chain)", "oil it")]
)
def test_a_change_of_a_link_alone_brings_back_nothing_that_was_removed(library: World, before: str, after: str) -> None:
    own = library.documents.own_pair(library.refreshed(), at(library, CARE))
    assert own is not None
    library.put(f".corrections/{own.pair.qa_id}.json", json.dumps({"base": own.content_hash, "removed": True}))
    library.put("guides/care.md", DOCUMENTS["guides/care.md"].replace(before, after))
    assert library.reading.pair(library.refreshed(), own.pair.qa_id) is None
    assert not any("weekly" in answer for answer in library.answers("Clean it weekly, and oil it."))


def test_a_corrected_section_keeps_its_links(library: World) -> None:
    own = library.documents.own_pair(library.refreshed(), at(library, CARE))
    assert own is not None
    assert (own.pair.addresses, own.pair.links) == (("/guides/care", CARE), ("/guides/rules", CHAIN))
    correction = {"base": own.content_hash, "answer": "Clean it daily."}
    library.put(f".corrections/{own.pair.qa_id}.json", json.dumps(correction))
    bot = library.refreshed()
    both = {bearer.qa_id for bearer in library.graph.bearers(bot, {CARE}, LIMITS)}
    assert len(both) == 2  # the section as its document has it, and the correction
    assert library.graph.look_around(bot, [at(library, CHAIN)], (), LIMITS).mentioners[CHAIN] == both


def test_links_that_lead_nowhere_take_no_place_of_names_that_lead_somewhere(world: World) -> None:
    dead = ", ".join(f"[{number}](https://example.org/{number})" for number in range(30))
    world.put("care.md", f"# Care\n\nThe Hub Gear needs grease. See {dead}.\n")
    world.put("gears.jsonl", '{"title": "Hub Gear", "text": "It has three speeds."}')
    few = GraphLimits(names_per_pair=3, names=3)
    around = world.graph.look_around(world.refreshed(), [at(world, "/care#care")], (), few)
    assert "hub gear" in around.bearers


def test_links_of_one_bot_do_not_lead_into_another(library: World) -> None:
    other = library.register("other")
    assert library.graph.bearers(other, {CHAIN}, LIMITS) == []
