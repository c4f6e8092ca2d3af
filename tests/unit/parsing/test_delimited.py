from __future__ import annotations

import pytest

from functions.ingest.parsing import limits
from tests.unit.parsing.samples import read, reason


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_the_delimiter_is_found(delimiter: str, name: str) -> None:
    lines = [["question", "answer"], ["What is it, exactly?", "It is 1,5 of; that"], ["Who?", "Me"]]
    quoted = [delimiter.join(f'"{cell}"' for cell in line) for line in lines]
    assert read(name, "\n".join(quoted)).records == [
        {"question": "What is it, exactly?", "answer": "It is 1,5 of; that"},
        {"question": "Who?", "answer": "Me"},
    ]


def test_quoted_commas_quotes_and_line_breaks_belong_to_the_field() -> None:
    text = 'q,a\r\n"one, two","he said ""yes""\r\nand left"\r\nx,y\r\n'
    assert read("a.csv", text).records == [
        {"q": "one, two", "a": 'he said "yes"\nand left'},
        {"q": "x", "a": "y"},
    ]


def test_empty_rows_and_cells_are_skipped() -> None:
    assert read("a.csv", "a,b\n\n1,\n,,\n , \n,2\n").records == [{"a": "1"}, {"b": "2"}]


def test_duplicate_and_empty_names_are_made_unique() -> None:
    assert read("a.csv", "A,A,,A\n1,2,3,4\n").records == [{"A": "1", "A (2)": "2", "column 3": "3", "A (3)": "4"}]


def test_a_row_longer_than_the_header_loses_nothing() -> None:
    assert read("a.csv", "a,b\n1,2,3\n4,5\n").records == [{"a": "1", "b": "2", "column 3": "3"}, {"a": "4", "b": "5"}]


def test_a_table_of_numbers_has_no_header() -> None:
    assert read("a.csv", "1,2\n3,4\n").records == [
        {"column 1": "1", "column 2": "2"},
        {"column 1": "3", "column 2": "4"},
    ]


def test_notes_above_the_table_are_a_section() -> None:
    parsed = read("a.csv", "Prevalence of CKD\nSource: CDC\n\nstage,share\n1,2.5\n2,3.5\n")
    assert parsed.sections[0].text == "Prevalence of CKD\nSource: CDC"
    assert parsed.records == [{"stage": "1", "share": "2.5"}, {"stage": "2", "share": "3.5"}]


def test_a_single_column_is_a_table_too() -> None:
    assert read("a.csv", "text\none\ntwo\n").records == [{"text": "one"}, {"text": "two"}]


def test_a_cell_of_html_leaves_its_text() -> None:
    text = 'q,a\n"<p>What &amp; why?</p>",a < b and b > c\n'
    assert read("a.csv", text).records == [{"q": "What & why?", "a": "a < b and b > c"}]


def test_a_quotation_mark_that_is_never_closed_is_refused_with_its_line() -> None:
    text = 'q,a\nx,"y\nz"\nx,"open\n' + "more,rows\n" * 50
    assert "line 4" in reason("a.csv", text)


def test_a_quotation_mark_inside_a_field_is_part_of_it() -> None:
    assert read("a.csv", 'q,a\n5" pipe,"x" y\n').records == [{"q": '5" pipe', "a": "x y"}]


def test_a_header_without_rows_is_refused() -> None:
    assert "no rows" in reason("a.csv", "question,answer\n")


def test_nuls_do_not_stop_the_reader() -> None:
    assert read("a.csv", "question,answer\nwh\0at,that\n").records == [{"question": "what", "answer": "that"}]


def test_a_field_or_a_row_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_RECORD_CHARS", 1_000)
    monkeypatch.setattr(limits, "MAX_COLUMNS", 100)
    assert "Line 2" in reason("a.csv", 'q,a\n"' + "x" * 3_000)
    assert "columns" in reason("a.csv", "q,a\n" + "x," * 300)
