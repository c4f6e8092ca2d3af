"""Which passages are ranked at all: few, and those that can come far."""

from __future__ import annotations

from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.catalog.lexical import MAX_CONJUNCTIONS, MAX_RANKED_TERMS, TermStatistics, choose_conjunctions

PASSAGES = 50_000


def chosen(containing: dict[str, int], expected: int = 1_500) -> list[tuple[str, ...]]:
    statistics = TermStatistics(PASSAGES, 100.0, containing)
    return choose_conjunctions(statistics, containing, expected)


@pytest.mark.parametrize(
    ("containing", "expected"),
    [
        ({"rare": 20}, [("rare",)]),
        ({"rare": 20, "mid": 900, "common": 20_000}, [("rare",), ("mid",)]),
        ({"mid": 900, "other": 900}, [("mid",)]),  # both together would be too many: the rarer of them
        ({"rare": 20, "a": 5_000, "b": 5_000}, [("rare",), ("a", "b")]),
        ({"a": 20_000, "b": 25_000}, [("a", "b")]),  # nothing is rare enough: whatever holds all
        ({"a": 50_000}, [("a",)]),
        ({"a": 1, "b": 1, "unknown": 1}, [("a",), ("b",), ("unknown",)]),
        ({"mid": 1_000, "a": 2_000, "b": 5_000}, [("mid",), ("a", "b")]),
        ({"mid": 1_200, "a": 2_000, "b": 5_000}, [("mid",)]),  # most of what is expected is found
    ],
)
def test_the_rarest_terms_choose(containing: dict[str, int], expected: list[tuple[str, ...]]) -> None:
    assert chosen(containing) == expected


def test_a_long_question_is_ranked_by_its_rarest_terms_and_last_by_those_that_no_passage_has() -> None:
    statistics = TermStatistics(PASSAGES, 100.0, {f"t{n}": n + 1 for n in range(500)})
    asked = [(f"{kind}{n}",) for kind in ("unknown", "t") for n in range(500)]
    assert list(statistics.weights(asked)) == [f"t{n}" for n in range(MAX_RANKED_TERMS)]
    assert list(statistics.weights([("unknown",), ("t499",)])) == ["t499", "unknown"]


def test_forms_of_one_word_weigh_what_the_word_does() -> None:
    statistics = TermStatistics(PASSAGES, 100.0, {"parkinson": 900, "parki~": 3, "both": 903})
    weights = statistics.weights([("parkinson", "parki~"), ("both",)])
    assert weights["parkinson"] == weights["parki~"] == weights["both"]


@given(st.dictionaries(st.text("abc", min_size=1), st.integers(1, PASSAGES), min_size=1, max_size=40))
def test_never_too_many_and_never_none(containing: dict[str, int]) -> None:
    found = chosen(containing)
    assert found
    assert len(found) <= max(MAX_CONJUNCTIONS, MAX_RANKED_TERMS)
    expected = [PASSAGES * prod(containing[term] / PASSAGES for term in conjunction) for conjunction in found]
    assert sum(expected) <= 1_501 or len(found) == 1
    assert not any(set(one) < set(other) for one in found for other in found)
