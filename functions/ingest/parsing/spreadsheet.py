"""Spreadsheets (XLSX, XLS): records by the header row of each sheet, notes as sections. The only user of calamine."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

from functions.ingest.parsing.document import ParsedDocument, Record, Section
from functions.ingest.parsing.refusals import refusing
from functions.ingest.parsing.sheet_bounds import refuse_huge_sheets
from functions.ingest.parsing.tables import (
    asking_column,
    header_index,
    names_without_header,
    unique_names,
    without_markup,
)
from shared.errors import RejectedDocumentError

if TYPE_CHECKING:
    from python_calamine import CalamineSheet

_HEAD_ROWS = 50
# Excel shows 15 significant digits, and computes with noise beyond them.
_SIGNIFICANT_DIGITS = 15
_EXACT = 1e15


def parse_workbook(file: BinaryIO) -> ParsedDocument:
    from python_calamine import PasswordError, load_workbook

    file.seek(0)
    if zipfile.is_zipfile(file):
        refuse_huge_sheets(file)
    file.seek(0)
    try:
        workbook = load_workbook(file)
    except PasswordError as exc:
        raise RejectedDocumentError("The file is password-protected; remove the password and upload it again.") from exc
    names = [sheet.name for sheet in workbook.sheets_metadata if "WorkSheet" in str(sheet.typ)]
    return ParsedDocument(_content(workbook, names))


def _content(workbook: Any, names: Sequence[str]) -> Iterator[Section | Record]:
    for name in names:
        with refusing("spreadsheet"):
            sheet = workbook.get_sheet_by_name(name)
        yield from _sheet(sheet, name)


def _sheet(sheet: CalamineSheet, name: str) -> Iterator[Section | Record]:
    rows = (row for row in map(_values, sheet.iter_rows()) if any(cell is not None for cell in row))
    head = list(islice(rows, _HEAD_ROWS))
    start = header_index(head)
    if start is None:
        yield from _notes([*head, *rows], name)
        return
    yield from _notes(head[:start], name)
    asks = asking_column(head[start:]) is not None
    names = names_without_header(head[start:]) if asks else unique_names(head[start])
    for body in (head[start if asks else start + 1 :], rows):
        for row in body:
            yield Record({key: cell for key, cell in zip(names, row, strict=False) if cell is not None}, section=name)


def _notes(rows: Sequence[Sequence[Any]], name: str) -> Iterator[Section]:
    lines = ["; ".join(str(cell) for cell in row if cell is not None) for row in rows]
    if lines:
        yield Section("\n".join(lines), (name,))


def _values(row: Sequence[Any]) -> list[Any]:
    return [_value(cell) for cell in row]


def _value(cell: Any) -> Any:
    """The cell as the sheet shows it: 3 rather than 3.0, dates in ISO form, None when there is nothing in it."""
    if isinstance(cell, str):
        return None if not cell or cell.isspace() else without_markup(cell)
    if isinstance(cell, float):
        rounded = cell if cell.is_integer() else float(f"{cell:.{_SIGNIFICANT_DIGITS}g}")
        return int(rounded) if rounded.is_integer() and abs(rounded) < _EXACT else rounded
    if isinstance(cell, datetime) and cell.time() == time():
        return cell.date().isoformat()
    if isinstance(cell, date | time):
        return cell.isoformat()
    return str(cell) if isinstance(cell, timedelta) else cell
