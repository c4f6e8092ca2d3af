"""HTML tables: which are data, what heads their columns, and which cells span others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile, zip_longest

from functions.ingest.parsing.blocks import Block
from functions.ingest.parsing.html_tree import Tag
from functions.ingest.parsing.tables import asking_column, is_number, question_blocks, table_blocks

_LAYOUT_TAGS = {"table", "h1", "h2", "h3", "h4", "h5", "h6", "details", "pre"}
_INLINE = {"a", "abbr", "b", "bdi", "cite", "code", "em", "font", "i", "mark", "q", "s", "small", "span", "strong"}
_INLINE |= {"sub", "sup", "time", "u", "wbr", "data", "ins", "del", "kbd", "var", "samp", "tt", "big", "label"}
_MAX_SPAN = 100
_MAX_COLUMNS = 1_000
_MAX_HEADER_CHARS = 60
_MAX_REPEATED_CHARS = 200


@dataclass(slots=True)
class _Cell:
    is_header: bool
    columns: int
    rows: int
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join("".join(self.pieces).split())


@dataclass(slots=True)
class _Row:
    is_head: bool
    cells: list[_Cell] = field(default_factory=list)

    @property
    def is_header(self) -> bool:
        filled = [cell for cell in self.cells if cell.text]
        return bool(filled) and (self.is_head or all(cell.is_header for cell in filled))


def is_layout(parts: Sequence[Tag | str]) -> bool:
    """Whether a table only arranges the page: it holds headings or tables, or has no second column."""
    names = [part.name for part in parts if isinstance(part, Tag) and not part.is_end]
    if not _LAYOUT_TAGS.isdisjoint(names[1:]) or "td" not in names:
        return True
    return max((len(row.cells) for row in _rows(parts)), default=0) < 2


def data_blocks(parts: Sequence[Tag | str]) -> list[Block]:
    rows = [row for row in _rows(parts) if any(cell.text for cell in row.cells)]
    titles = list(takewhile(lambda row: sum(bool(cell.text) for cell in row.cells) == 1, rows))
    rows = rows[len(titles) :]
    lines = [[_only_text(row)] for row in titles]
    if not rows:
        return table_blocks([], lines)
    heads = next((index for index, row in enumerate(rows) if not row.is_header), len(rows))
    grid = _expand(rows)
    if heads == len(rows):
        heads = 0  # nothing but header cells: they are the data
    if not heads and _leads_columns(rows):
        heads = 1
    texts = [[cell.text for cell in row.cells] for row in rows[heads:]]
    if pairs := question_blocks([*lines, *texts]):
        return pairs
    if not heads:
        return table_blocks([], lines + [_led_by_row_header(row) for row in rows])
    headers = [" ".join(dict.fromkeys(filter(None, column))) for column in zip_longest(*grid[:heads], fillvalue="")]
    lines += [_unless_spanning(row, cells) for row, cells in zip(rows, grid, strict=True)][heads:]
    return table_blocks(headers, lines)


def _rows(parts: Iterable[Tag | str]) -> Iterator[_Row]:
    row = _Row(is_head=False)
    in_head = False
    for part in parts:
        if isinstance(part, str):
            if row.cells:
                row.cells[-1].pieces.append(part)
        elif part.name == "thead":
            in_head = not part.is_end
        elif part.name == "tr":
            if row.cells:
                yield row
            row = _Row(in_head)
        elif part.name in ("td", "th") and not part.is_end:
            row.cells.append(_Cell(part.name == "th", _span(part, "colspan"), _span(part, "rowspan")))
        elif row.cells and part.name not in _INLINE:
            row.cells[-1].pieces.append(" - " if part.name == "li" and not part.is_end else " ")
    if row.cells:
        yield row


def _span(tag: Tag, name: str) -> int:
    value = (tag.attributes.get(name) or "1").strip()
    return max(1, min(int(value), _MAX_SPAN)) if value.isascii() and value.isdigit() and len(value) < 6 else 1


def _expand(rows: Sequence[_Row]) -> list[list[str]]:
    """Every row with all its columns; a cell's text is repeated in the rows that it spans, not in the columns."""
    grid: list[list[str]] = []
    hanging: dict[int, tuple[int, str]] = {}  # column: rows still covered, text
    for row in rows:
        is_header = row.is_header
        cells: list[str] = []
        waiting = iter(row.cells)
        cell = next(waiting, None)
        while (cell is not None or len(cells) in hanging) and len(cells) < _MAX_COLUMNS:
            if len(cells) in hanging:
                left, text = hanging.pop(len(cells))
                if left > 1:
                    hanging[len(cells)] = (left - 1, text)
                cells.append(text)
            elif cell is not None:
                if cell.rows > 1 and len(cell.text) <= _MAX_REPEATED_CHARS:
                    hanging[len(cells)] = (cell.rows - 1, cell.text)
                spanned = cell.text if is_header else ""
                cells += [cell.text] + [spanned] * (cell.columns - 1)
                cell = next(waiting, None)
        grid.append(cells)
    return grid


def _leads_columns(rows: Sequence[_Row]) -> bool:
    """Without <th>: a full first row of short, different words above enough rows is taken for the header."""
    if len(rows) < (3 if len(rows[0].cells) < 3 else 2) or any(cell.is_header for row in rows for cell in row.cells):
        return False
    texts = [cell.text for cell in rows[0].cells]
    if asking_column([[cell.text for cell in row.cells] for row in rows]) is not None:
        return False
    are_names = all(text and len(text) <= _MAX_HEADER_CHARS and not is_number(text) for text in texts)
    is_list = all(row.cells[0].text.endswith(":") for row in rows)
    return are_names and len(set(texts)) == len(texts) > 1 and not is_list


def _led_by_row_header(row: _Row) -> list[str]:
    """ "Kingdom: Animalia" where a row begins with its own header."""
    cells = [cell for cell in row.cells if cell.text]
    leads = cells[0].text.endswith(":") or (cells[0].is_header and not cells[-1].is_header)
    if len(cells) > 1 and leads:
        return [f"{cells[0].text.rstrip(': ')}: " + "; ".join(cell.text for cell in cells[1:])]
    return ["; ".join(cell.text for cell in cells)]


def _unless_spanning(row: _Row, cells: list[str]) -> list[str]:
    """A lone cell that spans the table is a title between the rows."""
    return [_only_text(row)] if len(row.cells) == 1 and row.cells[0].columns > 1 else cells


def _only_text(row: _Row) -> str:
    return next((cell.text for cell in row.cells if cell.text), "")
