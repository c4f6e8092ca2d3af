"""Parsers of prose yield blocks in reading order; here they become sections under their heading path."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from functions.ingest.parsing import limits
from functions.ingest.parsing.document import Section


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, a list item, a table's row or a heading.

    A heading closes the headings of its own level and below; one without text only closes them.
    """

    text: str
    heading_level: int | None = None
    page: int | None = None
    tight: bool = False  # follows the block before it on the next line, not after a blank one


@dataclass(slots=True)
class _Outline:
    """The open headings, outermost first."""

    levels: list[int] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    is_unused: bool = False  # the innermost heading has neither text nor a heading under it yet

    def close(self, level: int) -> None:
        while self.levels and self.levels[-1] >= level:
            self.levels.pop()
            self.titles.pop()
            self.is_unused = False

    def open(self, level: int, title: str) -> None:
        self.levels.append(level)
        self.titles.append(title)
        self.is_unused = True


def fold_blocks(blocks: Iterable[Block]) -> Iterator[Section]:
    """Gather blocks into sections, one or more per heading path; nothing is lost, not even a heading without text."""
    outline = _Outline()
    pending: list[Block] = []
    size = 0
    page: int | None = None
    for block in blocks:
        if block.heading_level is not None:
            yield from _close_section(outline, pending, page, block.heading_level)
            outline.close(block.heading_level)
            if block.text.strip():
                outline.open(block.heading_level, " ".join(block.text.split()))
            page, size = block.page, 0
        elif block.text.strip():
            if size + len(block.text) > limits.MAX_SECTION_CHARS:
                yield from _close_section(outline, pending, page, None)
                size = 0
            page = page if pending and page else block.page or page
            pending.append(block)
            outline.is_unused = False
            size += len(block.text) + 2
    yield from _close_section(outline, pending, page, 0)


def _close_section(
    outline: _Outline, pending: list[Block], page: int | None, closing_level: int | None
) -> Iterator[Section]:
    if pending:
        yield Section(join_blocks(pending), tuple(outline.titles), page)
        pending.clear()
    elif outline.is_unused and closing_level is not None and outline.levels[-1] >= closing_level:
        yield Section(outline.titles[-1], tuple(outline.titles[:-1]), page)


def join_blocks(blocks: Iterable[Block]) -> str:
    pieces: list[str] = []
    for block in blocks:
        if pieces:
            pieces.append("\n" if block.tight else "\n\n")
        pieces.append(block.text)
    return "".join(pieces)
