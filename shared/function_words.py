"""What a question is about: its words without those that only say how it is asked; and the language that those tell.

A function word may mean something where it is a name or a sign: "ALS", "WHO", "US", "HER-2", "vitamin A". Capitals tell, and a
hyphen before a number; a letter beside an apostrophe ("l'eau", "what's") is none. One word that English has too does not tell
that a text is of another language.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from shared.folding import WORD, fold, is_han, is_run, marked_words_of, words_of
from shared.stop_words import (
    CHINESE,
    COMMON_STOP_WORDS,
    JAPANESE,
    JAPANESE_PARTICLES,
    SPEAKING_WORDS,
    STOP_WORDS,
    TELLING_WORDS,
)

VIETNAMESE = "vi"
_OWN_LETTERS = {"tr": re.compile("[ığş]"), VIETNAMESE: re.compile("[\u1ea0-\u1ef9ơư]")}
_MIN_COMMON_WORDS = 2  # that tell a language, if none of them is its alone
_KANA = re.compile("[\u3041-\u30fa]")
_FRAGMENTS = re.compile(
    r"(?<![^\W_])(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu)['’ʼ](?=[^\W\d_])"
    r"|(?<=[^\W\d_])['’ʼ](?:d|ll|m|re|s|t|ve)(?![^\W_])"
)
_INITIAL = re.compile(r"(?:\A|[.!?…:;\n])[\s\"'“«(¿¡–—-]*(\w)(?!\w)")  # a single letter at the beginning of a sentence
_AND_A_NUMBER = re.compile(r"[-‐–]\d")


class Word(NamedTuple):
    """A word of a text; `marked` has its diacritics where they tell words apart, and is empty where it has none."""

    plain: str
    marked: str = ""


def read_words(folded: str) -> tuple[list[Word], str | None]:
    """The words of a folded text, and the language that it is known to be in."""
    words = words_of(folded)
    language = language_by(folded, words)
    return _with_marks(folded, words, language), language


def asked_words(question: str) -> list[Word]:
    """What a question is about, each word once and in order; empty if it has nothing but function words.

    Of runs of characters without spaces what is left between those.
    """
    folded, names = _FRAGMENTS.sub(" ", fold(question)), _names_in(question)
    words = words_of(folded)
    language = language_by(folded, [word for word in words if word not in names])
    stop_words = STOP_WORDS[language] if language else COMMON_STOP_WORDS
    asked = (
        word
        for word in _with_marks(folded, words, language)
        if word.plain in names or (word.marked or word.plain) not in stop_words
    )
    is_japanese = _KANA.search(folded) is not None
    return list(dict.fromkeys(part for word in asked for part in _content_of(word, is_japanese=is_japanese)))


def language_by(folded: str, words: Sequence[str]) -> str | None:
    """The language most of whose function words are there; None if they are none of any, or could be English as well."""
    telling = Counter(language for word in words for language in _TOLD_BY.get(word, ()))
    common = Counter(language for word in set(words) for language in _COMMON_IN.get(word, ()))
    if not folded.isascii():
        for language, letters in _OWN_LETTERS.items():
            telling[language] += len(letters.findall(folded))
        marked = set(marked_words_of(folded)) - set(words)
        telling[VIETNAMESE] += len(marked & TELLING_WORDS[VIETNAMESE])
        common[VIETNAMESE] += len(marked & SPEAKING_WORDS[VIETNAMESE])
    best = max(STOP_WORDS, key=lambda language: (telling[language], common[language]))
    is_clear = telling[best] or common[best] >= (1 if best == "en" else _MIN_COMMON_WORDS)
    return best if is_clear else None


def _with_marks(folded: str, words: Sequence[str], language: str | None) -> list[Word]:
    marked = marked_words_of(folded) if language == VIETNAMESE else []
    if len(marked) != len(words):
        return [Word(word) for word in words]
    return [Word(word, "" if mark == word else mark) for word, mark in zip(words, marked, strict=True)]


def _names_in(question: str) -> Collection[str]:
    """Its words that are written as names and signs are, folded: in capitals where not all are, or joined to a number."""
    text = unicodedata.normalize("NFKC", question)
    found = list(WORD.finditer(text))
    letters = [word[0] for word in found if not word[0].isnumeric()]
    is_shouted = len(letters) > 1 and all(word.isupper() for word in letters)
    initials = {initial.start(1) for initial in _INITIAL.finditer(text)}
    names = {word for word in found if _AND_A_NUMBER.match(text, word.end())}
    if not is_shouted:
        names |= {w for w in found if w[0].isupper() and (len(w[0]) > 1 or (w[0] != "I" and w.start() not in initials))}
    if found and found[-1][0] in ("a", "I") and found[-1].start() not in initials:
        names.add(found[-1])  # "vitamin a": no article and no pronoun ends a question
    return {part for word in names for part in words_of(fold(word[0]))}


def _content_of(word: Word, *, is_japanese: bool) -> Iterator[Word]:
    """The word itself; of a run of characters, the parts that are no function words. A letter of a syllabary says nothing."""
    if not is_run(word.plain):
        yield word
        return
    rest = (JAPANESE if is_japanese else CHINESE).sub("\n", word.plain)
    rest = JAPANESE_PARTICLES.sub("\n", rest) if is_japanese else rest
    parts = rest.split("\n")
    yield from (Word(part) for part in parts if len(part) > 1 or part == word.plain or (part and is_han(part)))


def _languages_by_word(words: Mapping[str, frozenset[str]]) -> dict[str, list[str]]:
    languages: defaultdict[str, list[str]] = defaultdict(list)
    for language, known in words.items():
        for word in known:
            languages[word].append(language)
    return dict(languages)


_COMMON_IN = _languages_by_word(SPEAKING_WORDS)
_TOLD_BY = _languages_by_word(TELLING_WORDS)
