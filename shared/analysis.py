"""From text to the terms of lexical search: the same for passages and questions, on every Postgres.

Words are folded to lower case without the difference between dotted and dotless i, so that Turkish meets itself whatever
the keyboard; scripts that write no spaces between words become pairs of neighbouring characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

MAX_QUERY_TERMS = 64
_MAX_TERM_CHARACTERS = 64
_MAX_POSITION = 16_383  # Postgres keeps no higher one
_MAX_POSITIONS = 255  # per term

_BIGRAM_SCRIPTS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff"
_TOKEN = re.compile(rf"[{_BIGRAM_SCRIPTS}]+|(?:(?![{_BIGRAM_SCRIPTS}])[^\W_])+")
_DOTLESS = str.maketrans({"ı": "i", "\u0307": None})


def terms(text: str) -> Iterator[str]:
    """The terms of a text, in order, repeated as they repeat."""
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_DOTLESS)
    for token in _TOKEN.findall(folded):
        if re.match(f"[{_BIGRAM_SCRIPTS}]", token):
            yield from (token[i : i + 2] for i in range(max(1, len(token) - 1)))
        else:
            yield token[:_MAX_TERM_CHARACTERS]


def tsvector_of(text: str) -> str:
    """The terms of a text with their positions, as Postgres writes a tsvector."""
    positions: dict[str, list[int]] = {}
    for position, term in enumerate(terms(text), start=1):
        places = positions.setdefault(term, [])
        if len(places) < _MAX_POSITIONS:
            places.append(min(position, _MAX_POSITION))
    return " ".join(f"'{term}':{','.join(map(str, places))}" for term, places in positions.items())


def tsquery_of(question: str) -> str | None:
    """Any of the question's terms, as Postgres writes a tsquery; None if it has no terms."""
    unique = list(dict.fromkeys(terms(question)))[:MAX_QUERY_TERMS]
    return " | ".join(f"'{term}'" for term in unique) or None
