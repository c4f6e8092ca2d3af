"""From an HTML page's tags and text to blocks: paragraphs, headings, list items, tables' rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from functions.ingest.parsing.blocks import Block
from functions.ingest.parsing.faq import QUESTION_LEVEL, is_question
from functions.ingest.parsing.html_tables import data_blocks, is_layout
from functions.ingest.parsing.html_tree import Tag

_INLINE = {"a", "abbr", "acronym", "b", "bdi", "bdo", "big", "button", "cite", "code", "data", "del", "dfn", "em"}
_INLINE |= {"font", "i", "img", "ins", "kbd", "label", "link", "mark", "math", "meta", "mi", "mn", "mo", "mrow", "nobr"}
_INLINE |= {"q", "rp", "rt", "ruby", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u"}
_INLINE |= {"var", "wbr"}
_HEADING = re.compile(r"h([1-6])$")
_BOLD = {"b", "strong"}
_TERM = "x-term"  # stands for the <dt> of a list of which each term with its definition is a pair
_TERM_LEVEL = 14
_LONG_DEFINITION = 80  # characters
_DETAILS_LEVEL = 7  # below every heading: a summary is the heading of what it unfolds
_WHITE = re.compile(r"[ \t\r\n\f\xa0]+")
_BLANKS = re.compile(" {2,}")
_AROUND_BREAK = re.compile(r" *+\n *+")


@dataclass(slots=True)
class _State:
    pieces: list[str] = field(default_factory=list)
    lists: list[int | None] = field(default_factory=list)  # the next number of each open list, None for bullets
    marker: str = ""  # waits for its item's first text
    heading_level: int | None = None
    preformatted: int = 0
    details: int = 0
    bold: int = 0
    bold_pieces: int = 0  # of the pieces, those from the first on that are bold or blank
    is_tight: bool = False  # the next block continues a list or a definition
    was_item: bool = False
    has_asked: bool = False  # an item of the open lists is a question
    links: list[str] = field(default_factory=list)  # wait for the block that they stand in


def html_blocks(parts: Iterable[Tag | str]) -> Iterator[Block]:
    state = _State()
    stream = iter(parts)
    for part in stream:
        if isinstance(part, str):
            _append(state, part if state.preformatted else _WHITE.sub(" ", part))
        elif part.name in _BOLD:
            state.bold = max(0, state.bold + (-1 if part.is_end else 1))
        elif part.name == "a":
            state.links += _links([part])
        elif part.name == "br":
            state.pieces.append("" if part.is_end else "\n")
        elif part.name == "table" and not part.is_end:
            yield from _flush(state)
            yield from _table(part, stream)
            state.was_item = False
        elif part.name == "dl" and not part.is_end:
            yield from _flush(state)
            yield from _definitions(_up_to_end(part, stream))
        elif part.name not in _INLINE and ":" not in part.name:
            yield from _flush(state)
            yield from (_end(state, part) if part.is_end else _start(state, part))
    yield from _flush(state)


def _append(state: _State, piece: str) -> None:
    if state.bold_pieces == len(state.pieces) and (state.bold or not piece.strip()):
        state.bold_pieces += 1
    state.pieces.append(piece)


def _flush(state: _State) -> Iterator[Block]:
    count, state.bold_pieces = state.bold_pieces, 0
    pieces, state.pieces = state.pieces, []
    if count < len(pieces) and is_question("".join(pieces[:count]).strip()):
        yield from _block(state, pieces[:count], is_bold=True)  # a bold question and its answer
        pieces, count = pieces[count:], 0
    yield from _block(state, pieces, is_bold=count == len(pieces))


def _block(state: _State, pieces: list[str], *, is_bold: bool) -> Iterator[Block]:
    text = "".join(pieces)
    text = text.strip("\n").rstrip() if state.preformatted else _BLANKS.sub(" ", _AROUND_BREAK.sub("\n", text)).strip()
    if not text.strip():
        return
    links, state.links = tuple(state.links), []
    if state.heading_level is not None:
        state.was_item = False
        yield Block(text, heading_level=state.heading_level, links=links)
        return
    if is_bold and is_question(text):
        state.marker, state.was_item, state.has_asked = "", False, bool(state.lists)
        yield Block(text, is_bold=True, links=links)
        return
    if state.lists:
        indent = "  " * (len(state.lists) - 1)
        text = f"{indent}{state.marker}{text}" if state.marker else f"{indent}  {text}"
    yield Block(text, tight=(state.is_tight or bool(state.lists)) and state.was_item, links=links)
    state.was_item = state.is_tight or bool(state.lists)
    state.marker = ""


def _start(state: _State, tag: Tag) -> Iterator[Block]:
    if found := _HEADING.match(tag.name):
        state.heading_level = int(found[1])
    elif tag.name in ("ul", "ol", "menu", "dir"):
        state.lists.append(_first_number(tag) if tag.name == "ol" else None)
    elif tag.name == "li":
        _start_item(state, tag)
    elif tag.name == _TERM:
        state.heading_level = _TERM_LEVEL
    elif tag.name in ("dt", "dd"):
        state.is_tight = True
        state.was_item = tag.name == "dd"
    elif tag.name == "pre":
        state.preformatted += 1
    elif tag.name == "details":
        state.details += 1
    elif tag.name == "summary":
        state.heading_level = _DETAILS_LEVEL + max(state.details, 1) - 1
    yield from ()


def _end(state: _State, tag: Tag) -> Iterator[Block]:
    if _HEADING.match(tag.name) or tag.name in ("summary", _TERM):
        state.heading_level = None
    elif tag.name in ("ul", "ol", "menu", "dir"):
        if state.lists:
            state.lists.pop()
        state.was_item = state.was_item and bool(state.lists)
        if state.has_asked and not state.lists:  # what follows a list of questions is no answer
            state.has_asked = False
            yield Block("", heading_level=QUESTION_LEVEL - 1)
    elif tag.name in ("li", "dt", "dd"):
        state.marker, state.is_tight = "", False
    elif tag.name == "pre":
        state.preformatted -= 1
    elif tag.name == "details":
        yield Block("", heading_level=_DETAILS_LEVEL + max(state.details, 1) - 1)
        state.details -= 1


def _start_item(state: _State, tag: Tag) -> None:
    number = state.lists[-1] if state.lists else None
    if number is None:
        state.marker = "- "
        return
    number = _number(tag.attributes.get("value"), number)
    state.marker = f"{number}. "
    state.lists[-1] = number + 1


def _first_number(tag: Tag) -> int:
    return _number(tag.attributes.get("start"), 1)


def _number(value: str | None, default: int) -> int:
    value = (value or "").strip()
    return int(value) if value.isascii() and value.isdigit() and len(value) < 9 else default


def _definitions(parts: list[Tag | str]) -> Iterator[Block]:
    """A list of definitions: questions, and terms with long definitions, are headings; others stand above theirs."""
    terms, definitions = (_texts_of(parts, name) for name in ("dt", "dd"))
    lengths = sorted(map(len, definitions))
    if any(map(is_question, terms)) or (lengths and lengths[len(lengths) // 2] >= _LONG_DEFINITION):
        parts = [replace(p, name=_TERM) if isinstance(p, Tag) and p.name == "dt" else p for p in parts]
        yield from html_blocks(parts[1:])
        yield Block("", heading_level=_TERM_LEVEL)
    else:
        yield from html_blocks(parts[1:])


def _texts_of(parts: Sequence[Tag | str], name: str) -> list[str]:
    texts: list[str] = []
    is_inside = False
    for part in parts:
        if isinstance(part, Tag) and part.name in ("dt", "dd"):
            is_inside = part.name == name and not part.is_end
            texts += [""] if is_inside else []
        elif isinstance(part, str) and is_inside:
            texts[-1] += part
    return [" ".join(text.split()) for text in texts]


def _up_to_end(tag: Tag, stream: Iterator[Tag | str]) -> list[Tag | str]:
    """The element that has just been opened, without its end; reads on to it."""
    parts: list[Tag | str] = [tag]
    depth = 1
    for part in stream:
        if isinstance(part, Tag) and part.name == tag.name:
            depth += -1 if part.is_end else 1
            if not depth:
                break
        parts.append(part)
    return parts


def _table(tag: Tag, stream: Iterator[Tag | str]) -> Iterator[Block]:
    """The blocks of the table that has just been opened; reads on to its end."""
    parts = _up_to_end(tag, stream)
    if is_layout(parts) or tag.attributes.get("role") == "presentation":
        yield from html_blocks(parts[1:])
        return
    caption, rest = _split_caption(parts)
    yield from html_blocks(caption)
    blocks = data_blocks(rest)
    yield from ([replace(blocks[0], tight=bool(caption), links=_links(rest)), *blocks[1:]] if blocks else [])


def _links(parts: Iterable[Tag | str]) -> tuple[str, ...]:
    places = (part.attributes.get("href") for part in parts if isinstance(part, Tag) and part.name == "a")
    return tuple(place for place in places if place)


def _split_caption(parts: list[Tag | str]) -> tuple[list[Tag | str], list[Tag | str]]:
    borders = [index for index, part in enumerate(parts) if isinstance(part, Tag) and part.name == "caption"]
    if len(borders) != 2:
        return [], parts
    return parts[borders[0] + 1 : borders[1]], parts[: borders[0]] + parts[borders[1] + 1 :]
