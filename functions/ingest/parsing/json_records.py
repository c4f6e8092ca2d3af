"""JSON and JSON Lines: a record per object."""

from __future__ import annotations

from collections.abc import Iterator
from json import JSONDecodeError
from typing import Any, BinaryIO

from functions.ingest.parsing import limits
from functions.ingest.parsing.charset import detect_encoding
from functions.ingest.parsing.document import ParsedDocument, Record
from functions.ingest.parsing.json_stream import JsonReader, decode_value
from functions.ingest.parsing.text_source import iter_lines, open_text
from shared.errors import RejectedDocumentError

# An object under one of these names is a list of records, however long; it is streamed.
_CONTAINER_NAMES = {"data", "items", "records", "results", "rows", "entries", "documents", "docs", "questions"}
_CONTAINER_NAMES |= {"faq", "faqs", "qa", "qas", "pairs", "list", "hits", "articles", "examples", "values", "objects"}
# An object with one of these is a record itself, whatever lists of objects it holds besides.
_RECORD_NAMES = {"id", "question", "query", "prompt", "answer", "response", "text", "content", "body", "completion"}


def parse_json(file: BinaryIO) -> ParsedDocument:
    return ParsedDocument(_records(file, detect_encoding(file)))


def parse_json_lines(file: BinaryIO) -> ParsedDocument:
    encoding = detect_encoding(file)
    with open_text(file, encoding) as text:
        is_array = JsonReader(text).peek() == "["  # one array, although the name promises lines
    return ParsedDocument(_records(file, encoding) if is_array else _lines(file, encoding))


def _lines(file: BinaryIO, encoding: str) -> Iterator[Record]:
    with open_text(file, encoding) as text:
        for number, line in enumerate(iter_lines(text, limits.MAX_RECORD_CHARS), start=1):
            if line.strip(" \t\r\ufeff"):
                yield Record(_object(_decoded(line, number), f"Line {number} of the JSON Lines file"))


def _decoded(line: str, number: int) -> Any:
    if len(line) >= limits.MAX_RECORD_CHARS:
        raise RejectedDocumentError(f"Line {number} of the JSON Lines file is too large; split it into several.")
    try:
        return decode_value(line.strip(" \t\r\ufeff"))
    except JSONDecodeError as exc:
        raise RejectedDocumentError(
            f"Line {number} of the JSON Lines file is not valid JSON ({exc.msg}); mend it there."
        ) from exc


def _object(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RejectedDocumentError(f"{place} holds no object; every record must be one ({{...}}).")
    return value


def _records(file: BinaryIO, encoding: str) -> Iterator[Record]:
    """One array or object, or several after each other as in JSON Lines."""
    with open_text(file, encoding) as text:
        reader = JsonReader(text)
        while first := reader.peek():
            if first == "[":
                yield from _elements(reader)
            elif first == "{":
                yield from _members(reader)
            else:
                reader.value()  # names the line when this is no JSON at all
                raise RejectedDocumentError("The JSON file holds neither an object nor an array of objects.")


def _elements(reader: JsonReader) -> Iterator[Record]:
    for number, value in enumerate(reader.elements(), start=1):
        yield Record(_object(value, f"Element {number} of the JSON array"))


def _members(reader: JsonReader) -> Iterator[Record]:
    """The records of the array that the object wraps, else the object as a record of its own."""
    fields: dict[str, Any] = {}
    is_wrapper = False
    for key in reader.members():
        is_candidate = key.lower() in _CONTAINER_NAMES and _RECORD_NAMES.isdisjoint(map(str.lower, fields))
        if is_candidate and reader.peek() == "[" and reader.peek_second() == "{":
            is_wrapper = True
            yield from _elements(reader)
        else:
            fields[key] = reader.value()
    if not is_wrapper:
        yield from _unwrapped(fields)
    elif any(_is_text(value) for value in fields.values()):
        yield Record(fields)


def _unwrapped(fields: dict[str, Any]) -> Iterator[Record]:
    """An array of objects under a name of its own is a wrapper's, if nothing beside it is a record's."""
    only = next(iter(fields.values())) if len(fields) == 1 else None
    if isinstance(only, dict):
        yield from _unwrapped(only)
        return
    arrays = [key for key, value in fields.items() if _is_array_of_objects(value)]
    others = [value for key, value in fields.items() if key not in arrays]
    is_wrapper = len(arrays) == 1 and not any(isinstance(value, dict | list) or _is_text(value) for value in others)
    if not is_wrapper or not _RECORD_NAMES.isdisjoint(map(str.lower, fields)):
        yield Record(fields)
        return
    yield from map(Record, fields[arrays[0]])


def _is_array_of_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _is_text(value: Any) -> bool:
    """Prose, which must not be lost, rather than a version or a count."""
    return isinstance(value, str) and len(value) > 100
