"""Runs of text on a PDF page, brought into reading order and joined to lines."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

# In multiples of the font size.
_CELL_GAP = 1.2
_WORD_GAP = 0.15
_GUTTER = 0.8
# TeX sets an accent as a character of its own before its letter: "Laszl", acute accent, "o".
_LOOSE_ACCENT = re.compile(" ?([\u00b4¨ˇ˘˚]) ?([A-Za-z])")
_COMBINING = {"\u00b4": "\u0301", "¨": "\u0308", "ˇ": "\u030c", "˘": "\u0306", "˚": "\u030a"}
_MAX_COMPARED_RUNS = 250  # beyond, comparing all pairs costs more than it is worth
_MAX_CUT_RUNS = 500


@dataclass(frozen=True, slots=True)
class Cell:
    """A stretch of a line between wide gaps."""

    text: str
    left: float
    right: float


@dataclass(frozen=True, slots=True)
class Line:
    """Text on one baseline; coordinates in points from the lower left corner of the page as it is seen."""

    text: str
    left: float
    right: float
    baseline: float
    size: float
    is_hyphenated: bool = False
    is_bold: bool = False
    parts: tuple[Cell, ...] = ()  # of a line with wide gaps, as in a table's row

    @property
    def cells(self) -> int:
        return max(1, len(self.parts))

    @property
    def bottom(self) -> float:
        return self.baseline - 0.2 * self.size

    @property
    def top(self) -> float:
        return self.baseline + 0.8 * self.size


@dataclass(frozen=True, slots=True)
class Page:
    """`number` is 1-based. `lines` may be replaced on the way from runs to text."""

    number: int
    width: float
    height: float
    lines: Sequence[Line] = field(default_factory=tuple)


def lines_in_reading_order(page: Page) -> Page:
    """The order in which the page was written is nearly always that of reading; geometry decides where it is not."""
    runs = list(page.lines)
    if _contradicts_geometry(runs) or _alternates_between_columns(runs, page.width):
        runs = _cut(runs, page.width)
    return replace(page, lines=_merge(runs))


def _contradicts_geometry(runs: Sequence[Line]) -> bool:
    """Whether much of the text comes after text that stands below it in the same column."""
    if len(runs) > _MAX_COMPARED_RUNS:
        return False
    boxes = [(run.left, run.right, run.bottom, run.top) for run in runs]
    pairs = inverted = 0
    for index, (left, right, bottom, _) in enumerate(boxes):
        for other_left, other_right, _, other_top in boxes[:index]:
            if other_left < right and left < other_right:
                pairs += 1
                inverted += bottom > other_top
    return inverted > 0.2 * pairs and inverted > 3


def _alternates_between_columns(runs: Sequence[Line], width: float) -> bool:
    """Whether two columns of prose were written line by line across both."""
    gutter = _gutter(runs, width) if len(runs) <= _MAX_CUT_RUNS else None
    if gutter is None:
        return False
    sides = [run.left > gutter for run in runs]
    changes = sum(one != other for one, other in pairwise(sides))
    return changes > len(runs) / 2


def _gutter(runs: Sequence[Line], width: float) -> float | None:
    """The middle of a blank strip from top to bottom that has columns of prose, rather than of a table, beside it."""
    reach = float("-inf")
    for run in sorted(runs, key=lambda run: run.left):
        if run.left - reach > _GUTTER * run.size and reach > float("-inf"):
            middle = (reach + run.left) / 2
            if _is_prose([run for run in runs if run.right < middle], width) and _is_prose(
                [run for run in runs if run.left > middle], width
            ):
                return middle
        reach = max(reach, run.right)
    return None


def _is_prose(runs: Sequence[Line], width: float) -> bool:
    """At least three lines, in a column of at least a quarter of the page that most of them fill by half."""
    if len(runs) < 3:
        return False
    extent = max(run.right for run in runs) - min(run.left for run in runs)
    return extent >= width / 4 and sorted(run.right - run.left for run in runs)[len(runs) // 2] >= extent / 2


def _cut(runs: list[Line], width: float) -> list[Line]:
    """The X-Y cut (Nagy and Seth, 1984): columns side by side first, else at the widest blank between."""
    ordered: list[Line] = []
    waiting = [runs]
    while waiting:
        part = waiting.pop()
        if (gutter := _gutter(part, width)) is not None:
            waiting += [[run for run in part if run.left > gutter], [run for run in part if run.right < gutter]]
        elif index := _widest_blank(part := sorted(part, key=lambda run: -run.top)):
            waiting += [part[index:], part[:index]]
        else:
            ordered += sorted(part, key=lambda run: (-round(run.baseline), run.left))
    return ordered


def _widest_blank(runs: Sequence[Line]) -> int:
    """The index of the first run, from the top, below the widest blank strip; 0 if there is none."""
    widest, found = 0.0, 0
    bottom = float("inf")
    for index, run in enumerate(runs):
        if index and bottom - run.top > widest:
            widest, found = bottom - run.top, index
        bottom = min(bottom, run.bottom)
    return found


def _merge(runs: Iterable[Line]) -> list[Line]:
    lines: list[Line] = []
    for run in runs:
        if lines and _continues(lines[-1], run):
            lines[-1] = _joined(lines[-1], run)
        else:
            lines.append(run)
    return [_with_accents(line) for line in lines if line.text.strip()]


def _with_accents(line: Line) -> Line:
    parts = tuple(replace(cell, text=_LOOSE_ACCENT.sub(_accented, cell.text).strip()) for cell in line.parts)
    return replace(line, text=_LOOSE_ACCENT.sub(_accented, line.text), parts=parts)


def _accented(found: re.Match[str]) -> str:
    letter = unicodedata.normalize("NFC", found[2] + _COMBINING[found[1]])
    return letter if len(letter) == 1 else found[0]


def _continues(line: Line, run: Line) -> bool:
    """Whether the run stands on the line's right; indices and exponents overlap with it by half of their height."""
    overlap = min(line.top, run.top) - max(line.bottom, run.bottom)
    is_level = overlap >= 0.5 * min(line.size, run.size)
    return is_level and run.left >= line.right - 0.4 * max(line.size, run.size) and not line.is_hyphenated


def _joined(line: Line, run: Line) -> Line:
    gap = run.left - line.right
    size = max(line.size, run.size)
    is_cell = gap > _CELL_GAP * size
    blank = "  " if is_cell else " " if gap > _WORD_GAP * size else ""
    if line.text.endswith(" ") or run.text.startswith(" "):
        blank = " " if is_cell else ""
    longer = line if len(line.text) >= len(run.text) else run
    return Line(
        f"{line.text}{blank}{run.text}",
        min(line.left, run.left),
        max(line.right, run.right),
        longer.baseline,
        longer.size,
        run.is_hyphenated,
        longer.is_bold,
        _parts(line, run, None if is_cell else blank),
    )


def _parts(line: Line, run: Line, blank: str | None) -> tuple[Cell, ...]:
    """The cells of both, with `blank` between the neighbouring ones if they are one."""
    before = line.parts or (Cell(line.text, line.left, line.right),)
    after = run.parts or (Cell(run.text, run.left, run.right),)
    if blank is not None:
        last, first = before[-1], after[0]
        joined = Cell(f"{last.text}{blank}{first.text}", last.left, max(last.right, first.right))
        before, after = (*before[:-1], joined), after[1:]
    parts = (*before, *after)
    return parts if len(parts) > 1 else ()
