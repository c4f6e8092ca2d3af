"""Tables: as lines of prose, each cell led by its column's header, and as the names of records' fields."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from itertools import zip_longest

from functions.ingest.parsing.blocks import Block
from functions.ingest.parsing.faq import QUESTION_LEVEL, is_question

_MAX_NAME_CHARS = 200  # it is repeated in every row
_MARKUP = re.compile(
    r"</?(?:div|p|span|ul|ol|li|b|strong|i|em|a|br|h[1-6]|table|tr|td|sup|sub)(?:\s[^<>]{0,2000})?/?>", re.IGNORECASE
)


def table_blocks(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> list[Block]:
    """One block per row that has text. A row of a single cell spans the table, and stands without a header."""
    cells = [[" ".join(cell.split()) for cell in row] for row in rows]
    if pairs := question_blocks(cells):
        return pairs
    lines = [_row_line(headers, row) for row in cells]
    return [Block(line, tight=index > 0) for index, line in enumerate(filter(None, lines))]


def question_blocks(rows: Sequence[Sequence[str]]) -> list[Block]:
    """A column of questions beside a column of answers, as pairs, lone cells as titles above them; else nothing."""
    filled = [row for row in ([cell for cell in row if cell] for row in rows) if row]
    pairs = [row for row in filled if len(row) == 2]
    titles = [row[0] for row in filled if len(row) == 1]
    is_faq = all(is_question(question) and not is_question(answer) for question, answer in pairs)
    if len(pairs) < 2 or len(pairs) + len(titles) < len(filled) or not is_faq or any(map(is_question, titles)):
        return []
    blocks: list[Block] = []
    for first, *answers in filled:
        blocks += [Block(first, is_bold=True) if answers else Block(first, heading_level=QUESTION_LEVEL - 2)]
        blocks += map(Block, answers)
    return [*blocks, Block("", heading_level=QUESTION_LEVEL - 2)]


def asking_column(rows: Sequence[Sequence[object]]) -> int | None:
    """The column whose first cell asks, as most cells below it do: that row is none of names. (A survey's may ask.)"""
    for column, first in enumerate(rows[0] if rows else ()):
        cells = [str(row[column]) for row in rows if len(row) > column and not is_empty(row[column])]
        if is_question(str(first)) and len(cells) > 1 and sum(map(is_question, cells)) * 2 > len(cells):
            return column
    return None


def names_without_header(rows: Sequence[Sequence[object]]) -> list[str]:
    """The names of the columns of rows none of which names them: a question and its answer, or numbers."""
    width = len(rows[0])
    names = [""] * width
    column = asking_column(rows)
    if column is not None and width == 2:
        names[column], names[1 - column] = "question", "answer"
    return unique_names(names)


def _row_line(headers: Sequence[str], row: Sequence[str]) -> str:
    if len(row) == 1:
        return row[0]
    pairs = zip_longest(headers, row, fillvalue="")
    return "; ".join(f"{name[:_MAX_NAME_CHARS]}: {cell}" if name else cell for name, cell in pairs if cell)


def unique_names(cells: Iterable[object]) -> list[str]:
    """Column names as found; an empty one becomes "column 3", a repeated one "name (2)"."""
    names: dict[str, int] = {}  # each with how often it was asked for
    for position, cell in enumerate(cells, start=1):
        base = " ".join(str(cell).split())[:_MAX_NAME_CHARS] if cell is not None else ""
        base = base or f"column {position}"
        name = base
        while name in names:
            names[base] += 1
            name = f"{base} ({names[base]})"
        names[name] = 1
    return list(names)


def is_empty(cell: object) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def header_index(rows: Sequence[Sequence[object]]) -> int | None:
    """The position of the row that names the columns, or None when these rows are only notes.

    It is the first row with two cells of text that has more than one row of cells beneath it (one is enough under
    three names), and that is not much narrower than those: "Source: | CDC" above nine columns is a note.
    """
    filled = [sum(not is_empty(cell) for cell in row) for row in rows]
    for index, row in enumerate(rows):
        beneath = sorted(count for count in filled[index + 1 : index + 21] if count)
        texts = sum(isinstance(cell, str) and not is_empty(cell) and not is_number(cell) for cell in row)
        enough_rows = len(beneath) > 1 or (len(beneath) == 1 and texts >= 3)
        usual = beneath[len(beneath) // 2] if beneath else 0
        is_label = filled[index] < usual and str(next(filter(bool, row), "")).rstrip().endswith(":")
        if texts >= 2 and enough_rows and filled[index] * 2 >= usual and not is_label:
            return index
    return None


def is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def without_markup(cell: str) -> str:
    """The text of a cell that holds an HTML fragment from its first to its last character; any other as it is."""
    if not (cell.lstrip().startswith("<") and cell.rstrip().endswith(">") and _MARKUP.match(cell.lstrip())):
        return cell
    return html.unescape(_MARKUP.sub(" ", cell)).strip()
