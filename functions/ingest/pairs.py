"""From what a parser found to Q&A pairs with stable ids."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any
from uuid import UUID

from dateutil import parser as dates

from functions.ingest.columns import find_columns
from functions.ingest.json_values import plain_text, plain_value
from functions.ingest.links import Place
from functions.ingest.metadata import ALIASES, metadata_of_path, with_language
from functions.ingest.parsing.document import ParsedDocument, Record, Section
from functions.ingest.parsing.faq import without_titles
from shared.aliases import is_alias_field
from shared.domain import HEADING_SEPARATOR, Metadata, Pair, Relation, qa_id_of
from shared.rows import clip

ROWS_PER_PAIR = 40  # of a table that holds no questions
DATE_CHARACTERS = 64
INDEXED_BYTES = 2_000  # of one value; an index of Postgres holds about 2,700 of a whole row
METADATA_TEXTS = ("category", "subcategory", "source", "source_type", "author", "language", "difficulty")


@dataclass(slots=True)
class PairMaker:
    """Makes the pairs of one document. Within it, equal content gives equal ids in every generation."""

    document_id: UUID
    document: ParsedDocument
    fallback_title: str
    columns: Mapping[str, str]
    name: str = ""  # below the bot's prefix: its folders say what the document does not
    _seen: set[bytes] = field(default_factory=set)
    _copies: dict[str, int] = field(default_factory=dict)  # how often a key came again with the same content

    def pairs(self) -> Iterator[Pair]:
        for unit in _with_rows_gathered(self.document.content, self.columns):
            made = self._from_section(unit) if isinstance(unit, Section) else self._from_record(unit)
            if made is not None:
                yield made

    @property
    def title(self) -> str:
        return self.document.title or self.fallback_title

    def _from_section(self, section: Section) -> Pair | None:
        response = section.text.strip()
        if not response:
            return None
        path, place = section.heading_path, Place(self.name, self.document.url)
        key = HEADING_SEPARATOR.join(path) or self.title
        question = HEADING_SEPARATOR.join(without_titles(path)) or key
        return Pair(
            qa_id=self._qa_id(f"question:{key}", response),
            question=question,
            response=response,
            heading_path=path,
            page=section.page,
            section=path[-1] if path else None,
            metadata=with_language(self._document_metadata(), None, question, response),
            addresses=place.addresses(path) if self.name else (),
            links=place.targets(section.links) if self.name else (),
        )

    def _from_record(self, record: Record) -> Pair | None:
        found = find_columns(record.fields, self.columns)
        values = {part: record.fields[name] for part, name in found.items()}
        response = plain_text(values.get("response")) or plain_text(values.get("text"))
        if not response:
            return None
        question = plain_text(values.get("question")) or plain_text(values.get("title"))
        external_id = plain_text(values.get("external_id")) or None
        key = f"id:{external_id}" if external_id else f"question:{question}"
        return Pair(
            qa_id=self._qa_id(key, f"{question}\n{response}"),
            question=question,
            response=response,
            external_id=clip(external_id, INDEXED_BYTES) if external_id else None,
            page=record.page,
            section=record.section,
            is_active=_is_active(values.get("is_active")),
            metadata=with_language(
                self._record_metadata(record.fields, values, found),
                plain_text(values.get("language")),
                question,
                response,
            ),
            relations=tuple(self._relations(values.get("related"))),
        )

    def _qa_id(self, key: str, content: str) -> UUID:
        """The key's own id; where a key comes again, the content tells them apart, and last their number."""
        if self._is_new(key):
            return qa_id_of(self.document_id, key)
        again = f"{key}\n{hashlib.sha256(content.encode()).hexdigest()[:16]}"
        while True:
            self._copies[again] = number = self._copies.get(again, 0) + 1
            if self._is_new(candidate := f"{again}\n{number}"):
                return qa_id_of(self.document_id, candidate)

    def _is_new(self, key: str) -> bool:
        digest = hashlib.blake2b(key.encode(), digest_size=12).digest()
        if digest in self._seen:
            return False
        self._seen.add(digest)
        return True

    def _document_metadata(self) -> Metadata:
        facts = self.document.metadata
        found = {part: name for part, name in find_columns(facts, {}).items() if part in (*METADATA_TEXTS, "tags")}
        known: dict[str, Any] = {
            part: plain_text(facts[name]) or None for part, name in found.items() if part != "tags"
        }
        by_path = {"author": self.document.author, **metadata_of_path(self.name)}
        known |= {part: value for part, value in by_path.items() if not known.get(part)}
        return Metadata(
            published_at=_in_utc(self.document.published_at),
            tags=tags_of(facts.get(found.get("tags", ""))),
            extra={name: plain_value(value) for name, value in facts.items() if name not in found.values()},
            **known,
        )

    def _record_metadata(
        self, fields: Mapping[str, Any], values: Mapping[str, Any], found: Mapping[str, str]
    ) -> Metadata:
        inherited = self._document_metadata()
        texts = {name: plain_text(values.get(name)) or getattr(inherited, name) for name in METADATA_TEXTS}
        if plain_text(values.get("category")) and not plain_text(values.get("subcategory")):
            texts["subcategory"] = None  # that of the path belongs to the path's category
        spare = {found.get(b) for a, b in (("question", "title"), ("response", "text")) if plain_text(values.get(a))}
        names = found.get("aliases", "")
        used = set(found.values()) - spare - {names}
        own = {name: plain_value(value) for name, value in fields.items() if name not in used}
        if names in own and not is_alias_field(names):
            own[ALIASES] = own.pop(names)
        own = {name: value for name, value in own.items() if value not in (None, "", [], {})}
        return Metadata(
            published_at=moment_of(values.get("published_at")) or inherited.published_at,
            tags=tags_of(values.get("tags")) or inherited.tags,
            extra={**inherited.extra, **own},
            **texts,
        )

    def _relations(self, related: Any) -> Iterator[Relation]:
        """`related` names records of the bot by their ids: a list, or text with commas, or objects."""
        items = re.split(r"[,;]", related) if isinstance(related, str) else related
        for item in items if isinstance(items, list | tuple) else [items]:
            described = item if isinstance(item, Mapping) else {"id": item}
            if target := plain_text(described.get("id")):
                yield Relation(
                    target_qa_id=qa_id_of(self.document_id, f"id:{target}"),
                    type=clip(plain_text(described.get("type")), INDEXED_BYTES) or "related",
                    confidence=_confidence(described.get("confidence")),
                    target_external_id=clip(target, INDEXED_BYTES),
                )


