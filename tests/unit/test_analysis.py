"""Terms: what a passage is found by, and what Postgres is given."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.analysis import MAX_QUESTION_TERMS, question_terms, terms, terms_of_passage, tsquery_of


def flat(question: str) -> set[str]:
    return {term for forms in question_terms(question) for term in forms}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Tides, again!", ["the", "tide", "again"]),
        (
            "İSTANBUL'da Iğdır ılık bir IŞIK",
            [
                *("ist~", "ista~", "istanb~", "igd~", "igdi~", "igdir", "ili~", "ilik~", "ilik"),
                *("bir~", "bir", "isi~", "isik~", "isik"),
            ],
        ),
        ("die Straße, die STRASSE", ["die~", "die", "str~", "stra~", "strass~"] * 2),
        ("studies", ["studi"]),  # plain letters without a function word: taken for English
        ("ﬁne ２０２４ Ⅳ", ["fine", "2024", "iv"]),
        ("한국어 검색", ["한국", "국어", "검색"]),
        ("물", ["물"]),
        ("東京タワー tower", ["東京", "京タ", "タワ", "ワー", "tow~", "towe~", "tower"]),
        ("ガ", ["ガ"]),
        ("ภาษา", ["ภา", "าษ", "ษา"]),
        ("the korean한국어mixed", ["the", "korean", "한국", "국어", "mix"]),
        ("snake_case a-b c'd é", ["sna~", "snak~", "snake", "cas~", "case~", "case", "a", "b", "c", "d", "e"]),
        ("PCDH19 5mg", ["pcdh", "19", "pcdh19", "5", "mg", "5mg"]),
        ("Crohn's and l'eau", ["crohn", "and", "l", "eau"]),
        ("भाषा में।", ["भाष~", "भाषा~", "भाषा", "में~", "में"]),
        ("الكِتَاب", ["الك~", "الكت~", "الكتاب~"]),
        ("", []),
        ("?! … 😀 \x00 \ud800", []),
    ],
)
def test_a_text_has_these_terms(text: str, expected: list[str]) -> None:
    assert list(terms(text)) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("bir DİYALİZ", "bir diyaliz"),
        ("KIZILAY", "kizilay"),
        ("ı", "İ"),
        ("é", "e\u0301"),
        ("bir şişmanlık", "bir SISMANLIK"),
        ("o kitaplarımızdan", "o kitapların"),
        ("the treatments", "the treatment"),
        ("die Öffnung", "die offnung"),
    ],
)
def test_what_a_reader_takes_for_the_same_is_the_same(one: str, other: str) -> None:
    assert list(terms(one)) == list(terms(other))


def test_diacritics_that_tell_words_apart_are_kept() -> None:
    assert list(terms("bạn bán bàn")) == ["bạn~", "bạn", "bán~", "bán", "bàn~", "bàn"]


def test_a_number_is_cut_where_it_is_none_any_more() -> None:
    assert list(terms("7" * 100_000)) == ["7" * 64]
    assert [len(term) for term in terms("7a" * 100_000)][-1] == 64


def test_positions_are_counted_and_bounded() -> None:
    assert terms_of_passage("", "or not to be, or") == ("'or':1,5 'not':2 'to':3 'be':4", 5)
    many, count = terms_of_passage("", "word " * 20_000)
    assert (many.count(","), count) == (254, 20_000)
    lexemes, _ = terms_of_passage("", " ".join(map(str, range(20_000))) + " end")
    assert lexemes.endswith("'end':16383")


def test_a_word_of_the_question_counts_as_three_and_no_phrase_goes_from_one_to_the_next() -> None:
    assert terms_of_passage("to be", "not to be") == ("'not':1 'to':2,5,8,11 'be':3,6,9,12", 9)
    assert terms_of_passage("Gut nedir?", "Eklem ağrısı.") == terms_of_passage("GUT NEDIR", "eklem agrisi")


def test_a_question_of_a_million_words_leaves_lexemes_that_postgres_takes() -> None:
    lexemes, _ = terms_of_passage(" ".join(f"{n}a" for n in range(1_000_000)), "Because.")
    assert len(lexemes.encode()) < 1_000_000


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is the cause of gout?", [("caus", "cause"), ("cau~",), ("caus~",), ("gout",), ("gou~",), ("gout~",)]),
        ("Gut nedir, nasıl olur?", [("gut",), ("gut~",)]),
        ("Was ist eine Gicht?", [("gicht",), ("gic~",), ("gich~",)]),
        ("Qu'est-ce que la goutte ?", [("goutt", "goutte~"), ("gou~",), ("gout~",)]),
        ("¿Qué es la gota?", [("gota",), ("got~",), ("gota~",)]),
        ("통풍은 무엇인가요?", [("통풍",), ("풍은",)]),
        ("How do men die?", [("men",), ("men~",), ("die",), ("die~",)]),  # an article in German
        ("der die das", [("der",), ("der~",), ("die",), ("die~",), ("das",), ("das~",)]),  # never all of them
        ("who is it", [("who",), ("who~",), ("is",), ("it",)]),
        ("gout gout GOUT", [("gout",), ("gou~",), ("gout~",)]),
        ("?!", []),
        ("", []),
    ],
)
def test_a_question_asks_for_what_it_is_about(question: str, expected: list[tuple[str, ...]]) -> None:
    assert question_terms(question) == expected


@pytest.mark.parametrize(
    ("question", "passage"),
    [
        ("Parkinson nedir?", "Parkinson's is a disease of the brain."),
        ("What is Parkinson?", "Parkinson bir beyin hastalığıdır."),
        ("treatments", "The treatment of gout."),
        ("What are treatments of gout?", "Gout treatment"),
        ("böbreğin hastalıkları", "Böbrek hastalığı ve tedavisi"),
        ("kalem", "kalemlerimiz için"),
    ],
)
def test_a_question_meets_a_passage_of_another_form_or_language(question: str, passage: str) -> None:
    assert flat(question) & set(terms(passage))


def test_a_question_of_ten_thousand_words_asks_for_its_first_ones() -> None:
    assert len(question_terms(" ".join(f"{number}" for number in range(10_000)))) == MAX_QUESTION_TERMS


@settings(deadline=None)
@given(text=st.text(max_size=200))
def test_no_text_brings_its_own_syntax(text: str) -> None:
    lexemes, _ = terms_of_passage("", text)
    assert re.fullmatch(r"('[^'\\\s:&|!()<>*]+':[\d,]+( |$))*", lexemes)
    assert re.fullmatch(r"('[^'\\\s:&|!()<>*]+'( & |$))*", tsquery_of(sorted(flat(text))))


@settings(deadline=None)
@given(text=st.text(max_size=100))
def test_a_question_that_repeats_a_passage_asks_for_its_terms(text: str) -> None:
    assert bool(question_terms(text)) == bool(list(terms(text)))
    found = set(terms(text))
    assert not found or flat(text) & found
