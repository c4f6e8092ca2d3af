"""What an export consists of: tables, their columns and kinds, and how a value is written as text."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["text", "uuid", "integer", "real", "boolean", "moment", "json", "texts", "vector"]
Record = Mapping[str, Any]  # JSON values only, so that it can be put aside in a file

# What a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection"), in its full width too.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@dataclass(frozen=True, slots=True)
class Table:
    """One kind of records. Every table has the bot's slug in front."""

    name: str
    key: tuple[str, ...]
    columns: Mapping[str, Kind]


TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        Table(
            "pairs",
            ("bot", "qa_id"),
            {
                "bot": "text",
                "qa_id": "uuid",
                "external_id": "text",
                "document_id": "uuid",
                "object_path": "text",
                "generation": "integer",
                "question": "text",
                "response": "text",
                "heading_path": "texts",
                "category": "text",
                "subcategory": "text",
                "source": "text",
                "source_type": "text",
                "author": "text",
                "published_at": "moment",
                "language": "text",
                "difficulty": "text",
                "tags": "texts",
                "metadata": "json",
                "created_at": "moment",
                "updated_at": "moment",
            },
        ),
        Table(
            "relations",
            ("bot", "source_qa_id", "target_qa_id", "type"),
            {
                "bot": "text",
                "source_qa_id": "uuid",
                "target_qa_id": "uuid",
                "type": "text",
                "confidence": "real",
                "origin": "text",
                "created_at": "moment",
            },
        ),
        Table(
            "sources",
            ("bot", "passage_id"),
            {
                "bot": "text",
                "passage_id": "uuid",
                "qa_id": "uuid",
                "part": "integer",
                "document_id": "uuid",
                "name": "text",
                "object_path": "text",
                "page": "integer",
                "section": "text",
                "excerpt": "text",
                "passage": "text",
            },
        ),
        Table(
            "logs",
            ("bot", "query_id"),
            {
                "bot": "text",
                "query_id": "uuid",
                "question": "text",
                "answer": "text",
                "abstained": "boolean",
                "user_id": "text",
                "session_id": "text",
                "response_time_ms": "integer",
                "score": "real",
                "document_ids": "json",
                "citations": "json",
                "feedback": "integer",
                "feedback_comment": "text",
                "created_at": "moment",
            },
        ),
        Table(
            "embeddings",
            ("bot", "passage_id"),
            {
                "bot": "text",
                "passage_id": "uuid",
                "qa_id": "uuid",
                "part": "integer",
                "model_id": "text",
                "model_revision": "text",
                "question": "vector",
                "response": "vector",
                "combined": "vector",
            },
        ),
    )
}

CATALOG_TABLES = ("pairs", "relations", "sources", "logs")  # all but the embeddings, which the index has


def json_line(record: Record) -> str:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"


def csv_lines(rows: Iterable[Sequence[Any]]) -> str:
    """RFC 4180: commas, quotes doubled, CRLF."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def cells(table: Table, record: Record) -> list[str | int | float | bool | None]:
    """The record as a row of a spreadsheet: lists and objects as JSON, and no text that would be run as a formula."""
    return [_cell(record[name], kind) for name, kind in table.columns.items()]


def _cell(value: Any, kind: Kind) -> str | int | float | bool | None:
    if value is None:
        return None
    if kind in ("json", "texts", "vector"):
        return json.dumps(value, ensure_ascii=False)
    return harmless(value) if kind == "text" else value


def harmless(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would run; it shows the rest as text."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
