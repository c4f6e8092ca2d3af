"""Tables of a PDF: lines of cells below a line of headers become rows whose cells are led by their headers.

PDF has no tables, only text at places. So this asks for much before it calls lines one: names above, at least two rows whose
cells stand below them one by one, and headers that are set apart from the rows, by weight or by numbers below words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from functions.ingest.parsing.blocks import Block
from functions.ingest.parsing.pdf_lines import Cell, Line
from functions.ingest.parsing.tables import is_number, table_blocks

_MIN_ROWS = 2
_MAX_HEADER_CHARS = 60
_ROW_STEP = 3.5  # font sizes between two rows at most
_LINE_STEP = 1.6  # … and between two lines of one cell


@dataclass(frozen=True, slots=True)
class Table:
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]

    def blocks(self, page: int) -> list[Block]:
        return [replace(block, page=page) for block in table_blocks(self.headers, self.rows)]


def split_tables(lines: Sequence[Line]) -> Iterator[Table | Line]:
    """The lines in their order, those of a table together."""
    index = 0
    while index < len(lines):
        table, end = _table_at(lines, index)
        yield table or lines[index]
        index = end


def _table_at(lines: Sequence[Line], start: int) -> tuple[Table | None, int]:
    """The table whose headers are at `start` and the index behind it, or none and the next index."""
    head = lines[start]
    names = {cell.text for cell in head.parts}
    if len(names) < max(2, head.cells) or not all(map(_is_name, names)):
        return None, start + 1
    columns: list[dict[int, str]] = []  # the cells of each row by their column; -1 is left of all headers
    end = start + 1
    last = head
    while end < len(lines):
        step = last.baseline - lines[end].baseline
        if not 0 < step < _ROW_STEP * last.size or not _add(columns, lines[end], head.parts, step):
            break
        last = lines[end]
        end += 1
    if len(columns) < _MIN_ROWS or not _is_set_apart(head, lines[start + 1 : end], columns):
        return None, start + 1
    first = -1 if any(-1 in row for row in columns) else 0
    headers = [""] * -first + [cell.text for cell in head.parts]
    rows = [[row.get(column, "") for column in range(first, head.cells)] for row in columns]
    return Table(headers, rows), end


def _add(rows: list[dict[int, str]], line: Line, headers: Sequence[Cell], step: float) -> bool:
    """Whether the line is a row of the table, or goes on in one cell of its last row."""
    cells = line.parts or (Cell(line.text, line.left, line.right),)
    places = [_column(cell, headers) for cell in cells]
    if None in places or len(set(places)) < len(places):
        return False
    if line.cells > 1:
        rows.append({place: cell.text for place, cell in zip(places, cells, strict=True) if place is not None})
        return True
    place = places[0]
    is_inside = place is not None and place + 1 < len(headers) and line.right < headers[place + 1].left
    if not rows or place not in rows[-1] or not is_inside or step > _LINE_STEP * line.size:
        return False
    rows[-1][place] += f" {line.text}"
    return True


def _column(cell: Cell, headers: Sequence[Cell]) -> int | None:
    """The one header that the cell stands below; -1 for one left of all; None if it is below several or between."""
    below = [index for index, header in enumerate(headers) if cell.left < header.right and header.left < cell.right]
    if len(below) == 1:
        return below[0]
    return -1 if not below and cell.right <= headers[0].left else None


def _is_name(text: str) -> bool:
    return len(text) <= _MAX_HEADER_CHARS and any(map(str.isalpha, text)) and not is_number(text)


def _is_set_apart(head: Line, lines: Sequence[Line], rows: Sequence[dict[int, str]]) -> bool:
    if head.is_bold and not any(line.is_bold for line in lines):
        return True
    for column, header in enumerate(head.parts):
        cells = [row[column] for row in rows if row.get(column)]
        has_digits = sum(any(map(str.isdigit, cell)) for cell in cells)
        if has_digits * 2 > len(cells) and not any(map(str.isdigit, header.text)):
            return True
    return False
