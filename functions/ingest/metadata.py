"""What a pair's metadata is taken from where its own fields say nothing: the document, its path, and the text itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from functions.ingest.columns import is_aliases
from functions.ingest.json_values import plain_text
from functions.ingest.language import language_of
from shared.domain import Metadata

ALIASES = "aliases"  # where names from a column that only the bot's settings know are kept
_OWN_FOLDERS = {"pairs", "adopted"}  # Lockstep's, not their owner's
_SEPARATORS = (
    ";",
    "|",
    "\n",
    ",",
)  # the first that a text has parts its names: "Aneurysm, abdominal" is one of several


def metadata_of_path(name: str) -> Mapping[str, str]:
    """Category and subcategory by the folders that a document lies in, and its type by its name's ending."""
    path = PurePosixPath(name)
    if path.parts[:1] and path.parts[0] in _OWN_FOLDERS:
        return {}
    folders = dict(zip(("category", "subcategory"), path.parts[:-1], strict=False))
    suffix = PurePosixPath(path.name.lower().removesuffix(".gz")).suffix.removeprefix(".")
    return {**folders, "source_type": suffix} if suffix else folders


def with_language(metadata: Metadata, own: str | None, *texts: str) -> Metadata:
    """The language that the record names itself (`own`), else the one that its text is in, else its document's."""
    return metadata if own else replace(metadata, language=language_of(*texts) or metadata.language)


def names_of(extra: Mapping[str, Any]) -> list[str]:
    """The other names of what a pair is about: those in its fields for synonyms and aliases, each once."""
    found = (name for field, value in extra.items() if is_aliases(field) for name in _names_in(value))
    return list(dict.fromkeys(found))


def _names_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        separator = next((mark for mark in _SEPARATORS if mark in value), ",")
        yield from filter(None, map(str.strip, value.split(separator)))
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _names_in(inner)
    elif isinstance(value, list | tuple):
        yield from filter(None, map(plain_text, value))
