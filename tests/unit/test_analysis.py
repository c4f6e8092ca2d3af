"""Terms: what a passage is found by, and what Postgres is given."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.analysis import MAX_QUERY_TERMS, terms, tsquery_of, tsvector_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Tide, again!", ["the", "tide", "again"]),
        ("İSTANBUL Iğdır ılık IŞIK", ["istanbul", "iğdir", "ilik", "işik"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("ﬁne ２０２４ Ⅳ", ["fine", "2024", "iv"]),
        ("한국어 검색", ["한국", "국어", "검색"]),
        ("물", ["물"]),
        ("東京タワー tower", ["東京", "京タ", "タワ", "ワー", "tower"]),
        ("korean한국어mixed", ["korean", "한국", "국어", "mixed"]),
        ("snake_case a-b c'd", ["snake", "case", "a", "b", "c", "d"]),
        ("", []),
        ("?! … 😀 \x00 \ud800", []),
    ],
)
def test_a_text_has_these_terms(text: str, expected: list[str]) -> None:
    assert list(terms(text)) == expected


@pytest.mark.parametrize(
    ("one", "other"), [("DİYALİZ", "diyaliz"), ("KIZILAY", "kizilay"), ("ı", "İ"), ("é", "e\u0301")]
)
def test_what_a_reader_takes_for_the_same_is_the_same(one: str, other: str) -> None:
    assert list(terms(one)) == list(terms(other))


def test_a_term_is_cut_where_it_is_no_word_any_more() -> None:
    assert list(terms("x" * 100_000)) == ["x" * 64]


def test_positions_are_counted_and_bounded() -> None:
    assert tsvector_of("to be or not to be") == "'to':1,5 'be':2,6 'or':3 'not':4"
    many = tsvector_of("word " * 20_000)
    assert many.count(",") == 254
    assert tsvector_of(" ".join(map(str, range(20_000))) + " end").endswith("'end':16383")


def test_a_question_asks_for_any_of_its_terms_once() -> None:
    assert tsquery_of("When, when is it?") == "'when' | 'is' | 'it'"
    assert tsquery_of("?!") is None
    long = tsquery_of(" ".join(f"word{number}" for number in range(500)))
    assert long is not None
    assert long.count("|") == MAX_QUERY_TERMS - 1


@settings(deadline=None)
@given(text=st.text(max_size=200))
def test_no_text_brings_its_own_syntax(text: str) -> None:
    for written in (tsvector_of(text), tsquery_of(text) or ""):
        assert re.fullmatch(r"('[^\W_]+'(:[\d,]+)?( \| | |$))*", written)


@settings(deadline=None)
@given(text=st.text(max_size=100))
def test_a_question_that_repeats_a_passage_asks_for_its_terms(text: str) -> None:
    asked = set(re.findall("'([^']+)'", tsquery_of(text) or ""))
    assert asked == set(list(dict.fromkeys(terms(text)))[:MAX_QUERY_TERMS])
