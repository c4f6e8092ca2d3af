"""Lines of a page to paragraphs and list items; words broken at line ends are mended."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from functions.ingest.parsing.blocks import Block
from functions.ingest.parsing.hyphenation import WordMender
from functions.ingest.parsing.pdf_lines import Line
from functions.ingest.parsing.pdf_tables import Table, split_tables
from functions.ingest.parsing.question_lines import asks_alone

_ITEM = re.compile(r"\s*(?:[•▪◦‣∙●○■□➢➤✓✔\u2013—*-]\s+\S|\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)]\s+\S)")
_SENTENCE_ENDS = (".", "!", "?", ":", "。", "”", '"', "…", ".)")


class ParagraphBuilder:
    """Joins the lines of one document; one for all its pages, which learn from each other how words are written."""

    def __init__(self) -> None:
        self._mender = WordMender()

    def blocks(self, lines: Sequence[Line], page: int) -> Iterator[Block]:
        self._mender.learn(line.text for line in lines)
        pitch = _usual_pitch(lines)
        paragraph: list[Line] = []
        was_tabular = False
        for line in split_tables(lines):
            if paragraph and (isinstance(line, Table) or _breaks(paragraph, line, pitch)):
                yield self._block(paragraph, page, was_tabular)
                was_tabular = _is_tabular(paragraph)
                paragraph = []
            if isinstance(line, Table):
                yield from line.blocks(page)
                was_tabular = False
            else:
                paragraph.append(line)
        if paragraph:
            yield self._block(paragraph, page, was_tabular)

    def _block(self, paragraph: Sequence[Line], page: int, was_tabular: bool) -> Block:
        is_bold = all(line.is_bold for line in paragraph)
        return Block(self.join(paragraph), page=page, tight=was_tabular and _is_tabular(paragraph), is_bold=is_bold)

    def join(self, lines: Sequence[Line]) -> str:
        text = ""
        for line in lines:
            piece = line.text.strip() + "-" * line.is_hyphenated
            text = self._mender.appended(text, piece) if text else piece
        return text


def _usual_pitch(lines: Sequence[Line]) -> float:
    """The distance between lines of a paragraph, in font sizes."""
    steps = [
        (upper.baseline - lower.baseline) / upper.size
        for upper, lower in pairwise(lines)
        if abs(upper.size - lower.size) < 0.1 * upper.size
    ]
    usual = sorted(step for step in steps if 0.8 < step < 2.5)
    return usual[len(usual) // 2] if usual else 1.25


def _breaks(paragraph: Sequence[Line], line: Line, pitch: float) -> bool:
    """Whether the line begins a new paragraph, an item or a row."""
    last = paragraph[-1]
    is_same_size = 0.87 < line.size / last.size < 1.15
    if last.is_hyphenated and is_same_size and line.text[:1].isalpha():
        return False
    if line.cells > 1 or last.cells > 1 or _ITEM.match(line.text):
        return True
    if len(paragraph) == 1 and asks_alone(last.text) and not line.text.lstrip()[:1].islower():
        return True
    if not is_same_size or line.is_bold != last.is_bold:
        return True
    is_finished = last.text.rstrip().endswith(_SENTENCE_ENDS)
    step = last.baseline - line.baseline
    if step < 0:  # the next column, or a figure's label
        return is_finished or not line.text.lstrip()[:1].islower()
    if step > 1.3 * pitch * last.size:
        return True
    return _is_deliberate(paragraph, line) or (is_finished and line.left > last.left + 0.8 * line.size)


def _is_deliberate(paragraph: Sequence[Line], line: Line) -> bool:
    """Whether the next word would have fitted on the last line, so that its author ended it there."""
    last = paragraph[-1]
    if line.text.lstrip()[:1].islower():
        return False
    margin = max(line.right, *(earlier.right for earlier in paragraph))
    word = len(line.text.split(" ", 1)[0]) + 1
    width = (line.right - line.left) / max(len(line.text), 1) * word
    return last.right + 1.5 * width < margin


def _is_tabular(paragraph: Sequence[Line]) -> bool:
    return paragraph[0].cells > 1 or bool(_ITEM.match(paragraph[0].text))
