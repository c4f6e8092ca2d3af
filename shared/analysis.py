"""From text to the terms of lexical search: the same rules for passages and questions, on every Postgres.

Words are folded to lower case without diacritics and without the difference between dotted and dotless i, so that a word
meets itself whatever the keyboard; an ending behind an apostrophe is cut off; letters and digits that are written together
("PCDH19") are found apart and together. Scripts that write no spaces between words become pairs of neighbouring characters.

English words are stemmed (Porter's second stemmer). Of others the first letters are kept, once few and once more: for languages
that add many endings this is as good as a stemmer, and it needs to know none of them (Can et al., 2008, Information retrieval on
Turkish texts, of five letters; two lengths find more: nDCG@10 .946 and .940 on XQuAD's Turkish questions). A text's language is
known by its function words, and only whether it is English matters. A question is searched for in both ways: it may be too short
to tell, or ask in one language for a name that stands in a text of another.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from shared.stop_words import STOP_WORDS, TELLING_WORDS

ANALYSIS_VERSION = 5  # raise it with every change of the rules: sync then finds the terms of all passages anew
PREFIXES = (3, 4, 6)  # characters
MAX_QUESTION_TERMS = 512
QUESTION_WEIGHT = (
    3  # occurrences that one in a pair's question counts for, which says what all of the response is about
)
_PREFIX = "~"  # behind first letters, so that they are never taken for a stem
_MAX_TERM_CHARACTERS = 64
_MAX_POSITION = 16_383  # Postgres keeps no higher one
_MAX_POSITIONS = 255  # per term
_MAX_QUESTION_CHARACTERS = 8_000  # that a passage is found by

# Thai, Lao; Burmese; Khmer; Kana; Han; Hangul; more of Han.
_BIGRAM_SCRIPTS = (
    ("\u0e00", "\u0eff"),
    ("\u1000", "\u109f"),
    ("\u1780", "\u17ff"),
    ("\u3040", "\u30ff"),
    ("\u3400", "\u4dbf"),
    ("\u4e00", "\u9fff"),
    ("\uac00", "\ud7a3"),
    ("\uf900", "\ufaff"),
)
_BIGRAM_RANGES = "".join(f"{first}-{last}" for first, last in _BIGRAM_SCRIPTS)
_INDIC_SIGNS = "\u0900-\u0963\u0971-\u0dff"  # vowel signs, which Unicode does not count as parts of words
_WORD = re.compile(rf"[{_BIGRAM_RANGES}]+|(?:[^\W_{_BIGRAM_RANGES}]|[{_INDIC_SIGNS}])+")
_PART = re.compile(r"\d+|\D+")
_DIACRITICS = re.compile(
    "[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670]"
)  # Hebrew, Arabic points too
_VIETNAMESE = re.compile("[\u1ea0-\u1ef9]")  # its diacritics tell words apart
_TURKISH = re.compile("[ığş]")
_ENDING = re.compile(r"(?<=[^\W\d_]{3})['’ʼ][^\W\d_]{1,6}(?![^\W_])")  # Ankara'nın, Crohn's; but not l'eau
_DOTLESS = str.maketrans({"ı": "i"})
_stemmers = threading.local()


class _Forms(NamedTuple):
    """What a word is found by: in English, and in other languages."""

    english: str
    others: tuple[str, ...]  # from the shortest to the longest


class Terms(NamedTuple):
    """The terms of a passage."""

    lexemes: str  # with their positions, as Postgres writes a tsvector
    term_count: int


def words(text: str) -> Iterator[str]:
    """The words of a text as they are written, folded, in order; of scripts without spaces, pairs of characters.

    Names are made of them, and what two texts have in common is counted by them: they depend on no language.
    """
    for word in _words(_fold(text)):
        if _is_bigrams(word):
            yield from _bigrams(word)
        else:
            yield word[:_MAX_TERM_CHARACTERS]


def terms(text: str) -> Iterator[str]:
    """The terms of a passage's text, in order, repeated as they repeat."""
    return (term for place in _terms_by_place(text) for term in place)


def _terms_by_place(text: str) -> Iterator[tuple[str, ...]]:
    folded = _fold(text)
    words = _words(folded)
    return _places(words, is_english=_is_english(folded, words))


def _places(words: Iterable[str], *, is_english: bool) -> Iterator[tuple[str, ...]]:
    for word in words:
        for forms in _forms(word):
            yield (forms.english,) if is_english else forms.others


def question_terms(question: str) -> list[tuple[str, ...]]:
    """What a question asks for, each once; a word of which it is not known how passages have it, in all its forms.

    Empty only if the question has no word: stop words are left out, but never all of them. A word may be one in one language
    and mean something in another ("die"), hence only those of the question's own language are.
    """
    return list(dict.fromkeys(forms for word in question_words(question) for forms in word))[:MAX_QUESTION_TERMS]


def question_words(question: str) -> dict[tuple[tuple[str, ...], ...], str]:
    """The same word by word: the alternatives of each, the most exact ones first, and the word itself, folded."""
    folded = _fold(question)
    words = list(dict.fromkeys(_words(folded)))
    stop_words = STOP_WORDS[_language_of(folded, words) or "en"]
    asked = [word for word in words if word not in stop_words] or words
    found: dict[tuple[tuple[str, ...], ...], str] = {}
    for word in asked:
        for forms in _forms(word):
            found.setdefault(tuple(_alternatives(forms)), word)
    return found