def _with_rows_gathered(content: Iterable[Section | Record], chosen: Mapping[str, str]) -> Iterator[Section | Record]:
    """Rows that hold neither an answer nor a text are data: neighbours become one section, a line each."""
    rows: list[Record] = []
    for unit in content:
        is_data = isinstance(unit, Record) and not find_columns(unit.fields, chosen).keys() & {"response", "text"}
        if rows and (not is_data or len(rows) >= ROWS_PER_PAIR or unit.section != rows[0].section):  # type: ignore[union-attr]
            yield _section_of(rows)
            rows = []
        if is_data and isinstance(unit, Record):
            rows.append(unit)
        else:
            yield unit
    if rows:
        yield _section_of(rows)


def _section_of(rows: list[Record]) -> Section:
    lines = (
        "; ".join(f"{name}: {text}" for name, value in row.fields.items() if (text := plain_text(value)))
        for row in rows
    )
    section = rows[0].section
    return Section("\n".join(lines), (section,) if section else (), rows[0].page)


def tags_of(value: Any) -> tuple[str, ...]:
    parts = re.split(r"[,;|]", value) if isinstance(value, str) else value if isinstance(value, list | tuple) else ()
    return tuple(dict.fromkeys(text for part in parts if (text := plain_text(part))))


def moment_of(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return _in_utc(value)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    text = plain_text(value)
    if len(text) > DATE_CHARACTERS:  # dateutil's time grows with the square
        return None
    if not re.search(r"\d{4}", text):  # dateutil would read almost any number as a day of this month
        return None
    is_day_first = re.match(r"\d{1,2}\.\d{1,2}\.\d{4}", text) is not None  # wherever dots are written between them
    try:
        return _in_utc(dates.parse(text, default=datetime(1, 1, 1), dayfirst=is_day_first, tzinfos=_zone))
    except (ValueError, OverflowError):
        return None


def _zone(name: str | None, offset_seconds: int | None) -> tzinfo | None:
    """A zone by its offset. A mere name says too little: EST is one of several, and KST is known on some machines only."""
    return None if offset_seconds is None else timezone(timedelta(seconds=offset_seconds))


def _in_utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        return None


def _is_active(value: Any) -> bool:
    return plain_text(value).casefold() not in ("false", "0", "no", "hayır", "hayir", "inactive", "아니요")


def _confidence(value: Any) -> float:
    try:
        return min(1.0, max(0.0, float(value)))
    except (TypeError, ValueError, OverflowError):
        return 1.0
