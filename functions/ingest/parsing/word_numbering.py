"""List markers of a Word document, which stores counters and patterns instead of "1." and "a)"."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from functions.ingest.parsing.word_text import W, number, value

_ROMAN: tuple[tuple[int, str], ...] = (
    (1000, "m"),
    (900, "cm"),
    (500, "d"),
    (400, "cd"),
    (100, "c"),
    (90, "xc"),
    (50, "l"),
    (40, "xl"),
)
_ROMAN += ((10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))


@dataclass(frozen=True, slots=True)
class _Level:
    form: str = "bullet"
    pattern: str = ""
    start: int = 1


@dataclass(slots=True)
class Numbering:
    """Counts list items in document order."""

    levels: dict[str, dict[int, _Level]]  # by numId
    lists: dict[str, str]  # numId to the abstract list whose counters it shares
    counters: dict[str, dict[int, int]] = field(default_factory=dict)

    def next_marker(self, num_id: str, depth: int) -> str:
        """The marker of the next item of this list at this depth: "-", "3.", "2.1)"."""
        levels = self.levels.get(num_id, {})
        level = levels.get(depth, _Level())
        counters = self.counters.setdefault(self.lists.get(num_id, num_id), {})
        counters[depth] = counters.get(depth, level.start - 1) + 1
        for deeper in [other for other in counters if other > depth]:
            del counters[deeper]
        if level.form in ("bullet", "none"):
            return "-"
        marker = level.pattern or f"%{depth + 1}."
        for other in range(depth + 1):
            shown = levels.get(other, _Level("decimal"))
            marker = marker.replace(f"%{other + 1}", _written(counters.get(other, shown.start), shown.form))
        return marker


def read_numbering(root: Any | None) -> Numbering:
    """From the root of numbering.xml, or None where the document has none."""
    if root is None:
        return Numbering({}, {})
    abstract = {item.get(f"{W}abstractNumId", ""): _levels(item) for item in root.iter(f"{W}abstractNum")}
    lists = {item.get(f"{W}numId", ""): value(item, "abstractNumId") or "" for item in root.iter(f"{W}num")}
    return Numbering({num_id: abstract.get(name, {}) for num_id, name in lists.items()}, lists)


def _levels(abstract: Any) -> dict[int, _Level]:
    return {
        number(level.get(f"{W}ilvl")) or 0: _Level(
            value(level, "numFmt") or "decimal", value(level, "lvlText") or "", _start(value(level, "start"))
        )
        for level in abstract.iter(f"{W}lvl")
    }


def _start(text: str | None) -> int:
    found = number(text)
    return 1 if found is None else found


def _written(count: int, form: str) -> str:
    if form in ("lowerLetter", "upperLetter"):
        letter = chr(ord("a") + (count - 1) % 26) * ((count - 1) // 26 % 50 + 1)
        return letter if form == "lowerLetter" else letter.upper()
    if form in ("lowerRoman", "upperRoman") and 0 < count < 4000:
        return _roman(count) if form == "lowerRoman" else _roman(count).upper()
    return f"{count:02}" if form == "decimalZero" else str(count)


def _roman(count: int) -> str:
    text = ""
    for size, letters in _ROMAN:
        text += letters * (count // size)
        count %= size
    return text
