"""Filters: what a hit must be, must not be, and had better be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.domain.content import Pair

LABELS = ("category", "subcategory", "source", "source_type", "author", "language", "difficulty")


@dataclass(frozen=True, slots=True)
class Fields:
    """What pairs are asked for by. Each field that is named is a clause, and any of its values will do.

    Each of the `tags` and each field of the `metadata` is a clause of its own; both ends of the period of publication
    are one. A list in the metadata names values of which any will do.
    """

    category: tuple[str, ...] | None = None
    subcategory: tuple[str, ...] | None = None
    source: tuple[str, ...] | None = None
    source_type: tuple[str, ...] | None = None
    author: tuple[str, ...] | None = None
    language: tuple[str, ...] | None = None
    difficulty: tuple[str, ...] | None = None
    external_id: tuple[str, ...] | None = None
    document_id: tuple[UUID, ...] | None = None
    tags: tuple[str, ...] | None = None
    published_from: datetime | None = None
    published_to: datetime | None = None
    metadata: Mapping[str, Any] | None = None

    @property
    def names_nothing(self) -> bool:
        return all(getattr(self, field.name) is None for field in fields(Fields))


@dataclass(frozen=True, slots=True)
class Filter(Fields):
    """What a hit must satisfy: every clause of its own, none of `must_not`. `should` is a preference and excludes nothing."""

    must_not: Fields | None = None
    should: Fields | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it leaves nothing out."""
        return self.names_nothing and (self.must_not is None or self.must_not.names_nothing)

    @property
    def is_beyond_index(self) -> bool:
        """Whether it leaves something out by what only the catalog can tell: the index tests no JSON, and no tag for sure."""
        unwanted = self.must_not or Fields()
        return any(asked is not None for asked in (self.metadata, unwanted.metadata, unwanted.tags))

    def with_documents(self, extend: Callable[[tuple[UUID, ...]], tuple[UUID, ...]]) -> Filter:
        """The same with other documents wherever it names some."""

        def extended(asked: Fields) -> Any:
            return asked if asked.document_id is None else replace(asked, document_id=extend(asked.document_id))

        parts = {"must_not": self.must_not, "should": self.should}
        named = {name: extended(asked) for name, asked in parts.items() if asked is not None}
        whole: Filter = extended(self)
        return replace(whole, **named) if named else whole


def admits(wanted: Filter, pair: Pair, document_id: UUID) -> bool:
    """Whether the pair may be a hit."""
    excluded = wanted.must_not is not None and any(clauses(wanted.must_not, pair, document_id))
    return not excluded and all(clauses(wanted, pair, document_id))


def share_met(wanted: Fields, pair: Pair, document_id: UUID) -> float:
    """Of the clauses, the share that the pair meets: 0 to 1; 0 if there are none."""
    met = list(clauses(wanted, pair, document_id))
    return sum(met) / len(met) if met else 0.0


def clauses(wanted: Fields, pair: Pair, document_id: UUID) -> Iterator[bool]:
    """For each clause, whether the pair meets it."""
    of_pair = {name: getattr(pair.metadata, name) for name in LABELS}
    of_pair |= {"external_id": pair.external_id, "document_id": document_id}
    for name, value in of_pair.items():
        values = getattr(wanted, name)
        if values is not None:
            yield value in values
    yield from (tag in pair.metadata.tags for tag in wanted.tags or ())
    if wanted.published_from is not None or wanted.published_to is not None:
        yield _is_in_period(pair.metadata.published_at, wanted)
    for name, value in (wanted.metadata or {}).items():
        yield any(contains(pair.metadata.extra, part) for part in alternatives(name, value))


def alternatives(name: str, value: Any) -> list[Mapping[str, Any]]:
    """What metadata contains any of, if its field has that value, or any of those: be it alone or in a list."""
    values = value if isinstance(value, list) else [value]
    return [{name: form} for one in values for form in (one, [one])]


def contains(whole: Any, part: Any) -> bool:
    """What Postgres's @> means for JSON: objects and lists contain parts of themselves."""
    if isinstance(part, Mapping):
        return isinstance(whole, Mapping) and all(n in whole and contains(whole[n], v) for n, v in part.items())
    if isinstance(part, list):
        return isinstance(whole, list) and all(any(contains(item, wanted) for item in whole) for wanted in part)
    return bool(whole == part) and isinstance(whole, bool) == isinstance(part, bool)


def _is_in_period(moment: datetime | None, wanted: Fields) -> bool:
    if moment is None:
        return False
    is_late_enough = wanted.published_from is None or moment >= wanted.published_from
    return is_late_enough and (wanted.published_to is None or moment <= wanted.published_to)
