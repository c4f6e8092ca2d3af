"""The text of one WordprocessingML paragraph, as a reader sees it: insertions in, deletions and field codes out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_MATH_TEXT = "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
# A text box is walked as blocks of its own; a fallback repeats what stands beside it for older programs.
_SKIPPED = {f"{W}{name}" for name in ("pPr", "del", "moveFrom", "instrText", "delText", "txbxContent", "sectPr")}
_SKIPPED.add(_FALLBACK)
_CHARACTERS = {f"{W}tab": "\t", f"{W}br": "\n", f"{W}cr": "\n", f"{W}noBreakHyphen": "-", f"{W}ptab": "\t"}


def paragraph_text(paragraph: Any) -> str:
    return "".join(_pieces(paragraph)).strip()


def _pieces(element: Any) -> Iterator[str]:
    for child in element.iterchildren():
        tag = child.tag
        if tag in (f"{W}t", _MATH_TEXT):
            yield child.text or ""
        elif tag in _CHARACTERS:
            yield _CHARACTERS[tag]
        elif tag not in _SKIPPED and isinstance(tag, str) and not (tag == f"{W}r" and _is_hidden(child)):
            yield from _pieces(child)


def _is_hidden(run: Any) -> bool:
    vanish = run.find(f"{W}rPr/{W}vanish")
    return vanish is not None and is_on(vanish)


def is_on(switch: Any) -> bool:
    """A switch is on by being there, unless it says otherwise."""
    return switch.get(f"{W}val", "true") not in ("0", "false", "off")


def bold_lead(paragraph: Any) -> str:
    """The text of the runs from the first on that are bold by themselves; all of the paragraph's if each of them is."""
    lead = ""
    for run in paragraph.iter(f"{W}r"):
        text = "".join(_pieces(run))
        mark = run.find(f"{W}rPr/{W}b")
        if text.strip() and (mark is None or not is_on(mark)):
            break
        lead += text
    return lead.strip()


def text_boxes(paragraph: Any) -> Iterator[Any]:
    """The contents of text boxes anchored in the paragraph, each once."""
    for box in paragraph.iter(f"{W}txbxContent"):
        inner = next(box.iterancestors(_FALLBACK, f"{W}txbxContent"), None)
        if inner is None:
            yield box


def note_ids(paragraph: Any, kind: str) -> list[str]:
    """The ids of the footnotes or endnotes (`kind`) that the paragraph refers to."""
    return [reference.get(f"{W}id", "") for reference in paragraph.iter(f"{W}{kind}Reference")]


def value(element: Any, path: str) -> str | None:
    """The w:val of the element at `path` ("pPr/numPr/ilvl"), or None."""
    found = element.find("/".join(f"{W}{name}" for name in path.split("/")))
    return None if found is None else found.get(f"{W}val")


def number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 9 else None
