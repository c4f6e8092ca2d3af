"""An HTML page as a stream of tags and text, without what readers do not see. The only user of selectolax."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from functions.ingest.parsing import limits
from functions.ingest.parsing.html_accordions import find_accordions
from functions.ingest.parsing.html_surroundings import is_beside_text
from shared.errors import RejectedDocumentError

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser as Tree
    from selectolax.lexbor import LexborNode as Node

__all__ = ["Node", "Tag", "Tree", "main_part", "read_tree", "visible_parts"]

_NEVER_TEXT = {"script", "style", "noscript", "template", "head", "iframe", "object", "svg", "canvas", "audio"}
_NEVER_TEXT |= {"video", "select", "input", "textarea", "map", "dialog", "datalist", "frameset", "annotation"}
_INLINE = {"span", "a", "i", "b", "em", "sup", "small"}
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_HIDDEN_CLASSES = {"mw-editsection", "noprint", "sr-only", "visually-hidden", "screen-reader-text"}
_HIDDEN_CLASSES |= {"mw-jump-link", "navbox", "catlinks", "printfooter", "breadcrumb", "breadcrumbs"}
_HEADINGS = "h1, h2, h3, h4, h5, h6"
_HEADING_TAGS = {"h1", "h2", "h3", "h4", "h5", "h6", "summary", "dt"}
_TITLES = {"p", *_HEADING_TAGS}
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
# Their end tags may be missing without anything being nested.
_SELF_CLOSING = {"p", "li", "dt", "dd", "tr", "td", "th", "option", "thead", "tbody", "tfoot", "colgroup"}
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:]*)")
# What only looks nested: comments, scripts and styles, and the tags of drawings and formulas that close themselves.
_UNSEEN = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_CLOSED = re.compile(r"<([a-zA-Z][a-zA-Z0-9:]*)((?:\s(?:[^<>]{0,20000}[\s\"'])?)?)/>")
_LARGE_TAG = re.compile(r"<[a-zA-Z][^<>]{200000}")
# In XHTML these may close themselves; an HTML parser would take the rest of the page for their content. The slash of
# an address without quotes is another.
_XHTML_EMPTY = re.compile(
    r"<(script|style|title|textarea|iframe|noscript|a|div|span|p)((?:\s(?:[^<>]{0,2000}[\s\"'])?)?)/>", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Tag:
    """An element's start, or its end."""

    name: str
    is_end: bool = False
    attributes: dict[str, str | None] = field(default_factory=dict)


def read_tree(markup: str) -> Tree:
    from selectolax.lexbor import LexborHTMLParser

    if "/>" in markup:
        markup = _XHTML_EMPTY.sub(r"<\1\2></\1>", markup)
    if _is_too_deep(markup):
        markup = _CLOSED.sub(_with_end, _UNSEEN.sub("", markup))
        if _is_too_deep(markup):
            raise RejectedDocumentError("The page is nested too deeply; simplify it and upload it again.")
    return LexborHTMLParser(markup)


def _is_too_deep(markup: str) -> bool:
    """Whether tags may be open in thousands, which only an attack has: the parser's time and memory grow with the square.

    What the parser takes for a comment, a script or a tag that closes itself depends on all before it, so everything counts.
    Raises RejectedDocumentError for more tags than memory allows.
    """
    opened: Counter[str] = Counter()
    depth = deepest = tags = 0
    for found in _TAG.finditer(markup):
        tags += 1
        name = found[2].lower()
        if name in _VOID or name in _SELF_CLOSING:
            continue
        if not found[1]:
            opened[name] += 1
            depth += 1
            deepest = max(deepest, depth)
        elif opened[name]:  # the end of nothing closes nothing
            opened[name] -= 1
            depth -= 1
    if tags > limits.MAX_MARKUP_TAGS:
        raise RejectedDocumentError(
            f"The page has more than {limits.MAX_MARKUP_TAGS:,} tags; split it into smaller ones and upload those."
        )
    return deepest > limits.MAX_MARKUP_DEPTH or _LARGE_TAG.search(markup) is not None


def _with_end(tag: re.Match[str]) -> str:
    return tag[0] if tag[1].lower() in _VOID else f"<{tag[1]}{tag[2]}></{tag[1]}>"


def main_part(tree: Tree) -> Node | None:
    """The element that holds most of the text: <main>, a lone <article>, or the body."""
    body = tree.body
    if body is None:
        return tree.root
    whole = len(body.text())
    for selector in ("main", "[role=main]", "article"):
        found = body.css(selector)
        if len(found) == 1 and len(found[0].text()) * 2 >= whole:
            return found[0]
    return body


def visible_parts(root: Node) -> Iterator[Tag | str]:
    """Tags and text in document order, without scripts, hidden elements, navigation and other surroundings.

    An accordion comes as <details>, its trigger as <summary>, unless that is a heading already.
    """
    whole = len(root.text())
    accordions = find_accordions(root)
    panels: dict[int, list[Tag]] = {}  # those behind a trigger that was met, each with what comes after it
    waiting: list[Node | Tag] = [root]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Tag):
            yield item
        elif item.is_text_node:
            yield item.text_content or ""
        elif item.is_element_node:
            name = item.tag or ""
            panel = accordions.get(item.mem_id)
            if panel is not None and not _is_hidden(item.attributes, name) and not _is_left_out(panel, whole):
                is_heading = _is_within(item, _HEADING_TAGS)
                panels[panel.mem_id] = [] if is_heading else [Tag("details", is_end=True)]
                name = name if is_heading else "summary"
                yield from () if is_heading else (Tag("details"),)
            elif item.mem_id != root.mem_id and item.mem_id not in panels and not _is_shown(item, whole):
                continue
            yield Tag(name, attributes=item.attributes)
            waiting.extend([*panels.get(item.mem_id, ()), Tag(name, is_end=True)])
            waiting.extend(reversed(list(item.iter(include_text=True))))


def _is_shown(node: Node, whole: int) -> bool:
    return not _is_hidden(node.attributes, node.tag or "") and not _is_left_out(node, whole)


def _is_left_out(node: Node, whole: int) -> bool:
    """Whether the element is none that one reads, hidden or not."""
    tag = node.tag or ""
    if tag in _NEVER_TEXT:
        return True
    if tag == "button":
        return not _is_within(node, _TITLES)  # the trigger of an accordion is its question
    if tag == "header" and _is_within(node, {"main", "article"}):
        return False  # an article's own header: its headings are shown, its menus are not
    if node.parent is not None and node.parent.tag == "header":
        return node.css_first(_HEADINGS) is None and tag not in _TITLES
    # Some pages are one large form; what holds most of the text is not beside it.
    return is_beside_text(node) and len(node.text()) * 2 <= whole


def _is_hidden(attributes: dict[str, str | None], tag: str) -> bool:
    if "hidden" in attributes or (tag in _INLINE and attributes.get("aria-hidden") == "true"):
        return True
    if _HIDDEN_STYLE.search(attributes.get("style") or ""):
        return True
    return not _HIDDEN_CLASSES.isdisjoint((attributes.get("class") or "").split())


def _is_within(node: Node, names: set[str]) -> bool:
    parent = node.parent
    while parent is not None and parent.tag not in names:
        parent = parent.parent
    return parent is not None
