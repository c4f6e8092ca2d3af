"""Questions and answers that a page declares for search engines (schema.org's FAQPage, as JSON-LD or microdata).

Where they can be read on the page too, its own text is taken, which has the structure; they only say where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from functions.ingest.parsing.blocks import Block
from functions.ingest.parsing.faq import QUESTION_LEVEL
from functions.ingest.parsing.html_blocks import html_blocks
from functions.ingest.parsing.html_tree import read_tree, visible_parts
from functions.ingest.parsing.json_ld import declared_items, kinds_of
from shared.errors import RejectedDocumentError

if TYPE_CHECKING:
    from functions.ingest.parsing.html_tree import Node, Tree

_MAX_QUESTIONS = 2_000
_LEVEL = QUESTION_LEVEL - 2
_MARKER = re.compile(r"\s*(?:[-•*]|\d{1,3}[.)])\s+")


@dataclass(frozen=True, slots=True)
class DeclaredQuestion:
    """A question and the blocks of its answer."""

    question: str
    answer: Sequence[Block]

    @property
    def letters(self) -> str:
        return "".join(_letters(block.text) for block in self.answer)


def declared_questions(tree: Tree) -> list[DeclaredQuestion]:
    """Each question once, in the order of the page. What is broken declares nothing."""
    found: dict[str, DeclaredQuestion] = {}
    for question, answer in (*_of_scripts(tree), *_of_items(tree)):
        blocks = _blocks_of(answer)
        if _letters(question) and blocks and len(found) < _MAX_QUESTIONS:
            found.setdefault(_letters(question), DeclaredQuestion(" ".join(question.split()), blocks))
    return list(found.values())


def with_declared(blocks: Sequence[Block], declared: Sequence[DeclaredQuestion]) -> Iterator[Block]:
    """The blocks of the page with its declared questions as headings, and the answers that it does not show."""
    waiting = {_letters(item.question): item for item in declared}
    places = _places(blocks, waiting)
    answer = ""  # the letters of the answer that is being shown
    for index, block in enumerate(blocks):
        if answer and (block.heading_level is not None or _letters(block.text) not in answer):
            yield Block("", heading_level=_LEVEL)
            answer = ""
        item = waiting.pop(places.get(index, ""), None)
        if item is None:
            yield block
        elif not _is_shown(blocks, index, item):
            yield from (block, *item.answer)
        elif block.heading_level is not None:
            yield block
        else:
            answer = item.letters
            yield replace(block, text=item.question, heading_level=_LEVEL, tight=False)
    for item in waiting.values():
        yield Block("", heading_level=0)
        yield Block(item.question, heading_level=_LEVEL)
        yield from item.answer


def _places(blocks: Sequence[Block], waiting: Mapping[str, DeclaredQuestion]) -> dict[int, str]:
    """Where each question stands above its answer, else where it is a heading (of an answer that is folded away)."""
    shown: dict[str, int] = {}
    headings: dict[str, int] = {}
    for index, block in enumerate(blocks):
        if (item := waiting.get(letters := _letters(block.text))) is None:
            continue
        if _is_shown(blocks, index, item):
            shown.setdefault(letters, index)
        elif block.heading_level is not None:
            headings.setdefault(letters, index)
    return {index: letters for letters, index in {**headings, **shown}.items()}


def _is_shown(blocks: Sequence[Block], index: int, item: DeclaredQuestion) -> bool:
    """Whether the answer follows; below a heading it may be worded otherwise."""
    following = blocks[index + 1] if index + 1 < len(blocks) else None
    if following is None or following.heading_level is not None:
        return False
    return blocks[index].heading_level is not None or _letters(following.text) in item.letters


def _of_scripts(tree: Tree) -> Iterator[tuple[str, str]]:
    """Every Question with an accepted (else a suggested) answer."""
    for item in declared_items(tree):
        if "Question" in kinds_of(item):
            yield _text(item.get("name")), _answer_of(item)


def _answer_of(question: Mapping[str, Any]) -> str:
    answers = question.get("acceptedAnswer") or question.get("suggestedAnswer")
    first = answers[0] if isinstance(answers, list) and answers else answers
    return _text(first.get("text")) if isinstance(first, Mapping) else _text(first)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _of_items(tree: Tree) -> Iterator[tuple[str, str]]:
    for node in tree.css('[itemtype$="schema.org/Question"]'):
        name = node.css_first('[itemprop="name"]')
        answer = node.css_first('[itemprop="acceptedAnswer"] [itemprop="text"]') or node.css_first('[itemprop="text"]')
        if name is not None and answer is not None:
            yield _words(name), _inner_html(answer)


def _words(node: Node) -> str:
    return node.attributes.get("content") or node.text()


def _inner_html(node: Node) -> str:
    """Without the element itself, which may be hidden until it is unfolded."""
    content = node.attributes.get("content")
    return content if content else "".join(child.html or "" for child in node.iter(include_text=True))


def _blocks_of(answer: str) -> list[Block]:
    with suppress(RejectedDocumentError):  # nested absurdly: it is the page's own text that counts
        body = read_tree(answer).body if answer.strip() else None
        blocks = [] if body is None else list(html_blocks(visible_parts(body)))
        return [replace(block, heading_level=None) for block in blocks if block.text]
    return []


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, _MARKER.sub("", text, count=1).casefold()))
