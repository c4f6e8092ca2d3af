"""Rows of the index: they fit, they say what the catalog says, and the same content gives the same hash."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain import IndexRow, Metadata, Pair, Passage, Relation
from shared.rows import (
    FIELD_BYTES,
    METADATA_BYTES,
    NO_DATE,
    RELATED_NODES,
    clip,
    make_row,
    related_nodes_of,
    seconds_of,
    tag_token,
    text_hash_of,
)

IDS = {name: UUID(int=number) for number, name in enumerate(("deployment_id", "bot_id", "document_id"), start=1)}
PASSAGE = Passage(UUID(int=9), 0, "An answer.")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


def row(text: str = "An answer.", **metadata: Any) -> IndexRow:
    pair = Pair(UUID(int=7), "A question?", text, metadata=Metadata(**metadata))
    return make_row(**IDS, pair=pair, passage=replace(PASSAGE, text=text), related_nodes=())


@settings(deadline=None)
@given(text=TEXT, limit=st.integers(0, 60))
def test_a_clipped_text_is_the_longest_beginning_that_fits(text: str, limit: int) -> None:
    clipped = clip(text, limit)
    assert text.startswith(clipped)
    assert len(clipped.encode()) <= limit
    if clipped != text:
        assert len(text[: len(clipped) + 1].encode()) > limit


def test_every_field_fits_the_index_however_long_it_is() -> None:
    long = "가" * 50_000
    names = ("category", "subcategory", "source", "source_type", "author", "language", "difficulty")
    texts: dict[str, Any] = dict.fromkeys(names, long)
    pair = Pair(uuid4(), long, long, external_id=long, metadata=Metadata(tags=(long, "b"), **texts))
    made = make_row(**IDS, pair=pair, passage=replace(PASSAGE, text=long), related_nodes=())
    for name, limit in FIELD_BYTES.items():
        assert 0 < len(str(getattr(made, name)).encode()) <= limit, name


def test_metadata_that_is_too_large_for_the_index_stays_in_the_catalog_alone() -> None:
    assert row(extra={"note": "x" * 100}).metadata == {"note": "x" * 100}
    assert row(extra={"note": "x" * METADATA_BYTES}).metadata == {}


@settings(deadline=None)
@given(extra=st.dictionaries(TEXT, TEXT | st.integers() | st.lists(TEXT, max_size=3), max_size=300))
def test_what_metadata_the_index_is_given_fits(extra: dict[str, Any]) -> None:
    assert len(json.dumps(row(extra=extra).metadata, ensure_ascii=False).encode()) <= 2 * METADATA_BYTES


def test_no_more_relations_are_given_than_the_index_takes() -> None:
    relations = [Relation(uuid4(), "see", 0.5) for _ in range(RELATED_NODES + 10)]
    nodes = related_nodes_of(relations)
    assert len(nodes) == RELATED_NODES
    assert nodes[0] == {"qa_id": str(relations[0].target_qa_id), "type": "see", "confidence": 0.5}


# Hashes


def test_the_same_content_gives_the_same_row_and_hash() -> None:
    assert row(tags=("a",), extra={"b": 1, "a": 2}).row_hash == row(tags=("a",), extra={"a": 2, "b": 1}).row_hash


OTHERS: dict[type, Any] = {UUID: uuid4(), str: "another", int: 5, bool: False, tuple: ({"qa_id": "x"},), dict: {"a": 1}}


@pytest.mark.parametrize("name", [field.name for field in fields(IndexRow)])
def test_the_hash_covers_every_field(name: str) -> None:
    before = row(tags=("a",))
    other = OTHERS[type(getattr(before, name))]
    assert replace(before, **{name: other}).row_hash != before.row_hash


@settings(deadline=None)
@given(first=st.tuples(TEXT, TEXT), second=st.tuples(TEXT, TEXT))
def test_texts_share_vectors_only_if_question_and_response_are_the_same(
    first: tuple[str, str], second: tuple[str, str]
) -> None:
    assert (text_hash_of(*first) == text_hash_of(*second)) is (first == second)


# Dates


def test_dates_are_whole_seconds_in_utc() -> None:
    noon = datetime(2024, 2, 29, 12, 0, 0, 999_999, UTC)
    assert seconds_of(noon) == seconds_of(noon.astimezone(timezone(timedelta(hours=9)))) == 1_709_208_000
    assert seconds_of(datetime(1969, 12, 31, 23, 59, 59, 500_000, UTC)) == -1


def test_no_date_is_before_every_date() -> None:
    assert seconds_of(None) == NO_DATE < seconds_of(datetime(1, 1, 1, tzinfo=UTC))


# Tags


@pytest.mark.parametrize(
    ("tag", "token"),
    [("Kidney", "kidney"), ("50% off", "50-off"), ("a|b_c\\d\"e'f", "a-b-c-d-e-f"), ("한국어", "한국어")],
)
def test_a_tag_loses_what_would_mean_something_in_a_pattern(tag: str, token: str) -> None:
    assert tag_token(tag) == token


@settings(deadline=None)
@given(tag=TEXT)
def test_no_tag_holds_what_ends_a_pattern(tag: str) -> None:
    assert not set(tag_token(tag)) & set("|%_\\\"' \n\t")


def test_tags_stand_between_bars() -> None:
    assert row(tags=("a b", "c")).tags == "|a-b|c|"
    assert row().tags == "|"
