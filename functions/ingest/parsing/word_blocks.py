"""A Word document's body as blocks in document order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from functions.ingest.parsing.blocks import Block
from functions.ingest.parsing.faq import is_question
from functions.ingest.parsing.tables import asking_column, is_number, table_blocks
from functions.ingest.parsing.word_numbering import Numbering
from functions.ingest.parsing.word_styles import Style, outline_level
from functions.ingest.parsing.word_text import W, bold_lead, note_ids, number, paragraph_text, text_boxes, value

_TRANSPARENT = {f"{W}{name}" for name in ("sdt", "sdtContent", "customXml", "ins", "moveTo", "smartTag")}
_MAX_SPAN = 63  # Word's own bound on the columns of a table
_MAX_HEADER_CHARS = 120
_MAX_REPEATED_CHARS = 200


@dataclass(slots=True)
class WordReader:
    """Walks containers of paragraphs and tables, counting list items on the way."""

    styles: dict[str, Style]
    numbering: Numbering
    notes: dict[str, dict[str, str]] = field(default_factory=dict)  # kind ("footnote", "endnote"), id, text
    was_item: bool = False

    def blocks(self, container: Any) -> Iterator[Block]:
        for child in container.iterchildren():
            if child.tag == f"{W}p":
                yield from self._paragraph(child)
            elif child.tag == f"{W}tbl":
                yield from self._table(child)
                self.was_item = False
            elif child.tag in _TRANSPARENT:
                yield from self.blocks(child)

    def _paragraph(self, paragraph: Any) -> Iterator[Block]:
        style = self.styles.get(value(paragraph, "pPr/pStyle") or "", Style())
        text = paragraph_text(paragraph)
        if text and not style.is_contents:
            yield from self._blocks(paragraph, style, text)
        for box in text_boxes(paragraph):
            yield from self.blocks(box)
        for kind, texts in self.notes.items():
            yield from (Block(texts[note]) for note in note_ids(paragraph, kind) if texts.get(note))

    def _blocks(self, paragraph: Any, style: Style, text: str) -> Iterator[Block]:
        own = outline_level(paragraph)
        level = style.level if own is None else own
        marker = self._marker(paragraph, style)
        lead = bold_lead(paragraph)
        if level is not None:
            self.was_item = False
            yield Block(text, heading_level=level)
        elif is_question(lead) and text.startswith(lead):  # a bold question, and its answer if the paragraph goes on
            self.was_item = False
            yield Block(lead, is_bold=True)
            yield from (Block(answer) for answer in [text[len(lead) :].strip()] if answer)
        else:
            is_tight = bool(marker) and self.was_item
            self.was_item = bool(marker)
            yield Block(marker + text, tight=is_tight)

    def _marker(self, paragraph: Any, style: Style) -> str:
        """The indented marker of a list item with a blank, or nothing; a list id of 0 takes an item out of its list."""
        num_id = value(paragraph, "pPr/numPr/numId") or style.num_id
        if not num_id or num_id == "0":
            return ""
        depth = number(value(paragraph, "pPr/numPr/ilvl"))
        depth = min((style.depth or 0) if depth is None else depth, 8)
        return f"{'  ' * depth}{self.numbering.next_marker(num_id, depth)} "

    def _table(self, table: Any) -> Iterator[Block]:
        rows = [list(_within(row, f"{W}tc")) for row in _within(table, f"{W}tr")]
        if len(rows) < 2 or max(map(len, rows)) < 2:
            for cell in (cell for row in rows for cell in row):  # a frame around text rather than a table
                self.was_item = False
                yield from self.blocks(cell)
            return
        yield from _lines(self._grid(rows))

    def _grid(self, rows: list[list[Any]]) -> list[list[str]]:
        """The texts of the cells by column; one that spans rows is repeated in each of them."""
        above: dict[int, str] = {}
        grid: list[list[str]] = []
        for row in rows:
            texts: list[str] = []
            for cell in row:
                merge = cell.find(f"{W}tcPr/{W}vMerge")
                continues = merge is not None and merge.get(f"{W}val", "continue") == "continue"
                text = above.get(len(texts), "") if continues else self._cell_text(cell)
                above[len(texts)] = text if len(text) <= _MAX_REPEATED_CHARS else ""
                span = min(number(value(cell, "tcPr/gridSpan")) or 1, _MAX_SPAN)
                # In a row of its own a spanning cell is a title; table_blocks knows it by its loneliness.
                texts += [text] + [""] * (span - 1 if len(row) > 1 else 0)
            grid.append(texts)
        return [texts for texts in grid if any(texts)]

    def _cell_text(self, cell: Any) -> str:
        was_item, self.was_item = self.was_item, False
        pieces = [" ".join(block.text.split()) for block in self.blocks(cell)]
        self.was_item = was_item
        return " / ".join(pieces)


def _within(element: Any, tag: str) -> Iterator[Any]:
    """Children of this tag, also those inside content controls and tracked insertions."""
    for child in element.iterchildren():
        if child.tag == tag:
            yield child
        elif child.tag in _TRANSPARENT:
            yield from _within(child, tag)


def _lines(grid: list[list[str]]) -> list[Block]:
    titles = 0
    while titles < len(grid) and len(grid[titles]) == 1:
        titles += 1
    rows = grid[titles:]
    lines: list[list[str]] = grid[:titles]
    if not rows:
        return table_blocks([], lines)
    is_list = all(row[0].endswith(":") for row in rows)
    are_names = all(len(text) <= _MAX_HEADER_CHARS and " / " not in text and not is_number(text) for text in rows[0])
    if is_list or not are_names or len(rows) == 1 or asking_column(rows) is not None:
        return table_blocks([], lines + rows)
    blocks = table_blocks(rows[0], lines + rows[1:])
    return [replace(blocks[0], tight=False), *blocks[1:]] if blocks else []
