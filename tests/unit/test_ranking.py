"""Fusion by scores, and one hit for each pair."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.query.ranking import (
    GRAPH,
    GRAPH_CONSTANT,
    LEXICAL,
    NOISE_PLACE,
    READ_PLACES,
    TAIL,
    WEIGHTS,
    Fusion,
    Part,
    Ranked,
    fuse,
    group_by_pair,
    weights_for,
)
from shared.domain import Candidate
from tests.evidence import evidence

DOCUMENT = UUID(int=1)
EQUAL = dict.fromkeys(("one", "two"), 1.0)


def candidate(passage: int, pair: int | None = None, score: float = 0.5) -> Candidate:
    return Candidate(UUID(int=passage), UUID(int=passage if pair is None else pair), DOCUMENT, score)


def passages(ranked: Sequence[Ranked]) -> list[int]:
    return [found.passage_id.int for found in ranked]


def test_each_search_adds_its_weight_times_the_share_of_its_best_score() -> None:
    lists: dict[str, list[Candidate]] = {
        "question": [candidate(1, score=0.8), candidate(2, score=0.4)],
        LEXICAL: [candidate(2, score=12.0)],
    }
    scores = {found.passage_id.int: found.score for found in fuse(lists)}
    assert scores[1] == pytest.approx(WEIGHTS["question"])
    assert scores[2] == pytest.approx(WEIGHTS["question"] * ((1 - TAIL) / 2 + TAIL / 2) + WEIGHTS[LEXICAL])


def test_in_a_long_list_of_vectors_what_stands_deep_is_noise() -> None:
    deep = [candidate(place, score=0.9 - 0.1 * log10(place)) for place in range(1, 2 * NOISE_PLACE)]
    by_meaning = {found.passage_id.int: found.score for found in fuse({"one": deep}, EQUAL)}
    assert by_meaning[10] == pytest.approx(0.5, abs=TAIL)
    assert by_meaning[NOISE_PLACE - 1] < by_meaning[NOISE_PLACE // 2] < 0.2
    assert by_meaning[NOISE_PLACE + 1] < TAIL
    assert passages(fuse({"one": deep}, EQUAL)) == list(range(1, 2 * NOISE_PLACE))
    by_words = {found.passage_id.int: found.score for found in fuse({LEXICAL: deep}, {LEXICAL: 1.0})}
    assert by_words[NOISE_PLACE] > 0.7


def test_a_list_that_is_read_further_is_scored_alike() -> None:
    deep = [candidate(place, score=0.9 - 0.1 * log10(place)) for place in range(1, 2 * NOISE_PLACE)]
    whole = {found.passage_id.int: found.score for found in fuse({"one": deep}, EQUAL)}
    for found in fuse({"one": deep[: max(READ_PLACES)]}, EQUAL):
        assert found.score == whole[found.passage_id.int]


def test_what_was_found_later_adds_to_what_was_found_before() -> None:
    fusion = Fusion(EQUAL)
    fusion.add("one", [candidate(1), candidate(2, score=0.4)])
    assert passages(fusion.ranked()) == [1, 2]
    fusion.add("two", [candidate(2), candidate(3)])
    assert passages(fusion.ranked()) == [2, 1, 3]


def test_a_search_that_is_sure_outweighs_one_that_is_not() -> None:
    sure = [candidate(1, score=9.0), candidate(2, score=1.0)]
    unsure = [candidate(2, score=5.0), candidate(1, score=4.9)]
    assert passages(fuse({"one": sure, "two": unsure}, EQUAL)) == [1, 2]


def test_an_embedder_that_is_not_trusted_weighs_less() -> None:
    weights = weights_for(0.2, is_named=True)
    assert weights["question"] == pytest.approx(0.2 * WEIGHTS["question"])
    assert (weights[LEXICAL], weights[GRAPH]) == (WEIGHTS[LEXICAL], WEIGHTS[GRAPH])


def test_a_walk_from_hits_alone_weighs_less_than_one_from_names() -> None:
    weights = weights_for(1.0, is_named=False)
    assert weights[GRAPH] < WEIGHTS[GRAPH]
    assert {name: weights[name] for name in WEIGHTS if name != GRAPH} == {
        n: w for n, w in WEIGHTS.items() if n != GRAPH
    }


def test_what_both_searches_find_is_before_what_one_finds_first() -> None:
    lists = {"one": [candidate(1), candidate(3)], "two": [candidate(2), candidate(3)]}
    assert passages(fuse(lists, EQUAL))[0] == 3


def test_every_score_is_told() -> None:
    lists = {"one": [candidate(1, score=0.9), candidate(2, score=0.1)], "two": [candidate(1, score=7.0)]}
    first, second = fuse(lists, EQUAL)
    assert {name: part.score for name, part in first.parts.items()} == {"one": 0.9, "two": 7.0}
    assert {name: part.score for name, part in second.parts.items()} == {"one": 0.1}


def test_the_passages_of_a_long_answer_do_not_push_others_down() -> None:
    crowded = [candidate(number, pair=1) for number in range(10, 20)] + [candidate(2, pair=2, score=0.25)]
    scores = {found.passage_id.int: found.score for found in fuse({"one": crowded}, EQUAL)}
    assert scores[2] == pytest.approx((1 - TAIL) / 2 + TAIL / 2)


def test_a_passage_that_a_list_names_twice_counts_once() -> None:
    twice = [candidate(1, score=0.9), candidate(1, score=0.1), candidate(2, score=0.45)]
    first, second = fuse({"one": twice}, EQUAL)
    assert first.parts["one"].score == 0.9
    assert first.score == pytest.approx(1)
    assert second.score == pytest.approx((1 - TAIL) / 2 + TAIL / 2)


def test_of_equal_scores_the_order_is_by_pair_whatever_the_passages_are_called() -> None:
    for names in ((1, 2), (2, 1)):
        lists = {"one": [candidate(names[0], pair=7)], "two": [candidate(names[1], pair=5)]}
        assert passages(fuse(lists, EQUAL)) == [names[1], names[0]]


def test_nothing_found_is_nothing() -> None:
    assert fuse({}) == []
    assert fuse({"question": [], "lexical": []}) == []


LISTS = st.dictionaries(
    st.sampled_from(sorted(WEIGHTS)),
    st.lists(
        st.tuples(st.integers(0, 12), st.floats(-1, 1)).map(lambda pair: candidate(pair[0], score=pair[1])), max_size=15
    ),
)


@settings(deadline=None)
@given(lists=LISTS)
def test_everything_found_is_ranked_once_from_best_to_worst(lists: dict[str, list[Candidate]]) -> None:
    ranked = fuse(lists)
    assert sorted(passages(ranked)) == sorted({c.passage_id.int for candidates in lists.values() for c in candidates})
    assert [found.score for found in ranked] == sorted((found.score for found in ranked), reverse=True)


@settings(deadline=None)
@given(lists=LISTS)
def test_a_score_is_the_sum_of_its_parts_and_each_has_its_rank(lists: dict[str, list[Candidate]]) -> None:
    for found in fuse(lists):
        assert sum(part.added for part in found.parts.values()) == pytest.approx(found.score)
        holding = {name for name, candidates in lists.items() if found.passage_id in {c.passage_id for c in candidates}}
        assert found.parts.keys() == holding
        for name, part in found.parts.items():
            listed = [c.qa_id for c in lists[name]]
            before = listed[: [c.passage_id for c in lists[name]].index(found.passage_id)]
            assert part.rank == len({*before, found.qa_id})


# One hit for each pair


def test_a_pair_is_one_hit_by_its_best_passage() -> None:
    best, other, worse = (evidence("best", qa_id="a"), evidence("other", qa_id="b"), evidence("worse", qa_id="a"))
    ranked = [
        Ranked(found.passage_id, found.pair.qa_id, DOCUMENT, 1.0 - place)
        for place, found in enumerate((best, other, worse))
    ]
    hits = group_by_pair(ranked, {found.passage_id: found for found in (best, other, worse)})
    assert [(hit.evidence.text, hit.score) for hit in hits] == [("best", 1.0), ("other", 0.0)]


def test_a_hit_keeps_the_parts_of_its_passage() -> None:
    known = evidence("known")
    found = Ranked(known.passage_id, known.pair.qa_id, DOCUMENT, 0.3, {"one": Part(7.0, 4, 0.3)})
    (hit,) = group_by_pair([found], {known.passage_id: known})
    assert hit.parts == {"one": Part(7.0, 4, 0.3)}


def test_what_the_catalog_does_not_vouch_for_is_left_out() -> None:
    known = evidence("known")
    ranked = [
        Ranked(UUID(int=9), UUID(int=9), DOCUMENT, 2.0),
        Ranked(known.passage_id, known.pair.qa_id, DOCUMENT, 1.0),
    ]
    assert [hit.evidence for hit in group_by_pair(ranked, {known.passage_id: known})] == [known]
    assert group_by_pair(ranked, {}) == []


def test_pairs_that_a_walk_visits_alike_share_a_rank() -> None:
    alike = [candidate(number, score=0.05) for number in range(1, 11)]
    scores = {found.passage_id.int: found.score for found in fuse({"graph": [*alike, candidate(11, score=0.001)]})}
    assert len({scores[number] for number in range(1, 11)}) == 1
    assert scores[1] == pytest.approx(WEIGHTS["graph"] * GRAPH_CONSTANT / (GRAPH_CONSTANT - 1 + 10 + 0.001 / 0.05))
    assert scores[11] < scores[1]


def test_what_a_walk_visits_most_comes_next_to_what_every_other_search_finds_first() -> None:
    found = [candidate(number, score=1 / number) for number in range(1, 9)]
    walked = [candidate(20, score=0.6), candidate(21, score=0.1)]
    others = {name: found for name in WEIGHTS if name != "graph"}
    assert passages(fuse(others | {"graph": walked}))[:2] == [1, 20]
