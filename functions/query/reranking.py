"""From fused hits to the order that is shown: what a cross-encoder says, intent, preferences, recency, votes, and variety.

All of it is a pure function of the hits and of one number for each. What a signal adds stands in a hit's parts, whose sum is
the score; a signal that says the same of all hits changes no order. The stages go in the order in which they are written here.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal, get_args
from uuid import UUID

from functions.query.intents import Intents, agreement, intents_of_pair
from functions.query.ranking import SIGNALS, Hit, Part
from shared.analysis import words
from shared.domain import Fields, Votes, share_met
from shared.errors import LockstepError
from shared.ports import Reranker
from shared.telemetry import logger

Adjustment = Literal["reranker", "intent", "should", "recency", "feedback", "diversity"]
ADJUSTMENTS: tuple[Adjustment, ...] = get_args(Adjustment)
INTENT: Literal["intent"] = "intent"
CAN_BE_LEFT_OUT = (*SIGNALS, INTENT)
RERANKER_WEIGHT = 4.0  # more than all searches together: it has read both texts
# What a signal of 1 adds to a score, as a share of it.
SHARES: Mapping[Adjustment, float] = {"intent": 0.4, "should": 0.5, "recency": 0.1, "feedback": 0.1}
PRIOR_VOTES = 2  # up, and as many down, that every pair has to begin with


# What a cross-encoder says


def read_again(question: str, hits: Sequence[Hit], reranker: Reranker, limit: int) -> list[Hit]:
    """The best `limit` hits in an order that the reranker has a say in; as they were if it fails or is too late."""
    passages = [f"{hit.evidence.pair.question}\n{hit.evidence.text}" for hit in hits[:limit]]
    try:
        scores = reranker.score(question, passages)
    except LockstepError as error:
        logger().warning("the reranker failed: the order stays", error=f"{type(error).__name__}: {error}")
        return list(hits)
    return by_cross_encoder(hits, scores)


def by_cross_encoder(hits: Sequence[Hit], scores: Sequence[float]) -> list[Hit]:
    """The first len(scores) hits gain by how far their score is above the lowest, of how far the highest is."""
    ranks, low, high = _ranks(scores), min(scores, default=0.0), max(scores, default=0.0)
    added = [RERANKER_WEIGHT * ((score - low) / (high - low) if high > low else 1.0) for score in scores]
    parts = map(Part, scores, ranks, added)
    read = [_with_part(hit, "reranker", part) for hit, part in zip(hits, parts, strict=False)]
    return _sorted([*read, *hits[len(scores) :]])


# Signals of -1 to 1 for each hit; 0 is neutral


def intent_signals(hits: Sequence[Hit], asked: Intents) -> list[float]:
    """How surely each pair answers what is asked for."""
    return [agreement(asked, intents_of_pair(hit.evidence.pair)) if asked else 0.0 for hit in hits]


def should_shares(hits: Sequence[Hit], should: Fields | None) -> list[float]:
    """The share of the preferred clauses that each pair meets."""
    if should is None:
        return [0.0] * len(hits)
    return [share_met(should, hit.evidence.pair, hit.evidence.document_id) for hit in hits]


def recencies(hits: Sequence[Hit], now: datetime, half_life_days: float) -> list[float]:
    """1 for what is published today or later, half of it a half-life ago; 0 without a date, or without a half-life."""
    if half_life_days <= 0:
        return [0.0] * len(hits)
    return [_recency(hit.evidence.pair.metadata.published_at, now, half_life_days) for hit in hits]


def _recency(published_at: datetime | None, now: datetime, half_life_days: float) -> float:
    if published_at is None:
        return 0.0
    age_days = max(0.0, (now - published_at) / timedelta(days=1))
    return float(0.5 ** (age_days / half_life_days))


def feedback_signals(hits: Sequence[Hit], votes: Mapping[UUID, Votes]) -> list[float]:
    """The mean of a Beta prior of `PRIOR_VOTES` each way with the votes on a pair, from all down (-1) to all up (1)."""
    found = (votes.get(hit.evidence.pair.qa_id, Votes()) for hit in hits)
    return [(one.up - one.down) / (one.up + one.down + 2 * PRIOR_VOTES) for one in found]


def adjust(hits: Sequence[Hit], signals: Mapping[Adjustment, Sequence[float]]) -> list[Hit]:
    """The hits with their share for each signal (those of `SHARES`), best first; equals stay in their order.

    All shares are of the score that a hit comes with, so that the order of the signals does not matter.
    """
    adjusted = list(hits)
    for name, values in signals.items():
        if any(values):
            ranks = _ranks(values)
            adjusted = [
                _with_part(hit, name, Part(value, rank, SHARES[name] * value * base.score)) if value else hit
                for base, hit, value, rank in zip(hits, adjusted, values, ranks, strict=True)
            ]
    return _sorted(adjusted)


# Variety


def mmr(hits: Sequence[Hit], top_k: int, diversity: float) -> list[Hit]:
    """The best `top_k` hits by maximal marginal relevance: relevant, and unlike those before (Carbonell and Goldstein,
    1998, The use of MMR, diversity-based reranking). `diversity` is 1 - λ of theirs: 0 leaves the hits as they are.

    Relevance is the score as a share of the best one's. What is alike is known by words: the hits come with their texts,
    while their vectors are in the index, one more call away. A hit's score becomes its marginal relevance times the best
    score; as more is chosen it can only fall, so that scores still go down the list.
    """
    if diversity <= 0 or not hits:
        return list(hits[:top_k])
    best = max(hit.score for hit in hits)
    texts = _weighted_words([hit.evidence.text for hit in hits])
    alike = [0.0] * len(hits)  # to the most similar of those chosen
    left = list(range(len(hits)))
    chosen: list[Hit] = []

    def added(place: int) -> float:
        return -diversity * (hits[place].score + best * alike[place])

    while left and len(chosen) < top_k:
        place = max(left, key=lambda place: hits[place].score + added(place))  # of equals the first
        left.remove(place)
        chosen.append(_with_part(hits[place], "diversity", Part(alike[place], len(chosen) + 1, added(place))))
        for other in left:
            alike[other] = max(alike[other], _similarity(texts[place], texts[other]))
    return chosen


def _weighted_words(texts: Sequence[str]) -> list[Mapping[str, float]]:
    """Each text's words by how few of the texts have them, as a vector of unit length.

    So what all are about makes none alike, nor do the small words of any language.
    """
    bags = [set(words(text)) for text in texts]
    containing = Counter(word for bag in bags for word in bag)
    weighted: list[Mapping[str, float]] = []
    for bag in bags:
        weights = {word: math.log((1 + len(texts)) / containing[word]) for word in sorted(bag)}
        length = math.sqrt(sum(weight * weight for weight in weights.values()))
        weighted.append({word: weight / length for word, weight in weights.items()})
    return weighted


def _similarity(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """The cosine: 0 to 1."""
    return min(1.0, math.fsum(weight * other[word] for word, weight in one.items() if word in other))


# Hits


def _with_part(hit: Hit, name: Adjustment, part: Part) -> Hit:
    return replace(hit, score=hit.score + part.added, parts={**hit.parts, name: part})


def _ranks(values: Sequence[float]) -> list[int]:
    """The rank of each value; equal ones share the best of theirs."""
    first: dict[float, int] = {}
    for rank, value in enumerate(sorted(values, reverse=True), start=1):
        first.setdefault(value, rank)
    return [first[value] for value in values]


def _sorted(hits: Sequence[Hit]) -> list[Hit]:
    return sorted(hits, key=lambda hit: -hit.score)  # is stable
