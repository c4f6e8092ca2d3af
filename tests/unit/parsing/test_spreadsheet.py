from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

import pytest

from functions.ingest.parsing import Record, limits
from tests.unit.parsing.samples import archive, read, reason, unpacked, workbook


def test_rows_become_records_of_their_sheet() -> None:
    data = workbook(
        {"CKD": [["Stage", "Share"], ["1\u20134", 42.2664], ["5", 3.0]], "Other": [["a", "b"], [1, 2], [3, 4]]}
    )
    items = [item for item in read("a.xlsx", data).items if isinstance(item, Record)]
    assert [(item.section, item.fields) for item in items] == [
        ("CKD", {"Stage": "1\u20134", "Share": 42.2664}),
        ("CKD", {"Stage": "5", "Share": 3}),
        ("Other", {"a": 1, "b": 2}),
        ("Other", {"a": 3, "b": 4}),
    ]


def test_values_appear_as_in_the_sheet() -> None:
    row = [0.1 + 0.2, 3.0, True, datetime(2024, 3, 1, 10, 30), date(2024, 3, 1), time(10, 30), " x ", 1e15]
    data = workbook({"S": [list("abcdefgh"), row, row]})
    fields = read("a.xlsx", data).records[0]
    assert fields == {
        "a": 0.3,
        "b": 3,
        "c": True,
        "d": "2024-03-01T10:30:00",
        "e": "2024-03-01",
        "f": "10:30:00",
        "g": "x",
        "h": 1e15,
    }
    assert str(fields["b"]) == "3"


def test_notes_above_the_table_are_a_section_of_the_sheet() -> None:
    rows: list[list[Any]] = [
        ["Prevalence of CKD"],
        ["Source:", "CDC"],
        [],
        ["Stage", "Share", "Year"],
        ["1", 2, 3],
        ["2", 3, 4],
    ]
    parsed = read("a.xlsx", workbook({"Data": rows}))
    assert [(section.heading_path, section.text) for section in parsed.sections] == [
        (("Data",), "Prevalence of CKD\nSource:; CDC")
    ]
    assert parsed.records == [{"Stage": "1", "Share": 2, "Year": 3}, {"Stage": "2", "Share": 3, "Year": 4}]


def test_a_sheet_of_notes_is_a_section() -> None:
    parsed = read("a.xlsx", workbook({"Footnotes": [["Footnotes:"], ["Stages 1 and 2 are mild."]]}))
    assert parsed.by_heading == {("Footnotes",): "Footnotes:\nStages 1 and 2 are mild."}


def test_empty_rows_are_skipped_and_names_made_unique() -> None:
    rows: list[list[Any]] = [["a", None, "a"], [None, None, None], [1, 2, 3], ["", " ", None], [4, None, 6]]
    assert read("a.xlsx", workbook({"S": rows})).records == [{"a": 1, "column 2": 2, "a (2)": 3}, {"a": 4, "a (2)": 6}]


def test_an_empty_workbook_is_refused() -> None:
    assert "no text" in reason("a.xlsx", workbook({"S": []}))


def sheet(cells: str) -> bytes:
    """A workbook whose only sheet holds this XML."""
    members = unpacked(workbook({"S": [["x"]]}))
    name = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    xml = f'<worksheet xmlns="{name}"><sheetData>{cells}</sheetData></worksheet>'
    members["xl/worksheets/sheet1.xml"] = xml.encode()
    return archive(members)


@pytest.mark.parametrize(
    "last", ["<row r='1048576'><c r='XFD1048576'><v>2</v></c></row>", "<row r='9999999'><c><v>1</v></c></row>"]
)
def test_cells_in_opposite_corners_are_refused_before_memory_is_asked_for(last: str) -> None:
    data = sheet('<row r="1"><c r="A1"><v>1</v></c><c r="ZZ1"><v>1</v></c></row>' + last)
    assert "cells" in reason("a.xlsx", data)


def test_cells_far_from_the_corner_but_near_each_other_are_read() -> None:
    rows = "".join(f'<row r="{1_000_000 + row}"><c r="XFA{1_000_000 + row}"><v>7</v></c></row>' for row in range(3))
    assert read("a.xlsx", sheet(rows)).sections[0].text == "7\n7\n7"


def test_a_bomb_is_refused_whatever_size_it_declares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_ARCHIVE_BYTES", 1_000_000)
    members = unpacked(workbook({"S": [["a", "b"]]}))
    members["xl/worksheets/sheet9.xml"] = b"<x>" + b" " * 3_000_000
    data = bytearray(archive(members))
    declared = (3_000_003).to_bytes(4, "little")
    assert data.count(declared) == 2
    assert "too large when uncompressed" in reason("a.xlsx", bytes(data))
    assert "too large when uncompressed" in reason("a.xlsx", bytes(data.replace(declared, (10).to_bytes(4, "little"))))


def test_a_workbook_with_broken_xml_is_refused_as_damaged() -> None:
    assert "damaged" in reason("a.xlsx", sheet("<row><c r='A1'"))
