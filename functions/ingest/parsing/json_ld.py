"""What a page declares for search engines as JSON-LD (schema.org): its items, however deep they lie."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from functions.ingest.parsing.html_tree import Tree

_MAX_VALUES = 100_000  # of one script
_ARTICLES = {"BlogPosting", "Report", "WebPage", "MedicalWebPage"}  # besides all that end with "Article"


def declared_items(tree: Tree) -> Iterator[Mapping[str, Any]]:
    """Every object of every script, in their order; a broken script declares nothing."""
    for node in tree.css('script[type="application/ld+json"]'):
        try:
            value = json.loads(node.text() or "", strict=False)
        except (ValueError, RecursionError):
            continue
        yield from _items_in(value)


def _items_in(value: Any) -> Iterator[Mapping[str, Any]]:
    waiting, seen = [value], 0
    while waiting and seen < _MAX_VALUES:
        seen += 1
        item = waiting.pop()
        if isinstance(item, list):
            waiting += reversed(item)
        elif isinstance(item, Mapping):
            yield item
            waiting += reversed([inner for inner in item.values() if isinstance(inner, Mapping | list)])


def kinds_of(item: Mapping[str, Any]) -> list[str]:
    """Its types, without the address of their vocabulary."""
    kind = item.get("@type")
    kinds = kind if isinstance(kind, list) else [kind]
    return [each.rpartition("/")[2] for each in kinds if isinstance(each, str)]


def declared_article(tree: Tree) -> tuple[str | None, str | None]:
    """The author and the date of publication of the page's article; None where several articles differ."""
    authors: set[str] = set()
    dates: set[str] = set()
    for item in declared_items(tree):
        if any(kind.endswith("Article") or kind in _ARTICLES for kind in kinds_of(item)):
            authors |= set(filter(None, [_names(item.get("author"))]))
            dates |= {date for date in [item.get("datePublished")] if isinstance(date, str) and date}
    return _only(authors), _only(dates)


def _names(author: Any) -> str:
    authors = author if isinstance(author, list) else [author]
    names = (each.get("name") if isinstance(each, Mapping) else each for each in authors)
    return ", ".join(name for name in names if isinstance(name, str) and name)


def _only(found: set[str]) -> str | None:
    return next(iter(found)) if len(found) == 1 else None
