"""Lines that ask, each above its answer, without any mark: where a section is made of them, they are its headings.

A question within prose is none: it shares its line with other sentences, or stands alone among many paragraphs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from functions.ingest.parsing.blocks import Block
from functions.ingest.parsing.faq import QUESTION_LEVEL, begins_with_mark, is_question

_MAX_LINE_CHARS = 160
_MAX_HELD_CHARS = 100_000  # of a section; what is longer is settled in parts
_FEWEST = 2
_USUAL_BLOCKS = 6  # of a question with its answer; a section with longer ones is prose
_MARKER = re.compile(r"[ \t]*(?:(?:[-*•]|\(?\d{1,3}[.)])[ \t]+)?")
_SENTENCE_END = re.compile(r"[.!?:…][\"'”’)]*\s|[。！？؟]\s?(?=.)")
_ENDS = (".", "!", "?", ":", "…", "。", "！", "？", "؟", "।", ";")
_SPEECH = ('"', "'", "“", "”", "„", "«", "»", "‘", "’", "「", "—", "\u2013", "-", ">", "|")


@dataclass(frozen=True, slots=True)
class _Line:
    block: Block
    text: str
    is_first: bool  # of its block
    asks: bool


def with_question_lines(blocks: Iterable[Block]) -> Iterator[Block]:
    """The blocks, with lines that ask as headings in the sections that are made of such lines and their answers."""
    held: list[Block] = []
    size = 0
    for block in blocks:
        if block.heading_level is not None or size >= _MAX_HELD_CHARS:
            yield from _settled(held)
            held, size = [], 0
        if block.heading_level is not None:
            yield block
        else:
            held.append(block)
            size += len(block.text) + 1
    yield from _settled(held)


def _settled(blocks: Sequence[Block]) -> Iterator[Block]:
    lines = [line for block in blocks for line in _lines(block)]
    asking = {index for index, line in enumerate(lines) if line.asks}
    answered = {index for index in asking if index + 1 < len(lines) and index + 1 not in asking}
    is_dense = len(blocks) <= _USUAL_BLOCKS * len(answered)
    is_made_of_them = is_dense and len(answered) >= max(_FEWEST, len(asking) / 2)
    yield from _headed(lines, answered) if is_made_of_them else blocks


def _lines(block: Block) -> Iterator[_Line]:
    before = "."
    for number, text in enumerate(block.text.split("\n")):
        asks = before.rstrip().endswith(_ENDS) and not block.is_bold and asks_alone(text)
        yield _Line(block, text, number == 0, asks)
        before = text


def asks_alone(line: str) -> bool:
    """Whether the line is one question and nothing else: no speech of a story, no sentence with a question after it."""
    if not line.strip() or not is_question(line) or begins_with_mark(line):
        return False
    text = _without_marker(line)
    is_sentence = not text[0].islower() and not text.startswith(_SPEECH) and text[-1] not in _SPEECH
    return is_sentence and len(text) <= _MAX_LINE_CHARS and not _SENTENCE_END.search(text)


def _without_marker(line: str) -> str:
    return line[_MARKER.match(line).end() :].strip()  # type: ignore[union-attr]  # matches nothing at least


def _headed(lines: Sequence[_Line], answered: set[int]) -> Iterator[Block]:
    """The lines as blocks again, cut before and after each question; the items of a list have no marker of their own."""
    texts: list[str] = []
    block: Block | None = None
    for index, line in enumerate(lines):
        if block is not None and (line.is_first or index in answered):
            yield replace(block, text="\n".join(texts))
            block = None
        if index in answered:
            yield Block(_without_marker(line.text), heading_level=QUESTION_LEVEL - 1, page=line.block.page)
        elif block is None:
            block, texts = line.block, [line.text.lstrip() if index - 1 in answered else line.text]
        else:
            texts.append(line.text)
    if block is not None:
        yield replace(block, text="\n".join(texts))
