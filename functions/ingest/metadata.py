"""What a pair's metadata is taken from where its own fields say nothing: the document, its path, and the text itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from shared.domain import Metadata
from shared.language import language_of

ALIASES = "aliases"  # where names from a column that only the bot's settings know are kept
_TAG = re.compile(r"(?P<language>[A-Za-z]{2,3})(?:[-_][A-Za-z0-9]{1,8})*")
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
    language = metadata.language if own else language_of(*texts) or metadata.language
    return replace(metadata, language=_without_region(language))


def _without_region(language: str | None) -> str | None:
    """`de` for `de-AT`, so that whoever filters by the language finds it; what is no such tag stays as it is."""
    tag = _TAG.fullmatch(language or "")
    return tag["language"].lower() if tag else language
