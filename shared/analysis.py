"""From text to the terms of lexical search: the same rules for passages and questions, on every Postgres.

Words are folded (`shared.folding`), so that a word meets itself whatever the keyboard; letters and digits that are written
together ("PCDH19") are found apart and together. Scripts that write no spaces between words become pairs of neighbouring
characters; a Chinese character is found alone as well, but asked for only where it stands alone. Words of Vietnamese are found
with their diacritics and without, as questions are typed in both ways.

English words are stemmed (Porter's second stemmer). Of others the first letters are kept, once few and once more: for languages
that add many endings this is as good as a stemmer, and it needs to know none of them (Can et al., 2008, Information retrieval on
Turkish texts, of five letters; two lengths find more: nDCG@10 .946 and .940 on XQuAD's Turkish questions). A text's language is
known by its function words, and only whether it is English or Vietnamese matters. A question is searched for in both ways: it may
be too short to tell, or ask in one language for a name that stands in a text of another.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from shared.folding import fold, is_han, is_run, pairs_of, without_articles, words_of
from shared.function_words import Word, asked_words, language_by, read_words

ANALYSIS_VERSION = 6  # raise it with every change of the rules: sync then finds the terms of all passages anew
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

_PART = re.compile(r"\d+|\D+")
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
    for word in words_of(fold(text)):
        yield from _parts(word)


def language_of(text: str) -> str | None:
    """The language by whose function words a text is known; None if it has none, or could be English as well."""
    folded = fold(text)
    return language_by(folded, words_of(folded))


def terms(text: str) -> Iterator[str]:
    """The terms of a passage's text, in order, repeated as they repeat."""
    return (term for place in _terms_by_place(text) for term in place)


def _terms_by_place(text: str) -> Iterator[tuple[str, ...]]:
    folded = fold(text)
    words, language = read_words(folded)
    return _places(words, is_english=_is_english(folded, language))


def _places(words: Iterable[Word], *, is_english: bool) -> Iterator[tuple[str, ...]]:
    for word in words:
        if is_run(word.plain):
            yield from _places_of_run(word.plain)
            continue
        for forms in _forms(word.plain):
            found = (forms.english,) if is_english else forms.others
            yield (*found, word.marked[:_MAX_TERM_CHARACTERS]) if word.marked else found


def _places_of_run(run: str) -> Iterator[tuple[str, ...]]:
    """Its pairs, each with its first character if that is a word in itself; at the end with its last one."""
    for pair in pairs_of(run):
        yield tuple(dict.fromkeys((pair, *filter(is_han, pair[:1]))))
    if len(run) > 1 and is_han(run[-1]):
        yield (run[-1],)


def question_terms(question: str) -> list[tuple[str, ...]]:
    """What a question asks for, each once; a word of which it is not known how passages have it, in all its forms.

    Empty only if the question has no word: stop words are left out, but never all of them. A word may be one in one language
    and mean something in another ("die"), hence only those of the question's own language are.
    """
    return list(dict.fromkeys(forms for word in question_words(question) for forms in word))[:MAX_QUESTION_TERMS]


def question_words(question: str) -> dict[tuple[tuple[str, ...], ...], str]:
    """The same word by word: the alternatives of each, the most exact ones first, and the word itself, folded."""
    found: dict[tuple[tuple[str, ...], ...], str] = {}
    for word in asked_words(question) or dict.fromkeys(read_words(fold(question))[0]):
        marked = [(word.marked[:_MAX_TERM_CHARACTERS],)] if word.marked else []
        for forms in _forms(word.plain):
            found.setdefault((*marked, *_alternatives(forms)), word.plain)
    return found


def telling_words(text: str) -> frozenset[str]:
    """Its words, as `words` has them, without the stop words of its language; empty if it has no others."""
    return frozenset(part for word in asked_words(text) for part in _parts(word.plain))


def _parts(word: str) -> Iterator[str]:
    if is_run(word):
        yield from pairs_of(word)
    else:
        yield word[:_MAX_TERM_CHARACTERS]


def terms_of_passage(question: str, text: str) -> Terms:
    """The terms of a pair's question, as often as it weighs, and of one passage of its response.

    Fields of different weight are ranked as one text in which the heavier is repeated (Robertson, Zaragoza and Taylor, 2004,
    Simple BM25 extension to multiple weighted fields). Between the repetitions is a gap, over which no phrase reaches.
    """
    asked = f"{question[:_MAX_QUESTION_CHARACTERS]}\n"
    folded = fold(asked + text)
    words, language = read_words(folded)
    is_english, length = _is_english(folded, language), len(words_of(fold(asked)))
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
    places = [_alternatives(forms)[0] for word in words_of(fold(phrase)) for forms in _forms(word)]
    return " <-> ".join("(" + " | ".join(f"'{form}'" for form in alternatives) + ")" for alternatives in places)


def tsquery_of(conjunction: Iterable[str]) -> str:
    """All of those terms, as Postgres writes a tsquery."""
    return " & ".join(f"'{term}'" for term in conjunction)


def _is_english(folded: str, language: str | None) -> bool:
    """Plain letters without a function word are taken for English."""
    return (language or ("en" if folded.isascii() else "")) == "en"


def _forms(word: str) -> Iterator[_Forms]:
    """What one word is found by; what is written together of letters and digits, by its parts and as a whole."""
    if is_run(word):
        yield from (_Forms(pair, (pair,)) for pair in pairs_of(word))
        return
    parts = _PART.findall(word)
    for part in parts:
        if part[0].isdigit():
            yield _Forms(part[:_MAX_TERM_CHARACTERS], (part[:_MAX_TERM_CHARACTERS],))
        else:
            part = without_articles(part)
            prefixes = (part if len(part) < length else part[:length] + _PREFIX for length in PREFIXES)
            yield _Forms(_stem(part), tuple(dict.fromkeys(prefixes)))
    if len(parts) > 1:
        yield _Forms(word[:_MAX_TERM_CHARACTERS], (word[:_MAX_TERM_CHARACTERS],))


def _alternatives(forms: _Forms) -> list[tuple[str, ...]]:
    """The terms of a word that weigh the same, the most exact ones first."""
    *shorter, longest = forms.others
    return [tuple(dict.fromkeys((forms.english, longest))), *((prefix,) for prefix in shorter)]


def _stem(word: str) -> str:
    """Stemmers keep state while they work: each thread has its own."""
    if not hasattr(_stemmers, "english"):
        import Stemmer

        _stemmers.english = Stemmer.Stemmer("english")
    stem: str = _stemmers.english.stemWord(word[:_MAX_TERM_CHARACTERS])
    return stem
