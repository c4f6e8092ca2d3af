"""What stands around a page's text: known by the elements made for it, by their roles, and by the names they are given."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode as Node

_TAGS = {"nav", "header", "footer", "aside", "form"}
_ROLES = {"navigation", "banner", "contentinfo", "search", "complementary", "menu", "alert", "dialog", "alertdialog"}
# Banners that ask for consent: the names that sites and the common tools give them.
_CONSENT = re.compile(
    r"cookie[-_]?(?:banner|bar|consent|law|message|modal|notice|notification|overlay|popup|policy-popup|prompt|warning|wall)"
    r"|cookies?[-_]?(?:alert|dialog)|(?:consent|gdpr|kvkk|ccpa|privacy)[-_]?(?:banner|bar|modal|notice|overlay|popup)"
    r"|onetrust|cookiebot|usercentrics|didomi|quantcast|qc-cmp|osano|truste|cmplz|cky-consent|cc[-_](?:window|banner)",
    re.IGNORECASE,
)
_NAMED = {"div", "section", "ul", "ol", "p", "table"}
_PLACE = r"(?:(?:site|page|main|global|primary|secondary|left|right|top|bottom|blog|mobile)[-_]?)?"
_PART = r"(?:[-_]?(?:wrapper|wrap|container|inner|area|widgets?|links?|buttons?|icons?|list|items?))?"
# Names that stand for nothing else, and names that also mean a heading, a restaurant's menu, or a share of something.
_SURROUNDING_NAME = re.compile(rf"{_PLACE}(?:side-?bar|footer|bread-?crumbs?){_PART}", re.IGNORECASE)
_LINKING_NAME = re.compile(
    rf"{_PLACE}(?:header|masthead|menu|nav|nav-?bar|nav-?menu|navigation|top-?bar|pagination|pager|share|sharing|social"
    rf"|social[-_](?:share|media)|related(?:[-_](?:posts|articles))?|tag-?cloud){_PART}",
    re.IGNORECASE,
)
_LINKED_SHARE = 0.4


def is_beside_text(node: Node) -> bool:
    """Whether the element is navigation, a sidebar, a banner or the like, going by what it is called."""
    tag, attributes = node.tag or "", node.attributes
    if tag in _TAGS or (attributes.get("role") or "") in _ROLES:
        return True
    names = [name for key in ("id", "class") if (name := attributes.get(key))]
    if any(_CONSENT.search(name) for name in names):
        return True
    tokens = " ".join(names).split() if tag in _NAMED else []
    if any(_SURROUNDING_NAME.fullmatch(token) for token in tokens):
        return True
    return any(_LINKING_NAME.fullmatch(token) for token in tokens) and _is_linked(node)


def _is_linked(node: Node) -> bool:
    """Whether much of its text is links."""
    linked = sum(len(link.text().strip()) for link in node.css("a"))
    return linked > 0 and linked >= _LINKED_SHARE * len("".join(node.text().split()))
