"""Headers, footers and page numbers: what stands at the same height of several neighbouring pages."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

from functions.ingest.parsing.pdf_lines import Line, Page

_MARGIN = 0.12  # of the page's height, at the top and at the bottom
_REACH = 4  # pages looked at before and after: left and right pages often differ, so that every second one counts
_MAX_NUMBERED_CHARS = 80
_HEIGHT_STEP = 4.0  # points within which two lines stand equally high
_ROMAN = re.compile("[ivxlc]{1,8}")
_ROMAN_VALUES = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}
_DIGITS = re.compile(r"\d+")

_Key = tuple[object, ...]
_PAGE_NUMBER: _Key = ("page number",)  # needs no neighbour to be known


def without_margins(pages: Iterable[Page]) -> Iterator[Page]:
    """The pages without the lines that repeat in their margins; holds nine pages at a time."""
    waiting: deque[tuple[Page, list[set[_Key]]]] = deque()
    done: deque[tuple[Page, list[set[_Key]]]] = deque(maxlen=_REACH)
    for page in pages:
        waiting.append((page, [_keys(line, page) for line in page.lines]))
        if len(waiting) > _REACH:
            yield _settle(waiting, done)
    while waiting:
        yield _settle(waiting, done)


def _settle(waiting: deque[tuple[Page, list[set[_Key]]]], done: deque[tuple[Page, list[set[_Key]]]]) -> Page:
    page, keys = current = waiting.popleft()
    around = [*done, *list(waiting)[:_REACH]]
    neighbours = {other.number: set().union(*others) for other, others in around if others}
    done.append(current)
    kept = [line for line, own in zip(page.lines, keys, strict=True) if not _is_repeated(own, page.number, neighbours)]
    return replace(page, lines=kept)


def _is_repeated(keys: set[_Key], number: int, neighbours: dict[int, set[_Key]]) -> bool:
    """Whether two neighbours have the line too: two of all but the title page, or of those on the same side.

    One is enough where there are no two.
    """
    if _PAGE_NUMBER in keys:
        return True
    inner = [others for other, others in neighbours.items() if other != 1 or len(neighbours) == 1]
    same_side = [others for other, others in neighbours.items() if (other - number) % 2 == 0]
    return any(
        group and sum(key in others for others in group) >= min(2, len(group))
        for group in (inner, same_side)
        for key in keys
    )


def _keys(line: Line, page: Page) -> set[_Key]:
    """What makes a margin's line the same on another page: its text but for numbers, or a number that counts pages."""
    if page.height * _MARGIN < line.baseline < page.height * (1 - _MARGIN):
        return set()
    text = " ".join(line.text.split()).lower()
    # Two steps, so that a border between them does not part what stands equally high.
    heights = {int(line.baseline // _HEIGHT_STEP), int((line.baseline + _HEIGHT_STEP / 2) // _HEIGHT_STEP) + 10_000}
    alone = text.strip("-\u2013— ")
    if alone == str(page.number):
        return {_PAGE_NUMBER}
    if _ROMAN.fullmatch(alone):
        return {("counts", _roman(alone) - page.number, height) for height in heights}
    keys: set[_Key] = {(_DIGITS.sub("#", text), height) for height in heights}
    numbers = _DIGITS.findall(text) if len(text) <= _MAX_NUMBERED_CHARS else []
    for number in {number for number in (*numbers[:1], *numbers[-1:]) if len(number) < 6}:
        if text.startswith(number) or text.endswith(number):
            keys |= {("counts", int(number) - page.number, height) for height in heights}
    return keys


def _roman(text: str) -> int:
    values = [_ROMAN_VALUES[letter] for letter in text]
    return sum(-value if value < max(values[index:]) else value for index, value in enumerate(values))
