"""What parsers of prose yield, in reading order: paragraphs, list items, rows of tables and headings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, a list item, a table's row or a heading.

    A heading closes the headings of its own level and below; one without text only closes them.
    """

    text: str
    heading_level: int | None = None
    page: int | None = None
    tight: bool = False  # follows the block before it on the next line, not after a blank one
    is_bold: bool = False  # all of it
    links: tuple[str, ...] = ()  # see Section


def join_blocks(blocks: Iterable[Block]) -> str:
    pieces: list[str] = []
    for block in blocks:
        if pieces:
            pieces.append("\n" if block.tight else "\n\n")
        pieces.append(block.text)
    return "".join(pieces)
