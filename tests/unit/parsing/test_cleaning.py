from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.ingest.parsing import Record, Section, limits
from functions.ingest.parsing.cleaning import clean_text, clean_value, finish_content, split_text
from functions.ingest.parsing.facts import parse_date, parse_pdf_date, usable_title
from shared.errors import RejectedDocumentError


@given(st.text(alphabet=st.characters()))
def test_clean_text_is_what_a_database_can_hold(text: str) -> None:
    cleaned = clean_text(text + "\ud800\x00e\u0301")
    cleaned.encode()
    assert unicodedata.is_normalized("NFC", cleaned)
    assert not any(unicodedata.category(character) == "Cc" and character not in "\n\t" for character in cleaned)


@given(st.text(alphabet="ab .\n", max_size=400), st.integers(1, 50))
def test_split_text_keeps_every_letter_within_the_bound(text: str, size: int) -> None:
    parts = list(split_text(text, size))
    assert all(len(part) <= size for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


def test_text_is_split_at_a_paragraph_border() -> None:
    text = "\n\n".join(["word " * 20] * 20)
    parts = list(split_text(text, 500))
    assert all(part.startswith("word") and len(part) <= 500 for part in parts)
    assert len(parts) == 5


def test_a_long_section_continues_under_the_same_heading_and_page() -> None:
    section = Section("A sentence. " * 5_000, ("Heading",), 7)
    parts = [item for item in finish_content(iter([section])) if isinstance(item, Section)]
    assert len(parts) == 4
    assert all(len(part.text) <= limits.MAX_SECTION_CHARS for part in parts)
    assert {(part.heading_path, part.page) for part in parts} == {(("Heading",), 7)}
    assert all(part.text.endswith("sentence.") for part in parts)


def test_records_are_cleaned_to_their_depth() -> None:
    record = Record({"a\x00": ["x\x00", {"b": "\ud83d"}], "when": date(2024, 3, 1), "n": float("nan"), "i": 3})
    (cleaned,) = finish_content(iter([record]))
    assert isinstance(cleaned, Record)
    assert cleaned.fields == {"a": ["x", {"b": "\ufffd"}], "when": "2024-03-01", "n": None, "i": 3}


def test_deep_values_are_refused() -> None:
    value: object = "x"
    for _ in range(limits.MAX_JSON_DEPTH + 2):
        value = [value]
    with pytest.raises(RejectedDocumentError, match="levels deep"):
        clean_value(value)


@pytest.mark.parametrize(
    "title",
    ["Microsoft Word - foo.docx", "untitled", "Untitled-1", "report.pdf", "", "  ", "PowerPoint.pptx", "Document1"],
)
def test_a_title_made_by_a_program_is_none(title: str) -> None:
    assert usable_title(title) is None


def test_a_real_title_stays() -> None:
    assert usable_title(" Living with\nkidney disease ") == "Living with kidney disease"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-03-01", datetime(2024, 3, 1, tzinfo=UTC)),
        ("2024-03-01T10:00:00+02:00", datetime(2024, 3, 1, 8, tzinfo=UTC)),
        ("01.03.2024", datetime(2024, 3, 1, tzinfo=UTC)),
        ("March 1, 2024", datetime(2024, 3, 1, tzinfo=UTC)),
        ("Fri, 01 Mar 2024 10:00:00 GMT", datetime(2024, 3, 1, 10, tzinfo=UTC)),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_dates_of_pages_are_read(text: str | None, expected: datetime | None) -> None:
    assert parse_date(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("D:20171211093519-06'00'", datetime(2017, 12, 11, 15, 35, 19, tzinfo=UTC)),
        ("D:20201002001208Z", datetime(2020, 10, 2, 0, 12, 8, tzinfo=UTC)),
        ("D:2020", datetime(2020, 1, 1, tzinfo=UTC)),
        ("D:20209999", None),
        ("rubbish", None),
    ],
)
def test_dates_of_pdfs_are_read(text: str, expected: datetime | None) -> None:
    assert parse_pdf_date(text) == expected
