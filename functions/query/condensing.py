"""Long, chatty questions are condensed to what they ask, without an LLM or with one.

Greetings, thanks and the story around a question mislead search: the vector of a message is that of all it tells, and its many
words find what has nothing to do with it. Kept are the sentences that ask, a topic that is named in front of them, and the names
in the rest that the bot knows; where it is not clear what is asked about, the sentences that lead to the question as well. Of a
language without phrases here it is not known what asks: nothing is left out of it but what stands furthest from the end.

How rare a word is in the passages does not say that it matters here: the words of a story ("son", "several") are rarer there than
those of its subject. Hence names, and not weights, choose what is kept of a story.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from functions.query.cues import Cues, Word, words_of
from functions.query.phrases import ASKING, COURTESY, LEADING, PERSONAL, REFERRING, has, languages, phrases
from shared.analysis import telling_words
from shared.errors import StoreUnavailableError
from shared.language import language_of
from shared.ports import QuestionCondenser
from shared.sentences import sentence_ends
from shared.telemetry import logger

SHORT_WORDS = 16  # a question of so few is never condensed
MAX_SENTENCE_WORDS = 40  # what goes on for longer without a full stop is parted at a comma, or anywhere
MAX_TOPIC_WORDS = 25  # of a first sentence that tells no story, but what all is about: "Trisomy 7."
MAX_TITLE_WORDS = 5  # of one that is a title: "it" means what it names
MAX_WORDS = 80  # of a condensed question, names not counted
MAX_WORDS_UNREAD = 200  # of one in a language without phrases
MAX_NAMES = 6  # that are added
ENOUGH_WORDS = 7  # that tell something, of the sentences that lead to what is asked …
LEAST_WORDS = 3  # … because that has fewer than this, or says "it"
MANY_WORDS = 10  # that tell something, of a message that asks nothing
MAX_WRITTEN_CHARACTERS = 500  # by an LLM
MIN_SUPPORT = 0.5  # of the words of what an LLM writes that the question must have

_MARK = re.compile(r"[?？؟]")
# Sentences end with a line, and also where the space behind a full stop was forgotten.
_LINES = re.compile(r"\s*\n\s*|(?<=[^\W\d_]{3}[.?!])(?=[^\W\d_])")
_COMMA = re.compile(r"[,;:，、]")
_EDGES = " \t\n,;:.!-–—"


@dataclass(frozen=True, slots=True)
class Condensed:
    """What is searched for in a question's place."""

    text: str  # the question itself, if there was nothing to leave out


def condense(question: str, *, names: Collection[str] = ()) -> Condensed:
    """What a question asks, in its own words and order. A short one, and one that only asks, comes back as it is.

    `names` are keys (`shared.names.key_of`) of names that the bot knows; of those that stand in what is left out, the first
    are added.
    """
    if _length(words_of(question)) <= SHORT_WORDS:
        return Condensed(question)
    sentences = _sentences(question, names)
    kept = _chosen(sentences) if language_of(question) in languages() else _last(sentences)
    if len(kept) == len(sentences) and not any(s.was_cut for s in sentences):
        return Condensed(question)
    return Condensed(" ".join([*(s.text for s in kept), *_added(sentences, kept)]) or question)


def condense_with(condenser: QuestionCondenser | None, question: str, *, names: Collection[str] = ()) -> Condensed:
    """As `condense`, by an LLM where it has something to leave out; without one if it fails, is late or adds words."""
    plain = condense(question, names=names)
    if condenser is None or plain.text is question:
        return plain
    try:
        written = condenser.condense(question)
    except StoreUnavailableError as error:
        logger().warning("a question is condensed without the LLM", reason=str(error))
        return plain
    words = words_of(written)
    asked = {word.text for word in words_of(question)}
    supported = sum(word.text in asked for word in words)
    if not words or len(written) > MAX_WRITTEN_CHARACTERS or supported < MIN_SUPPORT * len(words):
        return plain
    return Condensed(written)


def asks(text: str) -> bool:
    """Whether it asks something, by a question mark or by its words; a single word ("Name", "List") is a title."""
    words = words_of(text)
    return _MARK.search(text) is not None or (len(words) > 1 and has(ASKING, words))


@dataclass(frozen=True, slots=True, eq=False)
class _Sentence:
    text: str  # without courtesies and what only leads to a question
    length: int  # words
    telling: frozenset[str]  # those of its words that say what it is about, as they are written
    names: Mapping[str, str]  # that the bot knows, by their keys, as they are written
    asks: bool
    has_mark: bool
    refers: bool  # to what was said before it
    is_personal: bool
    was_cut: bool


def _sentences(text: str, names: Collection[str]) -> list[_Sentence]:
    telling = telling_words(text)
    known = Cues((name, name) for name in names if words_of(name))
    return [_sentence(written, telling, known) for written in _parts_of(text)]


def _sentence(written: str, telling: frozenset[str], known: Cues[str]) -> _Sentence:
    words = words_of(written)
    text = _without_courtesies(written, words)
    left = words if text == written else words_of(text)
    named = [word for word in left if word.text != "s"]  # the key of "Crohn's disease" has none
    has_mark = _MARK.search(written) is not None
    return _Sentence(
        text=text,
        length=_length(left),
        telling=frozenset(text[word.begin : word.end].lower() for word in left if word.text in telling),
        names={name.told: text[named[name.begin].begin : named[name.end - 1].end] for name in known.find(named)},
        asks=bool(left) and (has_mark or has(ASKING, words)),
        has_mark=has_mark,
        refers=has(REFERRING, words),
        is_personal=has(PERSONAL, words),
        was_cut=text != written,
    )


