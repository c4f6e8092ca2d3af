"""HTML and XHTML pages: the main text under its headings, and what the page's head says about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, BinaryIO

from functions.ingest.parsing.document import ParsedDocument, Section
from functions.ingest.parsing.facts import parse_date, usable_text, usable_title
from functions.ingest.parsing.html_blocks import html_blocks
from functions.ingest.parsing.html_faq import declared_questions, with_declared
from functions.ingest.parsing.html_tree import main_part, read_tree, visible_parts
from functions.ingest.parsing.json_ld import declared_article
from functions.ingest.parsing.outline import fold_blocks
from functions.ingest.parsing.text_source import read_markup

if TYPE_CHECKING:
    from functions.ingest.parsing.html_tree import Tree

_AUTHORS = ("author", "article:author", "dc.creator", "dcterms.creator", "citation_author")
_DATES: tuple[str, ...] = (
    "article:published_time",
    "date",
    "dc.date",
    "dcterms.date",
    "dcterms.created",
    "datepublished",
    "pubdate",
)
_DATES += ("citation_publication_date", "og:published_time", "publish_date", "dc.date.issued")
_DESCRIPTIONS = {"description": ("description", "og:description"), "keywords": ("keywords",)}


def parse_html(file: BinaryIO) -> ParsedDocument:
    tree = read_tree(read_markup(file))
    meta = _meta(tree)
    heading = tree.css_first("title")
    metadata = {name: _first(meta, keys) for name, keys in _DESCRIPTIONS.items()}
    root = tree.css_first("html")
    metadata["language"] = usable_text(root.attributes.get("lang") if root else None, 35)
    author = _first(meta, _AUTHORS)
    dates = (parse_date(meta.get(key)) for key in _DATES)
    declared_author, declared_date = declared_article(tree)
    return ParsedDocument(
        _sections(tree),
        title=usable_title(heading.text() if heading else None) or usable_title(_first(meta, ("og:title", "dc.title"))),
        author=author if author and not author.startswith("http") else usable_text(declared_author),
        published_at=next(filter(None, dates), None) or parse_date(declared_date),
        url=_own_url(tree, meta),
        metadata={name: value for name, value in metadata.items() if value},
    )


def _sections(tree: Tree) -> Iterator[Section]:
    root = main_part(tree)
    if root is not None:
        blocks = html_blocks(visible_parts(root))
        declared = declared_questions(tree)
        yield from fold_blocks(with_declared(list(blocks), declared) if declared else blocks)


def _own_url(tree: Tree, meta: Mapping[str, str]) -> str | None:
    """The address that the page says is its own, if it is a whole one."""
    link = tree.css_first("link[rel=canonical][href]")
    places = (link.attributes.get("href") if link else None, meta.get("og:url"))
    return next(
        (place.strip() for place in places if place and place.strip().startswith(("http://", "https://"))), None
    )


def _meta(tree: Tree) -> dict[str, str]:
    """<meta> by name, property or itemprop, in lower case; the first of several counts."""
    found: dict[str, str] = {}
    for node in tree.css("meta[content]"):
        attributes = node.attributes
        key = attributes.get("name") or attributes.get("property") or attributes.get("itemprop")
        if key and attributes.get("content"):
            found.setdefault(key.lower(), attributes["content"] or "")
    return found


def _first(meta: dict[str, str], keys: tuple[str, ...]) -> str | None:
    return next(filter(None, (usable_text(meta.get(key)) for key in keys)), None)
