from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.ingest.parsing import json_stream, limits
from tests.unit.parsing.samples import read, reason

RECORDS = [{"question": "What is it?", "answer": "That."}, {"question": "Who?", "answer": "Me", "tags": ["a", 1, None]}]


@pytest.mark.parametrize(
    "value",
    [
        RECORDS,
        {"data": RECORDS},
        {"version": 1, "items": RECORDS, "count": 2},
        {"country": "Germany", "hospitals": RECORDS},
        {"response": {"total": 2, "results": RECORDS}},
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_the_records_are_found_where_they_are(value: Any, indent: int | None) -> None:
    assert read("a.json", json.dumps(value, indent=indent)).records == RECORDS


@pytest.mark.parametrize(
    "value",
    [
        {"question": "What?", "answer": "That.", "sources": [{"url": "x"}, {"url": "y"}]},
        {"id": 1, "items": [{"a": 1}]},
        {"a": 1, "b": {"c": [1, 2]}},
        {"data": ["not", "objects"]},
    ],
)
def test_a_single_object_is_one_record(value: dict[str, Any]) -> None:
    assert read("a.json", json.dumps(value)).records == [value]


def test_prose_beside_the_wrapped_records_is_not_lost() -> None:
    note = "A long note about these records. " * 5
    assert note.strip() in read("a.json", json.dumps({"note": note, "data": RECORDS})).text


def test_json_lines_are_records() -> None:
    lines = "\n\n".join(map(json.dumps, RECORDS)) + "\n"
    assert read("a.jsonl", lines).records == RECORDS
    assert read("a.ndjson", "\ufeff" + lines.replace("\n", "\r\n")).records == RECORDS
    assert read("a.json", lines).records == RECORDS


def test_an_array_in_a_json_lines_file_is_read() -> None:
    assert read("a.jsonl", json.dumps(RECORDS, indent=1)).records == RECORDS


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[\n{"a": 1},\n{"b": tru}]', 3),
        ('[{"a": 1},\n\n{"b" 2}]', 3),
        ("nonsense", 1),
        ('{"a": 1,\n}', 2),
        ('[{"a": 1},\n{"a": "never closed', 2),
    ],
)
def test_malformed_json_is_refused_with_its_line(text: str, line: int) -> None:
    assert f"Line {line} of the JSON file" in reason("a.json", text)


def test_a_malformed_line_is_refused_with_its_number() -> None:
    assert "Line 3" in reason("a.jsonl", '{"a": 1}\n\n{"b": \n{"c": 1}\n')


def test_what_holds_no_objects_is_refused() -> None:
    assert "Element 2" in reason("a.json", '[{"a": 1}, 2]')
    assert "neither an object nor an array" in reason("a.json", '"text"')
    assert "Line 2" in reason("a.jsonl", '{"a": 1}\n[1]\n')


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":['])
@pytest.mark.parametrize("depth", [200, 100_000])
def test_deep_nesting_is_refused(name: str, opening: str, depth: int) -> None:
    reason(name, opening * depth)


def test_a_value_nested_deeper_than_a_store_takes_is_refused() -> None:
    value: Any = 1
    for _ in range(limits.MAX_JSON_DEPTH + 1):
        value = {"a": value}
    assert "levels deep" in reason("a.json", json.dumps([value]))


def test_numbers_that_no_store_holds_become_text_or_nothing() -> None:
    digits = "9" * 5_000
    text = f'[{{"a": NaN, "b": -Infinity, "c": {digits}, "d": 1e999, "e": 42.2664, "f": 3, "g": -12}}]'
    (fields,) = read("a.json", text).records
    assert fields == {"a": None, "b": None, "c": digits, "d": "1e999", "e": 42.2664, "f": 3, "g": -12}
    json.dumps(fields, allow_nan=False)


def test_nuls_and_lone_surrogates_never_reach_the_output() -> None:
    (fields,) = read("a.json", '[{"a\\u0000": "x\\ud800y\\u0000", "b": "raw\nbreak"}]').records
    assert fields == {"a": "x\ufffdy", "b": "raw\nbreak"}


def test_a_value_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_RECORD_CHARS", 100_000)
    assert "too large" in reason("a.json", '[{"a": "' + "x" * 1_000_000 + '"}]')
    assert "too large" in reason("a.jsonl", '{"a": "' + "x" * 1_000_000 + '"}')


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from("abcd"), JSON, min_size=1), min_size=1, max_size=6), st.integers(0, 3))
def test_any_array_is_read_whatever_the_size_of_the_pieces(records: list[dict[str, Any]], indent: int) -> None:
    full, piece = [record | {"z": 1} for record in records], json_stream._PIECE_CHARS
    json_stream._PIECE_CHARS = 1
    try:
        found = read("a.json", json.dumps(full, indent=indent or None)).records
    finally:
        json_stream._PIECE_CHARS = piece
    assert [_normal(record) for record in found] == [_normal(record) for record in full]


def _normal(value: Any) -> Any:
    """NFC may rewrite the drawn letters, and 1e16 is drawn as a float but written as one too."""
    import unicodedata

    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, dict):
        return {key: _normal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_normal(item) for item in value]
    return round(value, 9) if isinstance(value, float) and math.isfinite(value) and abs(value) < 1e6 else value