def _chosen(sentences: Sequence[_Sentence]) -> list[_Sentence]:
    """In their own order: those that ask, a topic before them, and more while it is not clear what they are about."""
    # A question mark is surer than a phrase, which may as well be part of the story.
    asking = sorted((s for s in sentences if s.asks), key=lambda s: (not s.has_mark, -len(s.telling)))
    topic = _topic(sentences)
    kept = _fitting([*asking, topic] if topic and not topic.asks else asking, [])
    leading = _leading_to(asking, sentences)
    told = {word for s in kept for word in s.telling}
    # "It" may mean a title, or a name in the sentence before, which is added by itself.
    is_said = bool((topic and topic.length <= MAX_TITLE_WORDS) or (leading and leading[0].names))
    refers = any(s.refers for s in asking) and not is_said
    is_clear = any(s.names for s in kept) or (len(told) >= LEAST_WORDS and not refers)
    if not asking:
        kept = _with_more(kept, sorted(sentences, key=lambda s: (not s.names, -len(s.telling))), MANY_WORDS)
    elif not is_clear:
        kept = _with_more(kept, leading, ENOUGH_WORDS)
    return [sentence for sentence in sentences if sentence in kept]


def _leading_to(asking: Sequence[_Sentence], sentences: Sequence[_Sentence]) -> list[_Sentence]:
    """All, but the nearest sentence before the first one that asks comes first, and those behind it last."""
    place = min((sentences.index(sentence) for sentence in asking), default=0)
    return [*reversed(sentences[:place]), *sentences[place:]]


def _with_more(kept: list[_Sentence], others: Iterable[_Sentence], enough: int) -> list[_Sentence]:
    """What is kept, and of the others so many that they tell enough words."""
    told: set[str] = set()
    for sentence in others:
        if len(told) < enough and sentence.telling and sentence not in kept:
            kept = _fitting([sentence], kept)
            told |= sentence.telling
    return kept


def _last(sentences: Sequence[_Sentence]) -> list[_Sentence]:
    """As many as there is room for, from the end on."""
    kept = _fitting(reversed(sentences), [], MAX_WORDS_UNREAD)
    return [sentence for sentence in sentences if sentence in kept]


def _topic(sentences: Sequence[_Sentence]) -> _Sentence | None:
    """The first sentence, if it tells no story."""
    first = next((sentence for sentence in sentences if sentence.telling), None)
    return first if first and not first.is_personal and first.length <= MAX_TOPIC_WORDS else None


def _fitting(sentences: Iterable[_Sentence], kept: Sequence[_Sentence], most: int = MAX_WORDS) -> list[_Sentence]:
    """What is kept, and those sentences that there is room for beside it; one is always."""
    fitting = list(kept)
    room = most - sum(sentence.length for sentence in kept)
    for sentence in sentences:
        if sentence.length <= room or not fitting:
            fitting.append(sentence)
            room -= sentence.length
    return fitting


def _added(sentences: Sequence[_Sentence], kept: Sequence[_Sentence]) -> list[str]:
    """Names in what is left out; none that stands in what is kept."""
    said = {name for sentence in kept for name in sentence.names}
    added = {name: written for s in sentences for name, written in s.names.items() if name not in said}
    return list(added.values())[:MAX_NAMES]


def _parts_of(text: str) -> Iterator[str]:
    """Its sentences; of one that does not end, parts."""
    for line in _LINES.split(text):
        for begin, end in pairwise([0, *sentence_ends(line, 0, len(line)), len(line)]):
            if sentence := line[begin:end].strip():
                yield from _short_enough(sentence)


def _short_enough(sentence: str) -> Iterator[str]:
    words = words_of(sentence)
    begin = first = 0
    while len(words) - first > MAX_SENTENCE_WORDS:
        half, last = words[first + MAX_SENTENCE_WORDS // 2].begin, words[first + MAX_SENTENCE_WORDS].begin
        end = max((found.end() for found in _COMMA.finditer(sentence, half, last)), default=last)
        if end > begin:  # else one word of a script without spaces goes on
            yield sentence[begin:end].strip()
            begin = end
        first = next((i for i in range(first + 1, len(words)) if words[i].begin >= max(end, begin)), len(words))
    if rest := sentence[begin:].strip():
        yield rest


def _without_courtesies(written: str, words: Sequence[Word]) -> str:
    spans = [(words[found.begin].begin, words[found.end - 1].end) for found in phrases(COURTESY).find(words)]
    led = max((words[found.end - 1].end for found in phrases(LEADING).find(words) if found.begin == 0), default=0)
    if led and led < words[-1].end:
        spans.append((0, led))
    if not spans:
        return written
    pieces, place = [], 0
    for begin, end in sorted(spans):
        pieces.append(written[place:begin].strip(_EDGES))
        place = max(place, end)
    pieces.append(written[place:].lstrip(_EDGES))
    return " ".join(piece for piece in pieces if any(map(str.isalnum, piece)))


def _length(words: Sequence[Word]) -> int:
    """How many words those are; two pairs of characters count as one."""
    return (len(words) + len({word.begin for word in words})) // 2
