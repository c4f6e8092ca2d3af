"""From candidates to an order: the scores of all searches together, one hit per pair."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import log
from typing import Literal, NamedTuple, get_args
from uuid import UUID

from shared.domain import VECTOR_FIELDS, Candidate, Evidence

Signal = Literal["question", "response", "combined", "lexical", "graph"]
SIGNALS: tuple[Signal, ...] = get_args(Signal)
LEXICAL: Signal = "lexical"
GRAPH: Signal = "graph"
UNNAMED = 0.25  # how much a walk counts that starts from hits alone, which are less sure than names in the question
GRAPH_CONSTANT = 20  # how slowly what a walker visits less counts for less
# Candidates of a vector field count by how far they are above the one at this place, which has nothing to do with the
# question; further down, ranks alone tell. As similarities fall with the logarithm of the place, two earlier ones tell it.
NOISE_PLACE = 100
READ_PLACES = (10, 50)
TAIL = 0.02  # what a rank alone counts at most
WEIGHTS: Mapping[str, float] = {"question": 0.75, "response": 0.25, "combined": 0.25, LEXICAL: 1.5, GRAPH: 2.5}


class Part(NamedTuple):
    """What one signal gave a hit: its own score, the rank that this has there, and what it added to the hit's score."""

    score: float
    rank: int
    added: float


@dataclass(slots=True)
class Ranked:
    """A passage with its fused score, which is the sum of what the searches added."""

    passage_id: UUID
    qa_id: UUID
    document_id: UUID
    score: float = 0.0
    parts: dict[str, Part] = field(default_factory=dict)

    def order(self) -> tuple[float, int, int]:
        """Of equal scores the order must not depend on ids that change with every generation."""
        return -self.score, self.qa_id.int, self.passage_id.int


@dataclass(frozen=True, slots=True)
class Hit:
    """A pair in the result: its best passage, and the evidence that the catalog vouched for."""

    evidence: Evidence
    score: float
    parts: Mapping[str, Part] = field(default_factory=dict)


def weights_for(trust: float, *, is_named: bool) -> Mapping[str, float]:
    """The weights where the embedder is trusted so far, from 0 to 1, and where the question has names or not."""
    shares = dict.fromkeys(VECTOR_FIELDS, trust) | {GRAPH: 1.0 if is_named else UNNAMED}
    return {name: weight * shares.get(name, 1.0) for name, weight in WEIGHTS.items()}


class Fusion:
    """Adds up what several searches found: each adds its weight times how its scores compare with one another.

    Scores, scaled from 0 to 1 in each list, tell more than ranks: how far the first is ahead says how sure the search is
    (Bruch, Gai and Ingber, 2023, An analysis of fusion functions for hybrid retrieval).
    """

    def __init__(self, weights: Mapping[str, float] = WEIGHTS) -> None:
        self._weights = weights
        self._found: dict[int, Ranked] = {}  # by the id as a number, whose hash is many times cheaper

    def add(self, name: str, candidates: Sequence[Candidate]) -> None:
        """What the search of that name found, best first."""
        weight, share_of = self._weights[name], _by_visits(candidates) if name == GRAPH else _by_score(name, candidates)
        passages: set[int] = set()  # a list that was put together from two searches may name a passage twice
        pairs: set[int] = set()  # that the list has named so far: their number is the rank
        for candidate in candidates:
            key = candidate.passage_id.int
            if key in passages:
                continue
            passages.add(key)
            pairs.add(candidate.qa_id.int)
            ranked = self._found.get(key)
            if ranked is None:
                ranked = Ranked(candidate.passage_id, candidate.qa_id, candidate.document_id)
                self._found[key] = ranked
            added = weight * share_of(candidate, len(pairs))
            ranked.score += added
            ranked.parts[name] = Part(candidate.score, len(pairs), added)

    def ranked(self) -> list[Ranked]:
        """All that was found so far, best first."""
        return sorted(self._found.values(), key=Ranked.order)


def fuse(lists: Mapping[str, Sequence[Candidate]], weights: Mapping[str, float] = WEIGHTS) -> list[Ranked]:
    """All candidates of all searches, best first."""
    fusion = Fusion(weights)
    for name, candidates in lists.items():
        fusion.add(name, candidates)
    return fusion.ranked()


def _by_score(name: str, candidates: Sequence[Candidate]) -> Callable[[Candidate, int], float]:
    """How far each is above the noise, of how far the best is; and a little by rank, which orders those that are below."""
    noise = _noise(name, candidates)
    span = candidates[0].score - noise if candidates else 0.0

    def share(candidate: Candidate, rank: int) -> float:
        above = (candidate.score - noise) / span if span > 0 else 1.0
        return (1 - TAIL) * min(1.0, max(0.0, above)) + TAIL / rank

    return share


def _noise(name: str, candidates: Sequence[Candidate]) -> float:
    """The score of what has nothing to do with the question: what has none of its words, or stands further down a long list."""
    early, late = READ_PLACES
    if name == LEXICAL or len(candidates) < late:
        return 0.0
    fall = (candidates[early - 1].score - candidates[late - 1].score) / log(late / early)
    return candidates[late - 1].score - fall * log(NOISE_PLACE / late)


def _by_visits(candidates: Sequence[Candidate]) -> Callable[[Candidate, int], float]:
    """By the number of pairs that a walker visits as often, rarer ones counted in proportion; the first is 1.

    Ten pairs that bear one name count alike, whatever their order; and a walk says more of its first few than of the rest.
    """
    visits = {candidate.qa_id.int: max(candidate.score, 1e-12) for candidate in candidates}

    def share(candidate: Candidate, _: int) -> float:
        own = visits[candidate.qa_id.int]
        return GRAPH_CONSTANT / (GRAPH_CONSTANT - 1 + sum(min(1.0, score / own) for score in visits.values()))

    return share


def group_by_pair(ranked: Iterable[Ranked], evidence: Mapping[UUID, Evidence]) -> list[Hit]:
    """One hit per pair, by its best passage, in the order given; what has no evidence is left out."""
    hits: dict[UUID, Hit] = {}
    for candidate in ranked:
        found = evidence.get(candidate.passage_id)
        if found is not None and found.pair.qa_id not in hits:
            hits[found.pair.qa_id] = Hit(found, candidate.score, candidate.parts)
    return list(hits.values())
