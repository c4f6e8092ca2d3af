"""Words that a line's end has broken are mended; those with a hyphen of their own keep it."""

from __future__ import annotations

import re
from collections.abc import Iterable

_COMPOUND = re.compile(r"\b[^\W\d_]{1,40}(?:-[^\W\d_]{1,40})+")
_BROKEN_WORD = re.compile(r"((?:[^\W\d_]+-)*)([^\W\d_]+)-$")
_AROUND_WORDS = ".,;:!?…()[]\"'“”‘’«»"
_FIRST_WORD = re.compile(r"[^\W\d_]+")
# "pre- and postoperative": the hyphen stands for the rest of the word.
_CONJUNCTIONS = {"and", "or", "und", "oder", "bis", "sowie", "ve", "veya", "ya", "et", "ou", "y", "o", "e", "en"}
# Compounds that English writes with a hyphen, and that no syllable of another word resembles.
_COMMON_COMPOUND = re.compile(
    r"(?:well-(?:known|being|\w{3,12}ed)|so-called|follow-ups?|check-ups?|cost-effective\w{0,4}|decision-ma\w{2,4}"
    r"|(?:long|short|mid|medium|full|part|real|first|half)-(?:term|time|range|standing|lasting|lived|acting|scale|length)"
    r"|(?:high|low|middle)-(?:quality|risk|level|dose|grade|income|density|resolution|intensity|frequency|cost|speed)"
    r"|(?:evidence|web|home|hospital|community|population|plant|rule|knowledge|data|time|text)-based"
    r"|(?:gluten|sugar|smoke|duty|tax|risk|symptom|interest)-free)$"
)
_MAX_COMPOUNDS = 50_000
_MAX_WORDS = 100_000
_MAX_WORD_CHARS = 80


class WordMender:
    """Joins lines; remembers words with a hyphen of their own, so that "self-" + "locking" keeps it."""

    def __init__(self) -> None:
        self._compounds: set[str] = set()
        self._words: set[str] = set()

    def learn(self, lines: Iterable[str]) -> None:
        """Compounds that stand in those lines."""
        if len(self._compounds) < _MAX_COMPOUNDS:
            self._compounds.update(word.lower() for line in lines for word in _COMPOUND.findall(line))

    def learn_words(self, lines: Iterable[str]) -> None:
        """Whole words: for texts that may break lines at hyphens only, where "gold-" + "embroidered" is no one word."""
        for line in lines:
            if len(self._words) >= _MAX_WORDS:
                return
            stripped = (word.strip(_AROUND_WORDS) for word in line.lower().split())
            self._words.update(word for word in stripped if word.isalpha())

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
        return (text if self._is_compound(broken, following[0]) else text[:-1]) + line

    def _is_compound(self, broken: re.Match[str], following: str) -> bool:
        first, second = broken[2].lower(), following.lower()
        compound = f"{first}-{second}"
        # "e-mail", "X-ray": no single letter is broken off a word.
        if broken[1] or len(first) == 1 or compound in self._compounds or not following[0].islower():
            return True
        if _COMMON_COMPOUND.match(compound):
            return first + second not in self._words
        return first + second not in self._words and first in self._words and second in self._words
