"""From sections and records to pairs: whose ids are stable, and what becomes of every field."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.ingest.pairs import ROWS_PER_PAIR, PairMaker, moment_of
from functions.ingest.parsing import ParsedDocument, Record, Section
from shared.domain import Metadata, Pair, qa_id_of

DOCUMENT = UUID("6f1c7d0e-6f0f-4a53-9d5c-0c2f5a3b1e11")
QUESTIONS = {"question": "Is it open?", "answer": "Yes."}


def pairs_of(
    *content: Section | Record | Mapping[str, Any], columns: Mapping[str, str] | None = None, **facts: Any
) -> list[Pair]:
    """The pairs of a document with that content; a bare mapping is a record."""
    units = [unit if isinstance(unit, Section | Record) else Record(unit) for unit in content]
    return list(PairMaker(DOCUMENT, ParsedDocument(iter(units), **facts), "guide", columns or {}).pairs())


def pair_of(fields: Mapping[str, Any], **facts: Any) -> Pair:
    (pair,) = pairs_of(fields, **facts)
    return pair


def metadata_of(**fields: Any) -> Metadata:
    return pair_of(QUESTIONS | fields).metadata


# Sections


def test_the_heading_path_is_the_question_of_a_section() -> None:
    (pair,) = pairs_of(Section("Twice a day.", ("Care", "Feeding"), page=3))
    assert (pair.question, pair.response) == ("Care › Feeding", "Twice a day.")
    assert (pair.heading_path, pair.section, pair.page) == (("Care", "Feeding"), "Feeding", 3)


def test_a_section_without_a_heading_asks_the_title_and_last_the_name_of_the_file() -> None:
    assert pairs_of(Section("Text."), title="The manual")[0].question == "The manual"
    assert pairs_of(Section("Text."))[0].question == "guide"


def test_an_empty_section_makes_no_pair() -> None:
    assert pairs_of(Section(" \n\t ", ("Care",))) == []


def test_sections_take_the_metadata_of_their_document() -> None:
    facts = {"category": "kidney", "tags": "a, b", "shelf": {"row": 3}, "author": "the front matter"}
    published = datetime(2024, 3, 1, 12, tzinfo=timezone(timedelta(hours=9)))
    (pair,) = pairs_of(Section("Text."), metadata=facts, author="the file", published_at=published)
    assert pair.metadata == Metadata(
        category="kidney",
        author="the front matter",
        tags=("a", "b"),
        published_at=datetime(2024, 3, 1, 3, tzinfo=UTC),
        extra={"shelf": {"row": 3}},
    )
    assert pairs_of(Section("Text."), author="the file")[0].metadata.author == "the file"


# Ids


def test_equal_content_has_equal_ids_in_every_generation() -> None:
    content: list[Section | Mapping[str, Any]] = [
        Section("Text.", ("Care",)),
        Section("More.", ("Care",)),
        QUESTIONS,
        QUESTIONS,
    ]
    assert [pair.qa_id for pair in pairs_of(*content)] == [pair.qa_id for pair in pairs_of(*content)]


def test_the_id_of_a_record_names_its_pair_whatever_it_says() -> None:
    before = pair_of({"id": "7", "question": "Old?", "answer": "Old."})
    after = pair_of({"id": 7, "question": "New?", "answer": "New."})
    assert before.qa_id == after.qa_id == qa_id_of(DOCUMENT, "id:7")
    assert (before.external_id, after.external_id) == ("7", "7")


def test_without_an_id_the_question_names_the_pair() -> None:
    assert pair_of(QUESTIONS).qa_id == pair_of(QUESTIONS | {"answer": "No."}).qa_id
    assert pair_of(QUESTIONS).qa_id != pair_of(QUESTIONS | {"question": "Is it closed?"}).qa_id


def test_an_id_is_not_mistaken_for_a_question() -> None:
    by_id = pair_of({"id": "x", "question": "y", "answer": "a"})
    assert by_id.qa_id != pair_of({"question": "x", "answer": "a"}).qa_id


def test_a_repeated_question_keeps_each_of_its_answers_under_an_id_of_its_own() -> None:
    answers = ["Yes.", "No.", "Yes.", "Yes."]
    pairs = pairs_of(*(QUESTIONS | {"answer": answer} for answer in answers))
    assert [pair.response for pair in pairs] == answers
    assert len({pair.qa_id for pair in pairs}) == 4


def test_thousands_of_equal_rows_are_all_kept() -> None:
    pairs = pairs_of(*[QUESTIONS | {"answer": "See the manual."}] * 20_000)
    assert len({pair.qa_id for pair in pairs}) == 20_000


def test_a_repeated_record_id_keeps_each_record() -> None:
    pairs = pairs_of({"id": "a", **QUESTIONS}, {"id": "a", "question": "Is it shut?", "answer": "No."})
    assert [pair.external_id for pair in pairs] == ["a", "a"]
    assert len({pair.qa_id for pair in pairs}) == 2


def test_sections_under_the_same_heading_are_all_kept() -> None:
    pairs = pairs_of(*(Section(f"Text {n}.", ("Care",)) for n in range(3)))
    assert len({pair.qa_id for pair in pairs}) == 3


def test_the_second_of_two_equal_questions_keeps_its_id_when_something_comes_between() -> None:
    other = {"question": "Where?", "answer": "Here."}
    first, second = pairs_of(QUESTIONS, QUESTIONS | {"answer": "No."})
    again_first, _, again_second = pairs_of(QUESTIONS, other, QUESTIONS | {"answer": "No."})
    assert (first.qa_id, second.qa_id) == (again_first.qa_id, again_second.qa_id)


@given(st.permutations(range(8)))
def test_the_order_of_unrelated_records_does_not_touch_their_ids(order: list[int]) -> None:
    records: list[dict[str, Any]] = [{"question": f"Question {n}?", "answer": f"Answer {n}."} for n in range(4)]
    records += [{"id": n, "question": "The same?", "answer": "The same."} for n in range(4)]
    by_question = {pair.question + str(pair.external_id): pair.qa_id for pair in pairs_of(*records)}
    shuffled = pairs_of(*(records[place] for place in order))
    assert {pair.question + str(pair.external_id): pair.qa_id for pair in shuffled} == by_question


def test_documents_with_equal_content_have_ids_of_their_own() -> None:
    other = PairMaker(UUID(int=1), ParsedDocument(iter([Record(QUESTIONS)])), "guide", {})
    assert next(other.pairs()).qa_id != pair_of(QUESTIONS).qa_id


# Records


def test_a_chosen_column_goes_before_one_that_looks_right() -> None:
    fields = {"question": "Q-17", "answer": "see text", "Kundenfrage": "Wann?", "Text der Antwort": "Um zehn."}
    (pair,) = pairs_of(fields, columns={"question": "Kundenfrage", "response": "Text der Antwort"})
    assert (pair.question, pair.response) == ("Wann?", "Um zehn.")
    assert pair.metadata.extra == {"question": "Q-17", "answer": "see text"}


def test_a_text_answers_where_there_is_no_answer_and_its_title_asks() -> None:
    pair = pair_of({"title": "Kidneys", "abstract": "They filter blood."})
    assert (pair.question, pair.response) == ("Kidneys", "They filter blood.")
    assert pair.metadata.extra == {}


def test_what_is_neither_question_nor_answer_is_kept_beside_them() -> None:
    pair = pair_of(QUESTIONS | {"title": "Hours", "content": "Open daily.", "shelf": 3, "empty": "", "none": None})
    assert pair.metadata.extra == {"title": "Hours", "content": "Open daily.", "shelf": 3}


def test_an_empty_answer_is_replaced_by_the_text_of_the_record() -> None:
    pair = pair_of({"question": "Is it open?", "answer": " ", "text": "Daily."})
    assert pair.response == "Daily."
    assert pair.metadata.extra == {}


def test_a_record_without_any_answer_makes_no_pair() -> None:
    assert pairs_of({"question": "Is it open?", "answer": None}, {"question": "And now?", "answer": "\t"}) == []


def test_a_record_without_a_question_is_its_answer_alone() -> None:
    pair = pair_of({"answer": "Yes."})
    assert (pair.question, pair.response) == ("", "Yes.")


def test_numbers_and_nested_values_answer_as_a_person_would_write_them() -> None:
    assert pair_of({"question": 42.0, "answer": 0}).response == "0"
    assert pair_of({"question": 42.0, "answer": 0}).question == "42"
    assert pair_of({"question": "?", "answer": ["ten", {"to": "six", "but": None}]}).response == "ten; to: six"


def test_metadata_of_a_record_goes_before_that_of_its_document() -> None:
    facts = {"category": "general", "language": "en", "tags": ["all"], "shelf": 1, "edition": 2}
    pair = pair_of(QUESTIONS | {"category": "kidney", "shelf": 3, "language": ""}, metadata=facts, author="A. Author")
    assert (pair.metadata.category, pair.metadata.language, pair.metadata.author) == ("kidney", "en", "A. Author")
    assert pair.metadata.tags == ("all",)
    assert pair.metadata.extra == {"shelf": 3, "edition": 2}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a, b;c | d", ("a", "b", "c", "d")),
        (["a", " b ", None, "a", ""], ("a", "b")),
        ("한국어,ğüş", ("한국어", "ğüş")),
        (", ;|", ()),
        (None, ()),
        (["50% off", "a|b"], ("50% off", "a|b")),
    ],
)
def test_tags_come_as_a_list_or_as_text(value: Any, expected: tuple[str, ...]) -> None:
    assert metadata_of(tags=value).tags == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-03-01", datetime(2024, 3, 1, tzinfo=UTC)),
        ("2024-03-01T10:00:00+09:00", datetime(2024, 3, 1, 1, tzinfo=UTC)),
        ("2024-03-01 10:00 EST", datetime(2024, 3, 1, 10, tzinfo=UTC)),  # whichever EST is meant
        ("2024-03-01T10:00:00Z", datetime(2024, 3, 1, 10, tzinfo=UTC)),
        ("01.03.2024", datetime(2024, 3, 1, tzinfo=UTC)),
        ("March 2024", datetime(2024, 3, 1, tzinfo=UTC)),
        ("20240301", datetime(2024, 3, 1, tzinfo=UTC)),
        (2024, datetime(2024, 1, 1, tzinfo=UTC)),
        (2024.0, datetime(2024, 1, 1, tzinfo=UTC)),
        (date(2024, 3, 1), datetime(2024, 3, 1, tzinfo=UTC)),
        (datetime(2024, 3, 1, 10), datetime(2024, 3, 1, 10, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-12:00", None),
        ("2024-02-30", None),
        ("2024 00:00 +99:99", None),
        ("17", None),
        ("soon", None),
        ("1" * 5000, None),
        (True, None),
        ([3, 4], None),
        ("", None),
    ],
)
def test_a_date_is_a_moment_in_utc_or_nothing(value: Any, expected: datetime | None) -> None:
    assert metadata_of(date=value).published_at == expected


@given(st.text(max_size=12), st.text(max_size=12))
def test_no_text_is_too_odd_for_a_date(before: str, after: str) -> None:
    found = metadata_of(date=f"{before}2024{after}").published_at
    assert found is None or found.tzinfo == UTC


def test_a_date_is_not_looked_for_in_a_million_digits() -> None:
    assert moment_of("2020 " + "1" * 1_000_000) is None


def test_a_date_that_says_nothing_leaves_that_of_the_document() -> None:
    published = datetime(2020, 1, 1, tzinfo=UTC)
    assert pair_of(QUESTIONS | {"date": "soon"}, published_at=published).metadata.published_at == published


@pytest.mark.parametrize("value", [False, 0, 0.0, "no", " FALSE ", "Hayır", "HAYIR", "inactive", "아니요"])
def test_a_record_can_be_switched_off(value: Any) -> None:
    assert not pair_of(QUESTIONS | {"active": value}).is_active


@pytest.mark.parametrize("value", [True, 1, "yes", "", None, "evet", "예"])
def test_a_record_is_active_unless_it_says_no(value: Any) -> None:
    assert pair_of(QUESTIONS | {"active": value}).is_active


# Relations


def targets(related: Any) -> list[tuple[UUID, str, float]]:
    relations = pair_of({"id": "a", **QUESTIONS, "related": related}).relations
    return [(relation.target_qa_id, relation.type, relation.confidence) for relation in relations]


def of(key: str) -> UUID:
    return pair_of({"id": key, **QUESTIONS}).qa_id


@pytest.mark.parametrize("related", ["b, c", "b;c", ["b", "c"], [{"id": "b"}, {"id": "c"}], ("b", None, "", "c")])
def test_relations_name_records_by_their_ids(related: Any) -> None:
    assert targets(related) == [(of("b"), "related", 1.0), (of("c"), "related", 1.0)]


@pytest.mark.parametrize("related", [7, 7.0, "7", [7], {"id": 7}])
def test_a_single_relation_needs_no_list(related: Any) -> None:
    assert targets(related) == [(of("7"), "related", 1.0)]


def test_a_relation_has_a_type_and_a_confidence_between_zero_and_one() -> None:
    odd = [2, -1, "0.25", "x", None, float("nan"), float("inf"), 10**400, [1]]
    found = targets([{"id": "b", "type": "see", "confidence": value} for value in odd])
    assert [relation[1] for relation in found] == ["see"] * len(odd)
    assert [relation[2] for relation in found] == [1.0, 0.0, 0.25, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("related", [None, "", ",", [], [None], [{}], [{"type": "see"}]])
def test_a_relation_to_nothing_is_none(related: Any) -> None:
    assert targets(related) == []


# Tables of data


def test_rows_without_question_and_answer_become_sections_of_lines() -> None:
    rows = [
        Record({"city": city, "beds": beds}, page=2, section="Sheet 1")
        for city, beds in (("Izmir", 12), ("Bonn", None))
    ]
    (pair,) = pairs_of(*rows)
    assert (pair.question, pair.page) == ("Sheet 1", 2)
    assert pair.response == "city: Izmir; beds: 12\ncity: Bonn"


def test_data_is_cut_into_pairs_of_bounded_size_which_lose_no_row() -> None:
    pairs = pairs_of(*({"city": f"City {n}"} for n in range(2 * ROWS_PER_PAIR + 1)))
    assert [len(pair.response.splitlines()) for pair in pairs] == [ROWS_PER_PAIR, ROWS_PER_PAIR, 1]
    assert len({pair.qa_id for pair in pairs}) == 3
    lines = "\n".join(pair.response for pair in pairs).splitlines()
    assert lines == [f"city: City {n}" for n in range(2 * ROWS_PER_PAIR + 1)]


def test_each_sheet_of_data_is_a_section_of_its_own() -> None:
    pairs = pairs_of(*(Record({"city": name}, section=sheet) for sheet in ("A", "B") for name in ("Bonn", "Izmir")))
    assert [(pair.question, pair.response) for pair in pairs] == [(s, "city: Bonn\ncity: Izmir") for s in ("A", "B")]


def test_data_between_questions_keeps_its_place() -> None:
    pairs = pairs_of(QUESTIONS, {"city": "Bonn"}, Section("Prose.", ("Care",)), {"city": "Izmir"})
    assert [pair.response for pair in pairs] == ["Yes.", "city: Bonn", "Prose.", "city: Izmir"]


# What a store could not hold


def test_nul_and_half_surrogates_are_gone_from_everything_a_record_says() -> None:
    dirty = "a\0b\ud800c"
    fields = dict.fromkeys(("id", "question", "answer", "category", "tags", "other", "nested"), dirty)
    pair = pair_of(fields | {"nested": {dirty: [dirty]}, "related": dirty})
    assert "\0" not in repr(pair) and "\ud800" not in repr(pair)
    assert (pair.question, pair.external_id, pair.metadata.category) == ("ab?c", "ab?c", "ab?c")
    assert pair.metadata.extra == {"other": "ab?c", "nested": {"ab?c": ["ab?c"]}}
    pair.content_hash.encode()


def test_an_id_or_type_too_long_for_an_index_is_clipped_but_still_tells_records_apart() -> None:
    long = "다" * 9_000
    first, second = pairs_of(
        {"id": long + "1", **QUESTIONS, "related": [{"id": "b", "type": long}]}, {"id": long + "2", **QUESTIONS}
    )
    assert first.qa_id != second.qa_id
    assert len(str(first.external_id).encode()) <= 2_000
    assert len(first.relations[0].type.encode()) <= 2_000