def language_of(text: str) -> str | None:
    """The language by whose function words a text is known; None if it has none."""
    folded = _fold(text)
    return _language_of(folded, _words(folded))


def telling_words(text: str) -> frozenset[str]:
    """Its words, as `words` has them, without the stop words of its language; empty if it has no others."""
    folded = _fold(text)
    found = _words(folded)
    stop_words = STOP_WORDS[_language_of(folded, found) or "en"]
    telling = [word for word in found if word not in stop_words]
    return frozenset(part for word in telling for part in (_bigrams(word) if _is_bigrams(word) else (word,)))


def terms_of_passage(question: str, text: str) -> Terms:
    """The terms of a pair's question, as often as it weighs, and of one passage of its response.

    Fields of different weight are ranked as one text in which the heavier is repeated (Robertson, Zaragoza and Taylor, 2004,
    Simple BM25 extension to multiple weighted fields). Between the repetitions is a gap, over which no phrase reaches.
    """
    asked = f"{question[:_MAX_QUESTION_CHARACTERS]}\n"
    folded = _fold(asked + text)
    words = _words(folded)
    is_english, length = _is_english(folded, words), len(_words(_fold(asked)))
    positions: dict[str, list[int]] = {}
    position = count = 0
    for part in (words[length:], *[words[:length]] * QUESTION_WEIGHT):
        for found in _places(part, is_english=is_english):
            position, count = position + 1, count + len(found)
            for term in found:
                places = positions.setdefault(term, [])
                if len(places) < _MAX_POSITIONS:
                    places.append(min(position, _MAX_POSITION))
        position += 1
    lexemes = (f"'{term}':{','.join(map(str, places))}" for term, places in positions.items())
    return Terms(" ".join(lexemes), count)


def phrase_query(phrase: str) -> str:
    """Those words in a row, in whichever way a passage has them, as Postgres writes a tsquery; empty if there are none."""
    places = [_alternatives(forms)[0] for word in _words(_fold(phrase)) for forms in _forms(word)]
    return " <-> ".join("(" + " | ".join(f"'{form}'" for form in alternatives) + ")" for alternatives in places)


def tsquery_of(conjunction: Iterable[str]) -> str:
    """All of those terms, as Postgres writes a tsquery."""
    return " & ".join(f"'{term}'" for term in conjunction)


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _words(folded: str) -> list[str]:
    plain = _ENDING.sub("", folded).translate(_DOTLESS)
    if not _VIETNAMESE.search(plain):
        plain = unicodedata.normalize("NFKC", _DIACRITICS.sub("", unicodedata.normalize("NFKD", plain)))
    return _WORD.findall(plain)


def _language_of(folded: str, words: list[str]) -> str | None:
    """The language most of whose function words are there; None if there are none of any."""

    def evidence(language: str) -> tuple[int, int]:
        telling = sum(word in TELLING_WORDS[language] for word in words)
        letters = len(_TURKISH.findall(folded)) if language == "tr" else 0
        return telling + letters, sum(word in STOP_WORDS[language] for word in words)

    best = max(STOP_WORDS, key=evidence)
    return best if any(evidence(best)) else None


def _is_english(folded: str, words: list[str]) -> bool:
    """Plain letters without a function word are taken for English."""
    return (_language_of(folded, words) or ("en" if folded.isascii() else "")) == "en"


def _forms(word: str) -> Iterator[_Forms]:
    """What one word is found by; what is written together of letters and digits, by its parts and as a whole."""
    if _is_bigrams(word):
        yield from (_Forms(pair, (pair,)) for pair in _bigrams(word))
        return
    parts = _PART.findall(word)
    for part in parts:
        if part[0].isdigit():
            yield _Forms(part[:_MAX_TERM_CHARACTERS], (part[:_MAX_TERM_CHARACTERS],))
        else:
            prefixes = (part if len(part) < length else part[:length] + _PREFIX for length in PREFIXES)
            yield _Forms(_stem(part), tuple(dict.fromkeys(prefixes)))
    if len(parts) > 1:
        yield _Forms(word[:_MAX_TERM_CHARACTERS], (word[:_MAX_TERM_CHARACTERS],))


def _alternatives(forms: _Forms) -> list[tuple[str, ...]]:
    """The terms of a word that weigh the same, the most exact ones first."""
    *shorter, longest = forms.others
    return [tuple(dict.fromkeys((forms.english, longest))), *((prefix,) for prefix in shorter)]


def _is_bigrams(word: str) -> bool:
    """Whether it is of a script that writes no spaces. A pattern for it would take longer to compile than most questions."""
    first = word[0]
    return first >= _BIGRAM_SCRIPTS[0][0] and any(low <= first <= high for low, high in _BIGRAM_SCRIPTS)


def _bigrams(word: str) -> Iterator[str]:
    return (word[i : i + 2] for i in range(max(1, len(word) - 1)))


def _stem(word: str) -> str:
    """Stemmers keep state while they work: each thread has its own."""
    if not hasattr(_stemmers, "english"):
        import Stemmer

        _stemmers.english = Stemmer.Stemmer("english")
    stem: str = _stemmers.english.stemWord(word[:_MAX_TERM_CHARACTERS])
    return stem
