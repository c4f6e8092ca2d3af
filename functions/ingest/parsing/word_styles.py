"""What a Word document's paragraph styles mean: headings, list items, lines of a table of contents."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from functions.ingest.parsing.word_text import W, number, value

_HEADING = re.compile(r"heading (\d)$", re.IGNORECASE)
_CONTENTS = re.compile(r"(?:toc|table of figures|toc heading)\b", re.IGNORECASE)
_MAX_INHERITANCE = 20


@dataclass(frozen=True, slots=True)
class Style:
    """`level` is a heading's: 0 for the Title style, 1 to 9 for headings, None for all other text."""

    level: int | None = None
    num_id: str | None = None
    depth: int | None = None
    is_contents: bool = False


def read_styles(root: Any | None) -> dict[str, Style]:
    """Styles by id, each with what it inherits."""
    elements = {} if root is None else {item.get(f"{W}styleId", ""): item for item in root.iter(f"{W}style")}
    return {style_id: _resolve(element, elements) for style_id, element in elements.items()}


def _resolve(element: Any, elements: dict[str, Any]) -> Style:
    """The nearest style that says something about a property wins; a chain in a circle is cut."""
    chain = [element]
    while len(chain) < _MAX_INHERITANCE and (base := elements.get(value(chain[-1], "basedOn") or "")) is not None:
        chain.append(base)
    level = next((own for item in chain if (own := _own_level(item)) is not None), None)
    num_id = next((name for item in chain if (name := value(item, "pPr/numPr/numId"))), None)
    depth = next((own for item in chain if (own := number(value(item, "pPr/numPr/ilvl"))) is not None), None)
    return Style(level, num_id, depth, bool(_CONTENTS.match(value(element, "name") or "")))


def _own_level(style: Any) -> int | None:
    name = value(style, "name") or ""
    if name.lower() == "title":
        return 0
    if found := _HEADING.match(name):
        return int(found[1])
    return outline_level(style)


def outline_level(element: Any) -> int | None:
    """The level that a style or a paragraph sets itself; Word counts from 0, and 9 means body text."""
    level = number(value(element, "pPr/outlineLvl"))
    return None if level is None or level > 8 else level + 1
