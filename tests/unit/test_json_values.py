"""Values that both stores keep alike."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.ingest.json_values import MAX_DEPTH, clean, plain_text, plain_value

LETTERS = st.text(st.characters(codec=None, exclude_categories=()), max_size=12)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | LETTERS | st.datetimes() | st.binary(max_size=8)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(LETTERS, inner, max_size=4), max_leaves=20
)


def nested(depth: int) -> Any:
    value: Any = "core"
    for _ in range(depth):
        value = [value]
    return value


def depth_of(value: Any) -> int:
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (False, False),
        (0, 0),
        (2**53, 2**53),
        (-(2**53), -(2**53)),
        (2**53 + 1, "9007199254740993"),
        (10**400, "1" + "0" * 400),
        (0.1, 0.1),
        (5e-324, 5e-324),
        (123456789012345.6, 123456789012345.6),
        (1e22, "1e+22"),
        (-1e15, "-1000000000000000.0"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (float("-inf"), "-inf"),
        ("한국어 ğüş 😀", "한국어 ğüş 😀"),
        (" spaces stay ", " spaces stay "),
        ((1, "b"), [1, "b"]),
        ({1: {None: "x"}}, {"1": {"None": "x"}}),
        (date(2024, 3, 1), "2024-03-01"),
        (datetime(2024, 3, 1, 10, tzinfo=UTC), "2024-03-01T10:00:00+00:00"),
        (time(10, 30), "10:30:00"),
        (Decimal("1.50"), "1.50"),
        (b"bytes", "b'bytes'"),
    ],
)
def test_a_value_becomes_json_that_every_store_keeps(value: Any, expected: Any) -> None:
    made = plain_value(value)
    assert made == expected
    assert type(made) is type(expected)


def test_minus_zero_loses_its_sign() -> None:
    made = plain_value(-0.0)
    assert isinstance(made, float)
    assert math.copysign(1, made) == 1


@given(VALUES)
def test_whatever_comes_in_goes_through_json_and_utf8_unchanged(value: Any) -> None:
    made = plain_value(value)
    written = json.dumps(made, allow_nan=False, ensure_ascii=False)
    assert json.loads(written.encode()) == made
    assert "\0" not in written and "\\u0000" not in written


@given(VALUES)
def test_a_plain_value_is_already_plain(value: Any) -> None:
    once = plain_value(value)
    assert plain_value(once) == once


def test_what_is_nested_too_deep_becomes_text() -> None:
    assert plain_value(nested(MAX_DEPTH)) == nested(MAX_DEPTH)
    deeper = plain_value(nested(MAX_DEPTH + 3))
    assert depth_of(deeper) == MAX_DEPTH
    assert "core" in str(deeper)
    assert depth_of(plain_value(nested(500))) == MAX_DEPTH


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        ("", ""),
        ("  text \n", "text"),
        (0, "0"),
        (7.0, "7"),
        (-0.0, "0"),
        (2.5, "2.5"),
        (1e22, "1e+22"),
        (float("nan"), "nan"),
        (True, "True"),
        (10**400, "1" + "0" * 400),
        (["a", None, "", ["b", "c"]], "a; b; c"),
        ({"from": 10, "to": None, "days": ["Mon", "Tue"]}, "from: 10; days: Mon; Tue"),
        (date(2024, 3, 1), "2024-03-01"),
        ([], ""),
        ({}, ""),
    ],
)
def test_a_value_as_a_person_would_write_it(value: Any, expected: str) -> None:
    assert plain_text(value) == expected


def test_text_that_is_nested_too_deep_is_left_out() -> None:
    assert plain_text(nested(MAX_DEPTH)) == "core"
    assert plain_text(nested(MAX_DEPTH + 1)) == ""
    assert plain_text(["kept", nested(100)]) == "kept"


@given(LETTERS)
def test_cleaning_takes_away_nul_and_half_surrogates_alone(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    assert cleaned == "".join("?" if "\ud800" <= letter <= "\udfff" else letter for letter in text if letter != "\0")
