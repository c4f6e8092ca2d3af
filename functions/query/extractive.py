"""The embedded answerer: quotes the sentences of the evidence that are nearest to the question. It needs no LLM."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING

from shared.analysis import words
from shared.domain import HEADING_SEPARATOR, Evidence
from shared.ports import Embedder, WrittenAnswer
from shared.sentences import sentence_ends

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PASSAGES = 4
SENTENCES_PER_PASSAGE = 12
QUOTED = 3
MIN_SHARE_OF_BEST = 0.6  # what is less near than this to the question is not worth quoting beside the best
MIN_SENTENCE_CHARACTERS = 20
SAME_QUESTION = 0.6  # shared words of all words of both
RANK_DISCOUNT = 0.05  # a sentence of a lower hit must be that much nearer, per rank
LEXICAL_WEIGHT = 0.5

# A reference of the text itself, which would be read as a citation of the answer. What is before and behind it is quoted apart.
_MARK = re.compile(r"\s*\[\d+(?:\s*[,;–-]\s*\d+)*\]\s*")


@dataclass(frozen=True, slots=True)
class _Sentence:
    text: str
    number: int  # of the evidence, from 1
    place: int


class ExtractiveWriter:
    """The port `AnswerWriter`. It says sentences, each with a citation [n]; they stand in passage n to the letter."""

    def __init__(self, embedder: Callable[[], Embedder]) -> None:
        self._embedder = embedder

    def write(self, question: str, evidence: Sequence[Evidence], *, seconds_left: float = inf) -> WrittenAnswer:
        sentences = _each_once(
            s for number, item in enumerate(evidence[:PASSAGES], start=1) for s in _sentences(item.text, number)
        )
        if not sentences:
            return WrittenAnswer("", (), abstained=True)
        if _asks_the_same(question, evidence[0]):
            quoted = [sentence for sentence in sentences if sentence.number == sentences[0].number][:QUOTED]
        else:
            quoted = self._nearest(question, sentences)
        text = " ".join(f"{sentence.text} [{sentence.number}]" for sentence in quoted)
        return WrittenAnswer(
            text,
            tuple(dict.fromkeys(sentence.number for sentence in quoted)),
            quoted=tuple((sentence.number, sentence.text) for sentence in quoted),
        )

    def _nearest(self, question: str, sentences: Sequence[_Sentence]) -> list[_Sentence]:
        """The best passage first, and within a passage in the order in which it says them."""
        scores = self._scores(question, sentences)
        best = sorted(range(len(sentences)), key=lambda i: -scores[i])[:QUOTED]
        best = [i for i in best if i == best[0] or scores[i] >= MIN_SHARE_OF_BEST * scores[best[0]]]
        first_seen = list(dict.fromkeys(sentences[i].number for i in best))
        return sorted((sentences[i] for i in best), key=lambda s: (first_seen.index(s.number), s.place))

    def _scores(self, question: str, sentences: Sequence[_Sentence]) -> NDArray[np.float64]:
        import numpy as np

        embedder = self._embedder()
        similarity = embedder.embed_passages([s.text for s in sentences]) @ embedder.embed_query(question)
        asked = {word for word in words(question) if len(word) > 1}
        shared = [len(asked & set(words(s.text))) / max(1, len(asked)) for s in sentences]
        discount = [RANK_DISCOUNT * (s.number - 1) for s in sentences]
        scores: NDArray[np.float64] = similarity + LEXICAL_WEIGHT * np.asarray(shared) - np.asarray(discount)
        return scores


def _asks_the_same(question: str, evidence: Evidence) -> bool:
    """Whether the pair's own question is the one that was asked: then its response answers from its first sentence on."""
    asked = set(words(question))
    own = set(words(evidence.pair.question.rpartition(HEADING_SEPARATOR)[2]))
    return len(asked & own) >= SAME_QUESTION * max(len(asked | own), 1)


def _sentences(text: str, number: int) -> list[_Sentence]:
    parts = list(_parts_of(text))
    long_enough = [part for part in parts if len(part) >= MIN_SENTENCE_CHARACTERS] or parts
    return [_Sentence(part, number, place) for place, part in enumerate(long_enough[:SENTENCES_PER_PASSAGE])]


def _each_once(sentences: Iterable[_Sentence]) -> list[_Sentence]:
    first: dict[tuple[str, ...], _Sentence] = {}
    for sentence in sentences:
        first.setdefault(tuple(words(sentence.text)), sentence)
    return list(first.values())


def _parts_of(text: str) -> Iterator[str]:
    """The sentences of each line that say something, and of those with references in them the parts between."""
    for line in text.splitlines():
        for begin, end in pairwise([0, *sentence_ends(line, 0, len(line)), len(line)]):
            parts = map(str.strip, _MARK.split(line[begin:end]))
            yield from (part for part in parts if any(map(str.isalnum, part)))
