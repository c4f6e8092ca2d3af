"""Packs the context of an answer: the best hits, then what the graph leads to from them, without saying anything twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from functions.query.ranking import Hit
from shared.analysis import telling_words, words
from shared.domain import Evidence

TOKEN_BUDGET = 3_000
# Tokens are counted by a bound that needs no tokenizer, because that of the LLM is not here, and the embedder's takes a word of
# a script that it never learned for one token. Tokenizers of LLMs make a token of about four letters of English, three of
# Turkish, and of one Korean or Chinese character, which has three bytes.
BYTES_PER_TOKEN = 3
TOKENS_AROUND = 12  # what separates a passage from the next
SHINGLE_WORDS = 4
# Of a passage's shingles (Broder, 1997, On the resemblance and containment of documents), from which on another says the same.
# Of the pairs of MedQuAD that share so many, nine in ten are about different diseases in the same phrases; hence the questions
# count as well. Of those on one focus the two rules find 85 in 100.
SAME = 0.7


def pack(hits: Sequence[Hit], neighbours: Iterable[Hit] = (), *, budget: int = TOKEN_BUDGET) -> list[Evidence]:
    """The evidence that fits the budget (tokens), best first; always the first. What is too long makes room for what follows."""
    packed: list[_Packed] = []
    left = budget
    for hit in (*hits, *neighbours):
        evidence = hit.evidence
        tokens = count_tokens(f"{evidence.pair.question}\n{evidence.text}") + TOKENS_AROUND
        if packed and tokens > left:
            continue
        said = _Packed.of(evidence)
        if not any(said.repeats(other) for other in packed):
            packed.append(said)
            left -= tokens
    return [said.evidence for said in packed]


def count_tokens(text: str) -> int:
    """How many tokens an LLM makes of a text at most, about."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class _Packed:
    """A passage, and what tells whether another one repeats it."""

    evidence: Evidence
    shingles: frozenset[tuple[str, ...]]
    asked: frozenset[str]  # by its pair's question
    words: frozenset[str]  # of the question and the text

    @classmethod
    def of(cls, evidence: Evidence) -> _Packed:
        said = list(words(evidence.text))
        places = range(max(1, len(said) - SHINGLE_WORDS + 1))
        question = evidence.pair.question
        return cls(
            evidence,
            frozenset(tuple(said[place : place + SHINGLE_WORDS]) for place in places),
            telling_words(question),
            frozenset((*said, *words(question))),
        )

    def repeats(self, other: _Packed) -> bool:
        """Whether the other one says nearly all of this one, of what this one is about."""
        shared = len(self.shingles & other.shingles)
        return shared >= SAME * len(self.shingles) and self.asked <= other.words
