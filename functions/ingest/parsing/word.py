"""Word documents (DOCX). The only user of python-docx."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO

from functions.ingest.parsing.blocks import Block
from functions.ingest.parsing.document import ParsedDocument
from functions.ingest.parsing.facts import usable_text, usable_title, with_zone
from functions.ingest.parsing.outline import fold_blocks
from functions.ingest.parsing.refusals import damaged
from functions.ingest.parsing.word_blocks import WordReader
from functions.ingest.parsing.word_numbering import read_numbering
from functions.ingest.parsing.word_styles import read_styles
from functions.ingest.parsing.word_text import W, paragraph_text

_METADATA = ("subject", "keywords", "category", "language")
_NOBODY = {"python-docx", "docx4j", "apache poi", "unknown", "user", "author"}


def parse_word(file: BinaryIO) -> ParsedDocument:
    from docx import Document

    file.seek(0)
    try:
        document = Document(file)
        properties = document.core_properties
    except Exception as exc:
        return ParsedDocument(fold_blocks(_blocks_alone(file, exc)))
    author = usable_text(properties.author)
    created = properties.created
    metadata = {name: usable_text(getattr(properties, name)) for name in _METADATA}
    title = usable_title(properties.title)
    return ParsedDocument(
        fold_blocks(_reader(document.part).blocks(document.element.body)),
        title=None if title == "Word Document" else title,  # python-docx's own, for a file that has no properties
        author=None if author and author.lower() in _NOBODY else author,
        published_at=with_zone(created) if created else None,
        metadata={name: text for name, text in metadata.items() if text},
    )


def _blocks_alone(file: BinaryIO, cause: Exception) -> Iterator[Block]:
    """The second opinion, where a relationship leads nowhere or a part is broken: the body by itself, with its styles."""
    from docx.oxml import parse_xml

    with zipfile.ZipFile(file) as archive:
        parts: dict[str, Any] = {}
        for name in ("document", "styles", "numbering"):
            with suppress(Exception):
                parts[name] = parse_xml(archive.read(f"word/{name}.xml"))
    body = parts["document"].find(f"{W}body") if "document" in parts else None
    if body is None:
        raise damaged("Word document") from cause
    reader = WordReader(read_styles(parts.get("styles")), read_numbering(parts.get("numbering")))
    yield from reader.blocks(body)


def _reader(main_part: Any) -> WordReader:
    styles, numbering = _related(main_part, "styles"), _related(main_part, "numbering")
    notes = {kind: _notes(_related(main_part, f"{kind}s"), kind) for kind in ("footnote", "endnote")}
    return WordReader(read_styles(styles), read_numbering(numbering), notes)


def _related(main_part: Any, name: str) -> Any | None:
    """The root element of the part that is related to the document by this kind of relationship, if there is one."""
    from docx.oxml import parse_xml

    for relation in main_part.rels.values():
        if relation.reltype.endswith(f"/{name}") and not relation.is_external:
            return parse_xml(relation.target_part.blob)
    return None


def _notes(root: Any | None, kind: str) -> dict[str, str]:
    if root is None:
        return {}
    return {
        note.get(f"{W}id", ""): " ".join(filter(None, map(paragraph_text, note.iter(f"{W}p"))))
        for note in root.iter(f"{W}{kind}")
        if note.get(f"{W}type", "normal") == "normal"
    }
