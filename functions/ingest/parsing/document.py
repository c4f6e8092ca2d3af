"""What every parser returns: a document's own facts, and its content as sections or records, lazily."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Section:
    """A run of prose under one heading path.

    `text` keeps paragraphs apart by a blank line; a table is one line per row, each cell led by its column's header.
    """

    text: str
    heading_path: tuple[str, ...] = ()
    page: int | None = None  # 1-based; the page on which the section begins
    links: tuple[str, ...] = ()  # that its text has, as they were found: addresses of all kinds, most of them relative


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a table or one JSON object: field name to value, as found."""

    fields: Mapping[str, Any]
    page: int | None = None
    section: str | None = None  # the sheet's name, for example


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """A parsed object. `content` is consumed once, and reads the file while it is consumed."""

    content: Iterator[Section | Record]
    title: str | None = None
    author: str | None = None
    published_at: datetime | None = None
    url: str | None = None  # that it says is its own
    metadata: Mapping[str, Any] = field(default_factory=dict)
