"""Walking a neighbourhood: what is reached, from names and from hits."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID, uuid4

import pytest

from functions.query.graph import FRONTIER, Walker, replace_name, score_pairs
from shared.domain import Bearer, Bot, Edge, GraphLimits, Name, Neighbourhood
from tests.worlds import memory_world


def neighbourhood(bearers: dict[str, list[int]], mentioners: dict[str, list[int]], *relations: Edge) -> Neighbourhood:
    found = Neighbourhood(relations=set(relations))
    for key, pairs in bearers.items():
        for pair in pairs:
            found.add_name(key, UUID(int=pair), "focus")
    for key, pairs in mentioners.items():
        for pair in pairs:
            found.add_name(key, UUID(int=pair), None)
    return found


def order(scores: dict[UUID, float]) -> list[int]:
    return [qa_id.int for qa_id in sorted(scores, key=lambda qa_id: -scores[qa_id])]


def test_a_name_in_the_question_leads_to_its_pair_and_to_whom_that_mentions() -> None:
    graph = neighbourhood({"film": [1], "director": [2], "other": [3]}, {"director": [1], "other": [4]})
    scores = score_pairs(graph, {UUID(int=9): 1.0}, ["film"])
    assert order(scores)[0] == 1
    assert scores.keys() == {UUID(int=1), UUID(int=2), UUID(int=9)}


def test_without_names_the_walk_starts_from_the_hits() -> None:
    graph = neighbourhood({"film": [1], "director": [2]}, {"director": [1]})
    assert order(score_pairs(graph, {UUID(int=1): 2.0, UUID(int=7): 1.0}, [])) == [1, 7, 2]


def test_where_nothing_is_connected_there_is_nothing_to_walk() -> None:
    assert score_pairs(Neighbourhood(), {UUID(int=1): 1.0}, []) == {}
    assert score_pairs(neighbourhood({"film": [1]}, {}), {}, []) == {}


def test_relations_to_oneself_and_in_circles_do_no_harm() -> None:
    one, two = UUID(int=1), UUID(int=2)
    circle = (
        Edge(one, two, "next", 1.0),
        Edge(two, one, "next", 1.0),
        Edge(one, one, "self", 1.0),
        Edge(two, one, "x", 0.0),
    )
    scores = score_pairs(neighbourhood({}, {}, *circle), {one: 1.0}, [])
    assert order(scores) == [1, 2]
    assert sum(scores.values()) == pytest.approx(1.0)


class Endless:
    """A graph in which every pair leads to thousands of others."""

    def __init__(self) -> None:
        self.looks: list[int] = []

    def look_around(
        self, bot: Bot, qa_ids: Collection[UUID], known: Collection[str], limits: GraphLimits
    ) -> Neighbourhood:
        self.looks.append(len(qa_ids))
        found = Neighbourhood()
        for qa_id in qa_ids:
            for number in range(30):
                key = f"{qa_id}-{number}"
                found.add_name(key, qa_id, "focus")
                found.add_name(key, uuid4(), None)
        return found


def test_each_hop_starts_from_a_bounded_number_of_pairs() -> None:
    catalog = Endless()
    walk = Walker(catalog).walk(memory_world().bot, {uuid4(): 1.0 for _ in range(500)}, hops=3)  # type: ignore[arg-type]
    assert catalog.looks == [FRONTIER] * 3
    assert len(walk.best(10)) == 10


@pytest.mark.parametrize(
    ("text", "key", "replaced"),
    [
        ("Is Hyperargininemia inherited?", "hyperargininemia", "Is ARG inherited?"),
        ("what causes brooke-Fordyce disease", "brooke fordyce", "what causes ARG disease"),
        ("Kim이순신인가", "이순 순신", "Kim이순신인가 ARG"),
        ("Nothing of it", "gout", "Nothing of it ARG"),
        ("_ " * 4_000 + "gout", "gout", "_ " * 4_000 + "ARG"),
        ("", "gout", " ARG"),
    ],
)
def test_an_alias_is_replaced_where_it_stands(text: str, key: str, replaced: str) -> None:
    assert replace_name(text, key, "ARG") == replaced


def test_only_what_is_nobodys_own_name_is_replaced() -> None:
    world = memory_world()
    world.put(
        "d.jsonl",
        '{"id": "1", "question": "What is it?", "answer": "A.", "focus": "Gout", "synonyms": ["Podagra"]}\n'
        '{"id": "2", "question": "What is that?", "answer": "B.", "focus": "Arthritis", "synonyms": ["Gout"]}',
    )
    walker, bot = Walker(world.graph), world.refreshed()

    def asked(question: str) -> str:
        return walker.with_own_names(bot, question, walker.names_in(bot, question, lambda word: None))

    assert asked("Who gets Podagra?") == "Who gets Gout?"
    assert asked("Who gets gout?") == "Who gets gout?"
    assert asked("Who gets it?") == "Who gets it?"
    assert walker.with_own_names(bot, "x y", [Bearer(uuid4(), Name("x", "x", "alias"))]) == "x y"


@pytest.mark.parametrize("words_between", [0, 100, 5_000])
def test_names_are_found_at_the_beginning_and_the_end_of_a_long_message(words_between: int) -> None:
    world = memory_world()
    world.put(
        "d.jsonl",
        '{"id": "1", "question": "What is it?", "answer": "A.", "focus": "Wilson disease"}\n'
        '{"id": "2", "question": "What is that?", "answer": "B.", "focus": "Gout"}',
    )
    message = (
        f"She has gout. {'It rained all day. ' * (words_between // 4)}They say that she has Wilson disease. What now?"
    )
    named = Walker(world.graph).names_in(world.refreshed(), message, lambda word: None)
    assert {bearer.name.text for bearer in named} == {"Wilson disease", "Gout"}


@pytest.mark.parametrize(
    ("question", "is_meant"),
    [
        ("Any ideas from Med?", False),  # a word of the language
        ("Is MED inherited?", True),
        ("ANY IDEAS FROM MED?", False),  # capitals say nothing where all are
        ("is nph inherited", True),  # no word
        ("Is NPH inherited?", True),
    ],
)
def test_an_acronym_that_is_a_word_too_is_meant_by_who_writes_it_in_capitals(question: str, is_meant: bool) -> None:
    world = memory_world()
    world.put(
        "d.jsonl", '{"question": "What is it?", "answer": "A.", "focus": "Dysplasia", "synonyms": ["MED", "NPH"]}'
    )
    named = Walker(world.graph).names_in(world.refreshed(), question, {"med": 19_960}.get)
    assert bool(named) == is_meant


def test_a_name_that_many_texts_mention_leads_to_who_bears_it() -> None:
    world = memory_world()
    world.put("d.jsonl", '{"id": "1", "question": "What is it?", "answer": "A.", "focus": "Liver Cancer"}')
    many = (f'{{"id": "{n}", "question": "What is {n}x?", "answer": "Like liver cancer."}}' for n in range(60))
    world.put("many.jsonl", "\n".join(many))
    walker, bot = Walker(world.graph), world.refreshed()
    named = walker.names_in(bot, "Can liver cancer be detected?", lambda word: None)
    assert [(bearer.name.key, bearer.is_mentioned_often) for bearer in named] == [("liver cancer", True)]
    walk = walker.walk(bot, {}, named)
    assert walk.best(5) == [named[0].qa_id]
    assert not walk.neighbourhood.mentioners
