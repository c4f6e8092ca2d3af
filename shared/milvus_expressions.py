"""Filter expressions of Milvus, written from typed values only. An id or a literal never reaches the index unescaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from shared.domain import Collection, Fields, Filter, KeyRange
from shared.rows import FIELD_BYTES, NO_DATE, clip, is_kept_whole, seconds_of, tag_token, whole_seconds_within

_SCALARS = ("category", "subcategory", "source", "source_type", "author", "language", "difficulty", "external_id")
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def rows_of(collection: Collection, bot_id: UUID | None = None) -> str:
    """The rows of a bot, or of the whole deployment."""
    expression = f"deployment_id == {literal(collection.deployment_id)}"
    return expression if bot_id is None else f"{expression} and bot_id == {literal(bot_id)}"


def rows_of_others(collection: Collection) -> str:
    return f"deployment_id != {literal(collection.deployment_id)}"


def with_ids(expression: str, passage_ids: Iterable[UUID | str]) -> str:
    return f"{expression} and passage_id in {literals(passage_ids)}"


def with_keys(expression: str, keys: KeyRange) -> str:
    end = "" if keys.end_text is None else f" and passage_id < {literal(keys.end_text)}"
    return f"{expression} and passage_id >= {literal(keys.first_text)}{end}"


def with_document(expression: str, document_id: UUID) -> str:
    return f"{expression} and document_id == {literal(document_id)}"


def matching(expression: str, wanted: Filter) -> str:
    """What of the filter the index's scalars can tell. Clipped values let more through; the catalog has the last word."""
    terms = [expression, "is_active == true"]
    for name in _SCALARS:
        values: Sequence[str] | None = getattr(wanted, name)
        if values is not None:
            terms.append(f"{name} in {literals(clip(value, FIELD_BYTES[name]) for value in values)}")
    if wanted.document_id is not None:
        terms.append(f"document_id in {literals(wanted.document_id)}")
    terms.extend(f"tags like {literal(f'%|{tag_token(tag)}|%')}" for tag in wanted.tags or ())
    if wanted.published_from is not None:
        terms.append(f"published_at >= {seconds_of(wanted.published_from)}")
    if wanted.published_to is not None:
        terms.append(f"published_at <= {seconds_of(wanted.published_to)} and published_at > {NO_DATE}")
    if wanted.must_not is not None:
        terms.extend(_without(wanted.must_not))
    return " and ".join(terms)


def first_passages(expression: str) -> str:
    """One row of each pair that is active."""
    return f"{expression} and is_active == true and part == 0"


def _without(unwanted: Fields) -> Iterator[str]:
    """What the scalars can tell for sure of what must not be: neither clipped values nor tags, which stand there altered."""
    for name in _SCALARS:
        values = [value for value in getattr(unwanted, name) or () if is_kept_whole(value, FIELD_BYTES[name])]
        if values:
            yield f"{name} not in {literals(values)}"
    if unwanted.document_id is not None:
        yield f"document_id not in {literals(unwanted.document_id)}"
    if unwanted.published_from is not None or unwanted.published_to is not None:
        first, last = whole_seconds_within(unwanted.published_from, unwanted.published_to)
        yield f"(published_at < {first} or published_at > {last} or published_at == {NO_DATE})"


def literals(values: Iterable[str | UUID]) -> str:
    return "[" + ", ".join(literal(value) for value in values) + "]"


def literal(value: str | UUID) -> str:
    """A value between quotes. Every Milvus reads these escapes; none of other characters is read by all of them."""
    return f'"{str(value).translate(_ESCAPES)}"'
