"""The last step of every parser: text that a database can hold, in sections of bounded size."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, time
from typing import Any

from functions.ingest.parsing import limits
from functions.ingest.parsing.document import Record, Section
from shared.errors import RejectedDocumentError

_LINE_BREAKS = re.compile("\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
# Controls, soft hyphens, byte order marks and non-characters; Postgres refuses NUL, and nobody reads the others.
_INVISIBLE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u200b\u2060\ufeff\ufffe\uffff]")
_SOFT_BREAK = re.compile("\xad[ \t]*\n[ \t]*")
_BLANKS = re.compile("[\xa0\u2000-\u200a\u202f\u205f\u3000]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_BLANK_LINES = re.compile(r"\n(?:[ \t]*+\n)+")
_SENTENCE_END = re.compile("[.!?。…][\"'\u201d\u2019)\\]]*\\s")


def clean_text(text: str) -> str:
    """Unicode NFC without control characters (but newline and tab), lone surrogates, or blanks of special width."""
    if text.isascii() and text.isprintable():
        return text
    text = _LINE_BREAKS.sub("\n", text)
    text = _SOFT_BREAK.sub("", text)
    text = _INVISIBLE.sub("", text)
    text = _BLANKS.sub(" ", text)
    text = _SURROGATES.sub("\ufffd", text)
    return unicodedata.normalize("NFC", text)


def finish_content(content: Iterator[Section | Record]) -> Iterator[Section | Record]:
    """Clean every item and drop the empty ones; a document of which nothing is left is refused."""
    found = False
    for item in content:
        for finished in _finish_section(item) if isinstance(item, Section) else _finish_record(item):
            found = True
            yield finished
    if not found:
        raise RejectedDocumentError("There is no text in the file; upload one that has some.")


def _finish_section(section: Section) -> Iterator[Section]:
    path = tuple(filter(None, (" ".join(clean_text(title).split()) for title in section.heading_path)))
    text = _BLANK_LINES.sub("\n\n", clean_text(section.text)).strip("\n").rstrip()
    for part in split_text(text, limits.MAX_SECTION_CHARS):
        if any(character.isalnum() for character in part):
            yield replace(section, text=part, heading_path=path)
            section = replace(section, links=())  # which part has which is not known


def split_text(text: str, size: int) -> Iterator[str]:
    """Parts of at most `size` characters, cut at the last paragraph, line, sentence or word border, in that order."""
    while len(text) > size:
        cut = _cut_position(text[: size + 1])
        yield text[:cut].rstrip()
        text = text[cut:].lstrip("\n")
    if text.strip():
        yield text


def _cut_position(window: str) -> int:
    """Where to cut, never in the first half: a part far below the bound would only multiply parts."""
    least = len(window) // 2
    for border in ("\n\n", "\n"):
        if (cut := window.rfind(border)) >= least:
            return cut
    ends = [match.end() for match in _SENTENCE_END.finditer(window, least)]
    if ends:
        return min(ends[-1], len(window) - 1)
    cut = window.rfind(" ")
    return cut if cut >= least else len(window) - 1


def _finish_record(record: Record) -> Iterator[Record]:
    fields = {clean_text(str(name)).strip(): clean_value(value, 1) for name, value in record.fields.items()}
    if any(_has_content(value) for value in fields.values()):
        section = clean_text(record.section) if record.section else None
        yield replace(record, fields=fields, section=section)


def _has_content(value: Any) -> bool:
    return bool(value.strip()) if isinstance(value, str) else value is not None and value != [] and value != {}


def clean_value(value: Any, depth: int = 0) -> Any:
    """A value that JSON can carry: text cleaned, dates in ISO form, what is not a number None."""
    if depth > limits.MAX_JSON_DEPTH:
        raise RejectedDocumentError(
            f"The values are nested more than {limits.MAX_JSON_DEPTH} levels deep; flatten them and upload again."
        )
    if isinstance(value, str):
        return clean_text(value).strip()
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {clean_text(str(name)).strip(): clean_value(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean_value(item, depth + 1) for item in value]
    return value.isoformat() if isinstance(value, date | time) else str(value)
