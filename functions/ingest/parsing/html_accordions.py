"""Accordions of a page: a trigger, nearly always a button, and the panel behind it that it shows and hides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.ingest.parsing.faq import is_question

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode as Node

_TRIGGERS = "button, [role=button], [aria-expanded]"
_ROLES = (None, "", "button")  # not the tabs above a row of panels, nor the entries of a menu
_MAX_STEPS = 4  # from the trigger up to the element that its panel follows
_MAX_TRIGGER_CHARS = 300


def find_accordions(root: Node) -> dict[int, Node]:
    """By the id in memory of each trigger: its panel, which follows it and has more to say than links."""
    found = {}
    for trigger in root.css(_TRIGGERS):
        attributes = trigger.attributes
        text = trigger.text().strip()
        unfolds = "aria-expanded" in attributes or "aria-controls" in attributes or is_question(text)
        if not unfolds or attributes.get("role") not in _ROLES or not 0 < len(text) <= _MAX_TRIGGER_CHARS:
            continue
        panel = _named(_following(trigger, root), attributes.get("aria-controls"))
        if panel is not None and _has_prose(panel):
            found[trigger.mem_id] = panel
    return found


def _following(trigger: Node, root: Node) -> Node | None:
    """The next element after the trigger, if nothing else is said between them."""
    node = trigger
    for _ in range(_MAX_STEPS):
        following = node.next
        while following is not None and not following.is_element_node:
            if following.is_text_node and (following.text_content or "").strip():
                return None
            following = following.next
        if following is not None:
            return following
        parent = node.parent
        if parent is None or parent.mem_id == root.mem_id:
            return None
        node = parent
    return None


def _named(following: Node | None, wanted: str | None) -> Node | None:
    """The element that the trigger names, if it follows; what follows, if the trigger names none."""
    if following is None or not wanted:
        return following
    return next((node for node in (following, *following.css("[id]")) if node.attributes.get("id") == wanted), None)


def _has_prose(panel: Node) -> bool:
    links = sum(len(link.text().strip()) for link in panel.css("a"))
    return panel.tag not in ("button", "input") and links * 2 < len(panel.text().strip())
