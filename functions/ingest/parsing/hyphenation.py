"""Words that a line's end has broken are mended; those with a hyphen of their own keep it."""

from __future__ import annotations

import re
from collections.abc import Iterable

_COMPOUND = re.compile(r"\b[^\W\d_]{1,40}(?:-[^\W\d_]{1,40})+")
_BROKEN_WORD = re.compile(r"([^\W\d_]+)-$")
_FIRST_WORD = re.compile(r"[^\W\d_]+")
# "pre- and postoperative": the hyphen stands for the rest of the word.
_CONJUNCTIONS = {
    "and",
    "or",
    "to",
    "und",
    "oder",
    "bis",
    "sowie",
    "ve",
    "veya",
    "ya",
    "et",
    "ou",
    "y",
    "o",
    "e",
    "en",
    "of",
}
_MAX_COMPOUNDS = 50_000
_MAX_WORD_CHARS = 80


class WordMender:
    """Joins lines; remembers words with a hyphen of their own, so that "self-" + "locking" keeps it."""

    def __init__(self) -> None:
        self._compounds: set[str] = set()

    def learn(self, lines: Iterable[str]) -> None:
        if len(self._compounds) < _MAX_COMPOUNDS:
            self._compounds.update(word.lower() for line in lines for word in _COMPOUND.findall(line))

    def appended(self, text: str, line: str, *, blank: str = " ") -> str:
        """The text with the next line: without the hyphen that broke a word, else with `blank` between."""
        if not text.endswith("-"):
            return f"{text}{blank}{line}"
        broken = _BROKEN_WORD.search(text, max(0, len(text) - _MAX_WORD_CHARS))
        following = _FIRST_WORD.match(line)
        if not broken or not following:
            return f"{text}{blank if text.endswith(' -') or text == '-' else ''}{line}"
        if following[0].lower() in _CONJUNCTIONS:
            return f"{text} {line}"
        is_compound = f"{broken[1]}-{following[0]}".lower() in self._compounds or not following[0][0].islower()
        return (text if is_compound else text[:-1]) + line
