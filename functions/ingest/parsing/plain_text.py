"""Plain text: paragraphs are set apart by blank lines, headings only where the text leaves no doubt."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO, TextIO

from functions.ingest.parsing import limits
from functions.ingest.parsing.blocks import Block
from functions.ingest.parsing.charset import detect_encoding
from functions.ingest.parsing.document import ParsedDocument, Section
from functions.ingest.parsing.hyphenation import WordMender
from functions.ingest.parsing.outline import fold_blocks
from functions.ingest.parsing.text_source import iter_lines, open_text

# "BOOK ONE: 1805", "CHAPTER I", "Chapter 5. Title": the word that opens the line, and the heading's level.
_DIVISIONS = (
    (1, re.compile(r"(?:BOOK|PART|VOLUME|TEIL|BUCH|BAND|KISIM|PARTIE|LIVRE|PARTE)\b", re.IGNORECASE)),
    (2, re.compile(r"(?:CHAPTER|KAPITEL|BÖLÜM|CHAPITRE|CAPÍTULO|CAPITOLO|APPENDIX|ANHANG|EK)\b", re.IGNORECASE)),
)
_ORDINAL = re.compile(
    r"\w+\s+(?:\d{1,3}|[IVXLC]{1,8}|[A-Z]|ONE|TWO|THREE|FOUR|FIVE|SIX|SEVEN|EIGHT|NINE|TEN|ELEVEN|TWELVE"
    r"|THIRTEEN|FOURTEEN|FIFTEEN)\b(?:\s*[.:\u2013—-].{0,80})?\s*$",
    re.IGNORECASE,
)
_CAPITALS_LEVEL = 3
_HEADING_CHARS = 100


def parse_text(file: BinaryIO) -> ParsedDocument:
    return ParsedDocument(_sections(file, detect_encoding(file)))


def _sections(file: BinaryIO, encoding: str) -> Iterator[Section]:
    mender = WordMender()
    with open_text(file, encoding) as text:
        mender.learn_words(iter_lines(text, limits.MAX_SECTION_CHARS))
    with open_text(file, encoding) as text:
        yield from fold_blocks(_blocks(_mended(_paragraphs(text), mender)))


def _paragraphs(text: TextIO) -> Iterator[list[str]]:
    """Lines between blank ones, as they are; one longer than a section comes in pieces."""
    lines: list[str] = []
    size = 0
    for line in iter_lines(text, limits.MAX_SECTION_CHARS):
        if not line.strip() or size + len(line) > limits.MAX_SECTION_CHARS:
            if lines:
                yield lines
            lines, size = [], 0
        if line.strip():
            lines.append(line.rstrip())
            size += len(line) + 1
    if lines:
        yield lines


def _mended(paragraphs: Iterable[list[str]], mender: WordMender) -> Iterator[str]:
    """Paragraphs whose lines stay as they are, but for words that were broken at a line's end."""
    for lines in paragraphs:
        mender.learn(lines)
        text = lines[0]
        for line in lines[1:]:
            text = mender.appended(text, line.lstrip(), blank="") if _is_broken(text, line) else f"{text}\n{line}"
        yield text


def _is_broken(text: str, line: str) -> bool:
    """Whether a word goes on in the next line; the hyphen of a list, a rule or a name in capitals stays."""
    return text.endswith("-") and text[-2:-1].isalpha() and line.lstrip()[:1].islower()


def _blocks(paragraphs: Iterable[str]) -> Iterator[Block]:
    """A line in capitals is a heading only if what follows is not: some texts are all in capitals."""
    held: str | None = None
    for paragraph in paragraphs:
        if held is not None:
            yield Block(held, heading_level=None if _is_capitals(paragraph) else _CAPITALS_LEVEL)
            held = None
        if (level := _division_level(paragraph)) is not None:
            yield Block(paragraph, heading_level=level)
        elif _is_capitals(paragraph):
            held = paragraph
        else:
            yield Block(paragraph)
    if held is not None:
        yield Block(held)


def _division_level(paragraph: str) -> int | None:
    if "\n" in paragraph or len(paragraph) > _HEADING_CHARS or not _ORDINAL.match(paragraph):
        return None
    return next((level for level, pattern in _DIVISIONS if pattern.match(paragraph)), None)


def _is_capitals(paragraph: str) -> bool:
    letters = sum(character.isalpha() for character in paragraph[:_HEADING_CHARS])
    is_short = "\n" not in paragraph and len(paragraph) <= _HEADING_CHARS and letters >= 4
    return is_short and paragraph.isupper() and not paragraph.endswith((".", ",", ";", "!", "?"))
