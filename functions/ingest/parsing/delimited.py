"""CSV and TSV: the delimiter is sniffed, quoted fields may hold delimiters and line breaks, rows are streamed."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import BinaryIO, TextIO

from functions.ingest.parsing import limits
from functions.ingest.parsing.charset import detect_encoding
from functions.ingest.parsing.document import ParsedDocument, Record, Section
from functions.ingest.parsing.tables import (
    asking_column,
    header_index,
    is_empty,
    is_number,
    names_without_header,
    unique_names,
    without_markup,
)
from functions.ingest.parsing.text_source import open_text
from shared.errors import RejectedDocumentError

_DELIMITERS = (",", ";", "\t", "|")
_SNIFFED_CHARS = 65_536
_SNIFFED_ROWS = 50


def parse_delimited(file: BinaryIO) -> ParsedDocument:
    return ParsedDocument(_content(file, detect_encoding(file)))


def _content(file: BinaryIO, encoding: str) -> Iterator[Section | Record]:
    with open_text(file, encoding, newline="") as text:
        delimiter = _sniff_delimiter(text.read(_SNIFFED_CHARS))
    with open_text(file, encoding, newline="") as text:
        rows = _rows(text, delimiter)
        head = list(islice(rows, _SNIFFED_ROWS))
        yield from _records(head, rows)


def _records(head: list[list[str]], rest: Iterator[list[str]]) -> Iterator[Section | Record]:
    """Notes above the table as a section, then a record per row."""
    if not head:
        return
    start = 0
    if len(head[0]) < 2 or sum(not is_empty(cell) for cell in head[0]) < 2:
        start = header_index(head) or 0
    if start:
        yield Section("\n".join(" ".join(filter(None, map(str.strip, row))) for row in head[:start]))
    names, first = unique_names(head[start][: limits.MAX_COLUMNS]), start + 1
    if all(is_number(cell) or is_empty(cell) for cell in head[start]) or asking_column(head[start:]) is not None:
        names, first = names_without_header(head[start:]), start  # the first row is data already
    rows = chain(head[first:], rest)
    if (row_beneath := next(rows, None)) is None and not start:
        raise RejectedDocumentError("The CSV file has no rows beneath its header; upload one that has some.")
    for row in chain([row_beneath] if row_beneath else [], rows):
        if len(row) > len(names):
            names = _widened(names, len(row))
        yield Record({name: without_markup(cell) for name, cell in zip(names, row, strict=False) if not is_empty(cell)})


def _widened(names: list[str], width: int) -> list[str]:
    """Names for rows longer than the header; grown in large steps, in case every row is longer than the last."""
    if width > limits.MAX_COLUMNS:
        raise RejectedDocumentError(f"A row of the CSV file has more than {limits.MAX_COLUMNS:,} columns; split it.")
    return unique_names([*names, *[""] * (max(width, 2 * len(names)) - len(names))])


def _rows(text: TextIO, delimiter: str) -> Iterator[list[str]]:
    """Rows that are not empty. Raises RejectedDocumentError, naming the line, for a quote that is never closed."""
    csv.field_size_limit(limits.MAX_RECORD_CHARS)  # of the process; a constant, so setting it again is harmless
    pending: list[str] = []  # the lines of the row being read
    reader = csv.reader(_remembered(text, pending), delimiter=delimiter)
    begins = 1
    try:
        for row in reader:
            lines = pending[:]
            pending.clear()
            if len(lines) > 1:
                _refuse_open_quote(lines, delimiter, begins)
            begins = reader.line_num + 1
            if not all(map(is_empty, row)):
                yield row
    except csv.Error as exc:
        raise RejectedDocumentError(f"Line {begins} of the CSV file cannot be read ({exc}); mend the line.") from exc


def _remembered(text: TextIO, pending: list[str]) -> Iterator[str]:
    while line := text.readline(limits.MAX_RECORD_CHARS):
        # csv cannot take a NUL before Python 3.12, and no field needs one.
        line = line.replace("\0", "")
        pending.append(line)
        yield line


def _refuse_open_quote(lines: Iterable[str], delimiter: str, begins: int) -> None:
    """A row of several lines that the end of the file closed has swallowed the rows after its quote."""
    try:
        list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error as exc:
        if "end of data" in str(exc):
            raise RejectedDocumentError(
                f"A quotation mark that opens on line {begins} of the CSV file is never closed; close or double it."
            ) from exc


def _sniff_delimiter(sample: str) -> str:
    """The delimiter that splits the most rows into the same number of columns."""
    lines = sample.replace("\0", "").splitlines(keepends=True)
    if len(sample) == _SNIFFED_CHARS and len(lines) > 1:
        lines.pop()  # cut in the middle
    return max(_DELIMITERS, key=lambda delimiter: _consistency(lines, delimiter))


def _consistency(lines: list[str], delimiter: str) -> tuple[float, int]:
    try:
        widths = [len(row) for row in islice(csv.reader(lines, delimiter=delimiter), _SNIFFED_ROWS) if any(row)]
    except csv.Error:
        return 0.0, 0
    split = [width for width in widths if width > 1]
    if not split:
        return 0.0, 0
    usual = max(set(split), key=split.count)
    return split.count(usual) / len(widths), usual
