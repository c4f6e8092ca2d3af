"""The other names of what a pair is about, from its fields for synonyms and aliases: words that lexical search finds it by."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

# English, Turkish, Korean, German, French, Spanish; as `folded_name` writes them.
ALIAS_FIELDS = (
    *("aliases", "alias", "synonyms", "synonym", "also_known_as", "aka", "alternative_names", "other_names"),
    *("es_anlamlilar", "es_anlamli", "diger_adlar", "동의어", "별칭", "이명", "synonyme", "alternativnamen"),
    *("synonymes", "autres_noms", "sinonimos", "otros_nombres"),
)
MAX_QUESTION_CHARACTERS = 4_000
MAX_ALIASES_CHARACTERS = 4_000
_SEPARATORS = (
    ";",
    "|",
    "\n",
    ",",
)  # the first that a text has parts its names: "Aneurysm, abdominal" is one of several


def with_aliases(question: str, extra: Mapping[str, Any]) -> str:
    """What a pair is found by besides its text: its question and, a line each, the names in its further fields."""
    names = "\n".join(aliases_of(extra))[:MAX_ALIASES_CHARACTERS]
    return f"{question[:MAX_QUESTION_CHARACTERS]}\n{names}" if names else question[:MAX_QUESTION_CHARACTERS]


def aliases_of(extra: Mapping[str, Any]) -> list[str]:
    """Every name in the fields for them, each once."""
    found = (name for field, value in extra.items() if is_alias_field(field) for name in _aliases_in(value))
    return list(dict.fromkeys(found))


def is_alias_field(field: str) -> bool:
    """Whether a field of that name holds other names of what its record is about."""
    return folded_name(field) in ALIAS_FIELDS


def folded_name(field: str) -> str:
    """A field's name in lower case, without accents, words joined by underscores."""
    plain = unicodedata.normalize("NFKD", field.casefold().replace("ı", "i"))
    plain = "".join(character for character in plain if not unicodedata.combining(character))
    return re.sub(r"[\s\-./]+", "_", unicodedata.normalize("NFC", plain).strip())


def _aliases_in(value: Any) -> Iterator[str]:
    """A text may hold several; in a list each element is one."""
    if isinstance(value, str):
        separator = next((mark for mark in _SEPARATORS if mark in value), ",")
        yield from filter(None, map(str.strip, value.split(separator)))
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _aliases_in(inner)
    elif isinstance(value, list | tuple):
        yield from (name for item in value if isinstance(item, str) and (name := item.strip()))
