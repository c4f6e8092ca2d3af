"""Cues: words and phrases by which a text tells something of itself, as data files name them.

A cue is one word, or several in a row: "side effect*". `*` behind a word stands for any ending, `^` before the first one says
that a sentence must begin there. Cues and texts are folded alike, as search by words does it, so that a cue is written as its
language writes it and is found whatever the case, the keyboard, or the spaces between Korean words.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Generic, NamedTuple, TypeVar

from shared.analysis import words
from shared.errors import ConfigurationError

Told = TypeVar("Told")

MIN_STEM_CHARACTERS = 3  # of a first word with any ending: by so many letters such cues are looked up
_MAX_WORD_CHARACTERS = 64
_WRITTEN = re.compile(r"[^\W_]+")
_SENTENCE_BORDER = re.compile(r"[.!?…。！？｡．\n;:]")


class Word(NamedTuple):
    """A folded word, or of scripts without spaces a pair of neighbouring characters."""

    text: str
    begin: int  # of the written word that it comes from
    end: int
    begins_sentence: bool


class Found(NamedTuple, Generic[Told]):
    """A cue in a text: words[begin:end]."""

    begin: int
    end: int
    told: Told


class _Part(NamedTuple):
    text: str
    is_stem: bool

    def is_in(self, word: Word) -> bool:
        return word.text.startswith(self.text) if self.is_stem else word.text == self.text


class _Cue(NamedTuple, Generic[Told]):
    parts: tuple[_Part, ...]
    begins_sentence: bool
    told: Told


class Cues(Generic[Told]):
    """Many cues, each with what it tells. Looking them up takes time in proportion to the text, however many they are."""

    def __init__(self, cues: Iterable[tuple[str, Told]]) -> None:
        """Raises ConfigurationError for a cue that has no word, or too short a one before `*`."""
        self._by_word: defaultdict[str, list[_Cue[Told]]] = defaultdict(list)
        self._by_stem: defaultdict[str, list[_Cue[Told]]] = defaultdict(list)
        for written, told in cues:
            cue = _Cue(_parts_of(written), written.startswith("^"), told)
            first = cue.parts[0]
            if first.is_stem:
                self._by_stem[first.text[:MIN_STEM_CHARACTERS]].append(cue)
            else:
                self._by_word[first.text].append(cue)

    def find(self, text: Sequence[Word]) -> Iterator[Found[Told]]:
        """Every cue at every place; they may overlap."""
        for place, word in enumerate(text):
            beginning = word.text[:MIN_STEM_CHARACTERS]
            for cue in (*self._by_word.get(word.text, ()), *self._by_stem.get(beginning, ())):
                end = place + len(cue.parts)
                if end > len(text) or (cue.begins_sentence and not word.begins_sentence):
                    continue
                if all(part.is_in(text[place + i]) for i, part in enumerate(cue.parts)):
                    yield Found(place, end, cue.told)


def words_of(text: str) -> list[Word]:
    """The words of a text, with their places in it."""
    found: list[Word] = []
    last_end = 0
    for written in _WRITTEN.finditer(text):
        begins = not found or _SENTENCE_BORDER.search(text, last_end, written.start()) is not None
        for number, folded in enumerate(_folded(written[0][:_MAX_WORD_CHARACTERS])):
            found.append(Word(folded, written.start(), written.end(), begins and number == 0))
        last_end = written.end()
    return found


@lru_cache(maxsize=8_192)
def _folded(written: str) -> tuple[str, ...]:
    # A short cut: all cues are read before the first question is answered.
    return (written.lower(),) if written.isascii() else tuple(words(written))


def _parts_of(cue: str) -> tuple[_Part, ...]:
    parts: list[_Part] = []
    for written in cue.removeprefix("^").split():
        folded = [word for text in _WRITTEN.findall(written) for word in _folded(text[:_MAX_WORD_CHARACTERS])]
        parts += (_Part(word, False) for word in folded)
        if folded and written.endswith("*"):
            parts[-1] = _Part(folded[-1], True)
    if not parts:
        raise ConfigurationError(f"The cue {cue!r} has no word.")
    if parts[0].is_stem and len(parts[0].text) < MIN_STEM_CHARACTERS:
        raise ConfigurationError(f"The cue {cue!r} needs {MIN_STEM_CHARACTERS} letters before its first *.")
    return tuple(parts)
