"""Markdown: front matter, then CommonMark with tables, read chunk by chunk and rendered into the HTML reader."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from functions.ingest.parsing import limits
from functions.ingest.parsing.blocks import Block
from functions.ingest.parsing.charset import detect_encoding
from functions.ingest.parsing.document import ParsedDocument, Section
from functions.ingest.parsing.facts import parse_date, usable_text, usable_title
from functions.ingest.parsing.html_blocks import html_blocks
from functions.ingest.parsing.html_tree import read_tree, visible_parts
from functions.ingest.parsing.outline import fold_blocks
from functions.ingest.parsing.text_source import iter_lines, open_text
from shared.errors import RejectedDocumentError

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_CHUNK_CHARS = 32_000  # read as one; longer only to keep a list, a table or a code block together
_MAX_CHUNK_CHARS = 256_000
_MAX_FRONT_LINES = 200
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_UNINDENTED_PROSE = re.compile(r"[^\s\-*+>|\d]|\d+[^\d.)]")
_DEEP_QUOTE = re.compile(rf"^((?: {{0,3}}> ?){{{limits.MAX_QUOTE_DEPTH}}})(?: {{0,3}}> ?)+")
_TABLE_PADDING = 1 << 16  # cells, after which the parser ends a table by itself
_REFERENCE = re.compile(r" {0,3}\[[^\]\n]{1,300}\]:\s*\S")
_PAIR = re.compile(r"([A-Za-z][\w .-]{0,60}?)\s*:(?:\s+(.*))?$")
_AUTHOR_KEYS, _DATE_KEYS = ("author", "authors", "by"), ("date", "published", "published_at", "created")


def parse_markdown(file: BinaryIO) -> ParsedDocument:
    encoding = detect_encoding(file)
    with open_text(file, encoding) as text:
        pairs, _ = _front_matter(iter_lines(text, limits.MAX_SECTION_CHARS))
    found = {key.lower(): value for key, value in pairs.items()}
    author = next((found[key] for key in _AUTHOR_KEYS if key in found), None)
    date = next((found[key] for key in _DATE_KEYS if key in found), None)
    used = {"title", *_AUTHOR_KEYS, *_DATE_KEYS}
    return ParsedDocument(
        _sections(file, encoding),
        title=usable_title(_one_line(found.get("title"))),
        author=usable_text(_one_line(author)),
        published_at=parse_date(_one_line(date)),
        metadata={key: value for key, value in pairs.items() if key.lower() not in used},
    )


def _front_matter(lines: Iterator[str]) -> tuple[dict[str, Any], list[str]]:
    """The `key: value` pairs between two lines of ---, or no pairs and the lines that were read in vain."""
    read: list[str] = []
    pairs: dict[str, Any] = {}
    key = ""
    for line in lines:
        read.append(line)
        if len(read) == 1:
            if line.strip() != "---":
                return {}, read
        elif line.strip() in ("---", "..."):
            return pairs, []
        elif found := _PAIR.match(line):
            key = found[1].strip()
            pairs[key] = _value(found[2] or "")
        elif key and line.lstrip().startswith("- "):
            earlier = pairs[key] if isinstance(pairs[key], list) else [pairs[key]] if pairs[key] else []
            pairs[key] = [*earlier, _unquoted(line.lstrip()[2:])]
        elif line.strip() and not line.startswith((" ", "#", "\t")):
            return {}, read
        if len(read) > _MAX_FRONT_LINES:
            return {}, read
    return {}, read


def _value(text: str) -> str | list[str]:
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        return [_unquoted(item) for item in text[1:-1].split(",") if item.strip()]
    return "" if text in ("|", ">", "|-", ">-") else _unquoted(text)


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _one_line(value: Any) -> str | None:
    return ", ".join(value) if isinstance(value, list) else value


def _sections(file: BinaryIO, encoding: str) -> Iterator[Section]:
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark").enable("table")
    with open_text(file, encoding) as text:
        definitions = filter(_REFERENCE.match, iter_lines(text, limits.MAX_SECTION_CHARS))
        references: dict[str, Any] = {}
        reader.parse("\n".join(_up_to(_MAX_CHUNK_CHARS, definitions)), references)
    with open_text(file, encoding) as text:
        yield from fold_blocks(_blocks(reader, text, references))


def _up_to(size: int, lines: Iterable[str]) -> Iterator[str]:
    """As many of the first lines as have at most `size` characters together."""
    for line in lines:
        size -= len(line) + 1
        if size < 0:
            return
        yield line


def _blocks(reader: MarkdownIt, text: TextIO, references: dict[str, Any]) -> Iterator[Block]:
    lines = iter_lines(text, limits.MAX_SECTION_CHARS)
    _, unused = _front_matter(lines)
    for chunk in _chunks(chain(unused, lines)):
        markup = reader.render(chunk, {"references": dict(references.get("references", {}))})
        body = read_tree(markup).body
        if body is not None:
            yield from html_blocks(visible_parts(body))


def _chunks(lines: Iterable[str]) -> Iterator[str]:
    """Pieces that can be read by themselves: cut before unindented prose or a heading that follows a blank line."""
    chunk: list[str] = []
    size = total = 0
    fence = ""
    was_blank = False
    for line in _bounded(lines):
        may_cut = not fence and was_blank and size >= _CHUNK_CHARS and _UNINDENTED_PROSE.match(line)
        if may_cut or size >= _MAX_CHUNK_CHARS:
            yield "\n".join(chunk)
            chunk, size = [fence] if fence else [], 0  # what is cut within a block of code goes on as one
        fence = _fence_after(line, fence)
        chunk.append(line)
        size += len(line) + 1
        total += len(line) + 1
        was_blank = not line.strip()
        if total > limits.MAX_MARKUP_BYTES:
            raise RejectedDocumentError("The Markdown file is too large; split it into smaller ones.")
    yield "\n".join(chunk)


def _bounded(lines: Iterable[str]) -> Iterator[str]:
    """The lines, no quote nested too deeply. Raises RejectedDocumentError for tables that are nearly all padding."""
    columns = padding = total = 0
    for line in lines:
        if _is_delimiter_row(line):
            columns, padding = line.count("|") + 1, 0
        elif not line.strip() or padding > _TABLE_PADDING:
            columns = 0
        missing = max(0, columns - line.count("|") - 1)
        padding += missing
        total += missing
        if total > limits.MAX_PADDED_CELLS:
            raise RejectedDocumentError(
                "The Markdown file has tables whose rows have far fewer cells than their headers; "
                "leave out the columns that are empty and upload it again."
            )
        yield _DEEP_QUOTE.sub(r"\1", line) if line.startswith((">", " ")) else line


def _is_delimiter_row(line: str) -> bool:
    """Whether the line is one as between a table's header and its rows: `|---|:-:|`."""
    row = line.lstrip(" >").rstrip("\n")
    return "|" in row[1:] and not row.strip("|: \t-")


def _fence_after(line: str, fence: str) -> str:
    """The fence that is open after this line, or nothing."""
    found = _FENCE.match(line)
    if not found:
        return fence
    if not fence:
        return found[1]
    closes = found[1].startswith(fence) and not line.strip().strip(fence[0])
    return "" if closes else fence
