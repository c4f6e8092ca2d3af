"""Expressions of the index: written from values that stay values, whatever they are made of."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.domain import Collection, Fields, Filter
from shared.milvus_expressions import literal, matching, rows_of, with_ids

COLLECTION = Collection(UUID(int=1), UUID(int=2), "lockstep_x", "model", "1", 4)
BOT = UUID(int=3)
LITERAL = r'"(?:[^"\\\n\r]|\\["\\nrt])*"'


def test_rows_are_those_of_the_deployment_and_the_bot() -> None:
    assert rows_of(COLLECTION) == f'deployment_id == "{UUID(int=2)}"'
    assert rows_of(COLLECTION, BOT) == f'deployment_id == "{UUID(int=2)}" and bot_id == "{BOT}"'


def test_passages_are_listed() -> None:
    assert with_ids("x", [UUID(int=4), UUID(int=5)]) == f'x and passage_id in ["{UUID(int=4)}", "{UUID(int=5)}"]'


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Filter(), "x and is_active == true"),
        (Filter(category=("a", 'b"c')), 'x and is_active == true and category in ["a", "b\\"c"]'),
        (Filter(external_id=("\\",)), 'x and is_active == true and external_id in ["\\\\"]'),
        (Filter(document_id=(BOT,)), f'x and is_active == true and document_id in ["{BOT}"]'),
        (Filter(tags=("50% Off", "b")), 'x and is_active == true and tags like "%|50-off|%" and tags like "%|b|%"'),
        (Filter(published_from=datetime(1970, 1, 2, tzinfo=UTC)), "x and is_active == true and published_at >= 86400"),
        (
            Filter(published_to=datetime(1969, 12, 31, tzinfo=UTC)),
            f"x and is_active == true and published_at <= -86400 and published_at > {-(2**62)}",
        ),
        (Filter(metadata={"a": 1}), "x and is_active == true"),
        (
            Filter(category=("a",), must_not=Fields(category=("b",), document_id=(BOT,))),
            f'x and is_active == true and category in ["a"] and category not in ["b"] and document_id not in ["{BOT}"]',
        ),
        (
            Filter(must_not=Fields(published_from=datetime(1970, 1, 2, 0, 0, 0, 1, UTC))),
            "x and is_active == true and "
            f"(published_at < 86401 or published_at > {2**61} or published_at == {-(2**62)})",
        ),
        (Filter(must_not=Fields(metadata={"a": 1}, tags=("a",), language=("가" * 10,))), "x and is_active == true"),
    ],
)
def test_a_filter_is_written_out(wanted: Filter, expected: str) -> None:
    assert matching("x", wanted) == expected


def test_what_the_index_holds_clipped_is_asked_for_clipped() -> None:
    expression = matching("x", Filter(language=("가" * 100,)))
    assert expression.endswith(f'language in ["{"가" * 10}"]')


@settings(deadline=None)
@given(value=st.text())
@example('" or 1 == 1 or "')
@example('\\" or true or \\"')
@example("\\")
@example('\\u0022 or ""==""')
@example("a\nb\rc\td")
def test_any_value_is_one_literal_that_reads_back_as_itself(value: str) -> None:
    written = literal(value)
    assert re.fullmatch(LITERAL, written)
    meanings = {"n": "\n", "r": "\r", "t": "\t"}
    assert re.sub(r"\\(.)", lambda found: meanings.get(found[1], found[1]), written[1:-1]) == value


TEXTS = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20), min_size=1, max_size=3
).map(tuple)


@settings(deadline=None)
@given(category=TEXTS, author=TEXTS, external_id=TEXTS, tags=TEXTS)
@example(('" or bot_id != "',), ("'",), ("\\",), ('%" or "',))
def test_no_value_adds_to_the_words_of_an_expression(
    category: tuple[str, ...], author: tuple[str, ...], external_id: tuple[str, ...], tags: tuple[str, ...]
) -> None:
    unwanted = Fields(author=author, tags=tags)
    wanted = Filter(category=category, author=author, external_id=external_id, tags=tags, must_not=unwanted)
    expression = matching(rows_of(COLLECTION, BOT), wanted)
    words = re.sub(LITERAL, "L", expression)
    lists = " and ".join(
        f"{name} in [{', '.join('L' * len(values))}]"
        for name, values in (("category", category), ("author", author), ("external_id", external_id))
    )
    assert words == (
        f"deployment_id == L and bot_id == L and is_active == true and {lists}"
        + " and tags like L" * len(tags)
        + f" and author not in [{', '.join('L' * len(author))}]"
    )
