"""From blocks to sections under their heading path, questions and their answers among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from functions.ingest.parsing import limits
from functions.ingest.parsing.blocks import Block, join_blocks
from functions.ingest.parsing.document import Section
from functions.ingest.parsing.faq import with_questions
from functions.ingest.parsing.question_lines import with_question_lines


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
    links: list[str] = []
    size = 0
    page: int | None = None
    for block in with_questions(with_question_lines(blocks)):
        if block.heading_level is not None:
            yield from _close_section(outline, pending, page, links, block.heading_level)
            outline.close(block.heading_level)
            if block.text.strip():
                outline.open(block.heading_level, " ".join(block.text.split()))
            page, size = block.page, 0
            links += block.links
        elif block.text.strip():
            if size + len(block.text) > limits.MAX_SECTION_CHARS:
                yield from _close_section(outline, pending, page, links, None)
                size = 0
            page = page if pending and page else block.page or page
            pending.append(block)
            links += block.links
            outline.is_unused = False
            size += len(block.text) + 2
    yield from _close_section(outline, pending, page, links, 0)


def _close_section(
    outline: _Outline, pending: list[Block], page: int | None, links: list[str], closing_level: int | None
) -> Iterator[Section]:
    found = tuple(dict.fromkeys(links))
    links.clear()
    if pending:
        yield Section(join_blocks(pending), tuple(outline.titles), page, found)
        pending.clear()
    elif outline.is_unused and closing_level is not None and outline.levels[-1] >= closing_level:
        yield Section(outline.titles[-1], tuple(outline.titles[:-1]), page, found)
