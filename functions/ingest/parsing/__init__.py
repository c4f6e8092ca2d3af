"""Parsing: from the bytes of an uploaded object to sections and records, whatever its format."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from typing import BinaryIO, cast

from functions.ingest.parsing.cleaning import clean_value, finish_content
from functions.ingest.parsing.compression import is_gzip, open_gzip
from functions.ingest.parsing.detection import Kind, detect_kind
from functions.ingest.parsing.document import ParsedDocument, Record, Section
from functions.ingest.parsing.refusals import refusing

__all__ = ["ParsedDocument", "Record", "Section", "parse"]

# Imported when the first document of the kind comes: all of them would add a quarter of a second to a cold start.
_PARSERS = {
    Kind.PDF: ("pdf", "parse_pdf"),
    Kind.WORD: ("word", "parse_word"),
    Kind.WORKBOOK: ("spreadsheet", "parse_workbook"),
    Kind.HTML: ("webpage", "parse_html"),
    Kind.MARKDOWN: ("markdown", "parse_markdown"),
    Kind.TEXT: ("plain_text", "parse_text"),
    Kind.TABLE: ("delimited", "parse_delimited"),
    Kind.JSON: ("json_records", "parse_json"),
    Kind.JSON_LINES: ("json_records", "parse_json_lines"),
}


def _go_on() -> None:
    """Nothing is in a hurry."""


def parse(file: BinaryIO, name: str, *, check: Callable[[], None] = _go_on) -> ParsedDocument:
    """What the object `name` says, by its content first and its name second.

    `file` is seekable, and must stay open and unused until the returned content has been consumed. Every document
    that cannot be read raises RejectedDocumentError with a reason for its owner, here or while the content is
    consumed; what was consumed until then is worthless. `check` is called after each section and record was read, and may
    raise OutOfTimeError: what was consumed until then stands.
    """
    with refusing("file"):
        if is_gzip(file):
            file = open_gzip(file)
        kind = detect_kind(file, name.lower().removesuffix(".gz"))
    with refusing(kind.value):
        document = _parser(kind)(file)
        metadata = clean_value(document.metadata)
    return replace(document, content=_guarded(document.content, kind, check), metadata=metadata)


def _parser(kind: Kind) -> Callable[[BinaryIO], ParsedDocument]:
    module, function = _PARSERS[kind]
    return cast(Callable[[BinaryIO], ParsedDocument], getattr(import_module(f"{__name__}.{module}"), function))


def _guarded(content: Iterator[Section | Record], kind: Kind, check: Callable[[], None]) -> Iterator[Section | Record]:
    with refusing(kind.value):
        yield from finish_content(_checked(content, check))


def _checked(content: Iterator[Section | Record], check: Callable[[], None]) -> Iterator[Section | Record]:
    for unit in content:
        check()
        yield unit
