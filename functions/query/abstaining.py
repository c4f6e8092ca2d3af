"""Whether evidence is too weak to answer from: whether it speaks of what the question asks about.

Where a knowledge base holds the symptoms of a thousand diseases, those of one more are asked for in words that most of its
passages have, and their vectors lie near: what tells is the one name that no passage holds. Hence words count by how rare they
are in the knowledge base. Of words that passages put otherwise the embedder tells, as far as it knows the language.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from functions.query.retrieval import SearchResult
from shared.aliases import with_aliases
from shared.analysis import question_words, terms
from shared.domain import VECTOR_FIELDS, Evidence

Rarity = Callable[[Collection[Sequence[str]]], list[float]]  # of groups of terms: see `ReadingCatalog.rarity`

ENOUGH = 0.75
SIMILARITY_WEIGHT = 1.0
NEUTRAL_SIMILARITY = 0.6


def is_weak(found: SearchResult, rarity: Rarity) -> bool:
    """Whether the hits are too far from the question to answer it. Without any they are."""
    return strength(found, rarity) < ENOUGH


def strength(found: SearchResult, rarity: Rarity) -> float:
    """How much the hits have to do with the question: about 1 if one says all of it."""
    if not found.hits:
        return 0.0
    similarity = max((hit.signals.get(name, 0.0) for hit in found.hits for name in VECTOR_FIELDS), default=0.0)
    return coverage(
        found.searched_for, [hit.evidence for hit in found.hits], rarity
    ) + SIMILARITY_WEIGHT * found.trust * (similarity - NEUTRAL_SIMILARITY)


def coverage(question: str, evidence: Sequence[Evidence], rarity: Rarity) -> float:
    """The share of the question's words that one passage holds, the best one; each counts by its rarity."""
    words = question_words(question)
    rarities = iter(rarity([forms for word in words for forms in word]))
    weighed = [[(forms, next(rarities)) for forms in word] for word in words]
    whole = sum(word[0][1] for word in weighed)
    if not whole:
        return 0.0
    return max(sum(_held(word, said) for word in weighed) for said in map(_terms_of, evidence)) / whole


def _held(word: Sequence[tuple[Sequence[str], float]], said: Collection[str]) -> float:
    """The weight of a word that is there; of one that only begins as it does, no more than that of such beginnings."""
    exact = word[0][1]
    return max((min(exact, weight) for forms, weight in word if any(form in said for form in forms)), default=0.0)


def _terms_of(evidence: Evidence) -> frozenset[str]:
    return frozenset(terms(f"{with_aliases(evidence.pair.question, evidence.pair.metadata.extra)}\n{evidence.text}"))
