"""Filters: which clauses a pair meets."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.catalog.mapping import MAX_PARTS, filter_parameters
from shared.domain import Fields, Filter, Metadata, Pair, admits, share_met
from shared.rows import FIELD_BYTES, clip, is_kept_whole, seconds_of, whole_seconds_within

DOCUMENT = uuid4()
PAIR = Pair(
    uuid4(),
    "When is it open?",
    "At ten.",
    external_id="hours",
    metadata=Metadata(
        category="visit",
        language="en",
        tags=("a", "b"),
        published_at=datetime(2024, 3, 1, tzinfo=UTC),
        extra={"floor": 2, "doors": ["north", "south"], "open": True},
    ),
)
YEAR = Fields(published_from=datetime(2024, 1, 1, tzinfo=UTC), published_to=datetime(2024, 12, 31, tzinfo=UTC))


@pytest.mark.parametrize(
    ("wanted", "share"),
    [
        (Fields(), 0.0),
        (Fields(category=("visit", "shop")), 1.0),
        (Fields(category=("shop",)), 0.0),
        (Fields(category=("visit",), language=("tr",)), 0.5),
        (Fields(tags=("a", "c")), 0.5),
        (Fields(author=("somebody",)), 0.0),
        (YEAR, 1.0),
        (Fields(published_to=datetime(2023, 1, 1, tzinfo=UTC)), 0.0),
        (Fields(document_id=(DOCUMENT,), external_id=("hours",)), 1.0),
        (Fields(metadata={"floor": 2, "doors": "south", "open": 1, "roof": True}), 0.5),
        (Fields(metadata={"floor": [1, 2.0], "doors": ["west", "north"]}), 1.0),
        (Fields(metadata={"floor": "2"}), 0.0),
        (Fields(category=("visit",), tags=("a", "b"), metadata={"floor": 3}), 0.75),
    ],
)
def test_the_share_of_clauses_that_a_pair_meets(wanted: Fields, share: float) -> None:
    assert share_met(wanted, PAIR, DOCUMENT) == share


@pytest.mark.parametrize(
    "wanted", [Fields(category=("visit",)), Fields(tags=("a",)), YEAR, Fields(metadata={"floor": 2})]
)
def test_what_must_be_and_must_not_be_are_opposites(wanted: Fields) -> None:
    must = Filter(**{name: getattr(wanted, name) for name in Fields.__dataclass_fields__})
    other = Pair(uuid4(), "q", "r")
    assert admits(must, PAIR, DOCUMENT) and not admits(must, other, DOCUMENT)
    assert admits(Filter(must_not=wanted), other, DOCUMENT) and not admits(Filter(must_not=wanted), PAIR, DOCUMENT)
    assert admits(Filter(should=wanted), other, DOCUMENT)


def test_of_a_filter_the_preference_leaves_nothing_out_and_is_no_matter_of_the_index() -> None:
    preferred = Fields(category=("visit",), metadata={"floor": 2})
    assert Filter().is_empty and Filter(should=preferred).is_empty and Filter(must_not=Fields()).is_empty
    assert not Filter(must_not=preferred).is_empty and not Filter(tags=("a",)).is_empty
    assert not Filter(should=preferred, tags=("a",)).is_beyond_index
    for beyond in (Filter(metadata={"a": 1}), Filter(must_not=preferred), Filter(must_not=Fields(tags=("a",)))):
        assert beyond.is_beyond_index


def test_documents_are_extended_wherever_they_are_named() -> None:
    one, correction = UUID(int=1), UUID(int=2)
    wanted = Filter(document_id=(one,), must_not=Fields(document_id=(one,), tags=("a",)), should=Fields(tags=("b",)))
    extended = wanted.with_documents(lambda ids: (*ids, correction))
    assert extended.document_id == (one, correction)
    assert extended.must_not == Fields(document_id=(one, correction), tags=("a",))
    assert extended.should == Fields(tags=("b",))
    assert Filter(tags=("a",)).with_documents(lambda _: ()) == Filter(tags=("a",))


@given(st.dictionaries(st.text(max_size=3), st.one_of(st.integers(), st.lists(st.integers(), max_size=9)), max_size=20))
def test_one_look_into_the_index_for_metadata_is_for_few_parts(metadata: dict[str, Any]) -> None:
    parameters = filter_parameters(Filter(metadata=metadata))
    assert len(parameters["metadata"]) <= MAX_PARTS


@given(st.text(max_size=40))
def test_a_value_that_counts_as_whole_is_what_no_longer_one_is_clipped_to(text: str) -> None:
    limit = FIELD_BYTES["language"]
    if is_kept_whole(text, limit):
        assert all(clip(text + more, limit) != text for more in ("x" * limit, "ğ" * limit, "가" * limit, "😀" * limit))


MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(1990, 1, 1, 0, 0, 5), timezones=st.just(UTC))


@given(begin=MOMENTS, end=MOMENTS, moment=MOMENTS)
def test_a_moment_outside_a_period_is_in_none_of_its_whole_seconds(
    begin: datetime, end: datetime, moment: datetime
) -> None:
    first, last = whole_seconds_within(begin, end)
    assert begin <= moment <= end or not first <= seconds_of(moment) <= last
    assert seconds_of(moment) <= whole_seconds_within(moment, None)[0] <= seconds_of(moment) + 1
