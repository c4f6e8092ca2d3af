"""From candidates to an order: reciprocal rank fusion, one hit per pair."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args
from uuid import UUID

from shared.domain import Candidate, Evidence

# Cormack, Clarke and Büttcher (2009), Reciprocal Rank Fusion: 60 is theirs, and little depends on it.
RRF_CONSTANT = 60
Signal = Literal["question", "response", "combined", "lexical", "graph"]
SIGNALS: tuple[Signal, ...] = get_args(Signal)
LEXICAL: Signal = "lexical"
GRAPH: Signal = "graph"
GRAPH_CONSTANT = 10  # measured: with 60, what a question leads to in two steps drowns in what resembles it
WEIGHTS: Mapping[str, float] = {"question": 0.5, "response": 0.25, "combined": 0.25, LEXICAL: 1.0, GRAPH: 0.5}


@dataclass(frozen=True, slots=True)
class Ranked:
    """A passage with its fused score: what each search gave it, what that added to the score, and its rank there."""

    passage_id: UUID
    qa_id: UUID
    document_id: UUID
    score: float
    signals: Mapping[str, float]
    parts: Mapping[str, float] = field(default_factory=dict)  # their sum is the score
    ranks: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hit:
    """A pair in the result: its best passage, and the evidence that the catalog vouched for."""

    evidence: Evidence
    score: float
    signals: Mapping[str, float] = field(default_factory=dict)
    parts: Mapping[str, float] = field(default_factory=dict)
    ranks: Mapping[str, int] = field(default_factory=dict)


def fuse(lists: Mapping[str, Sequence[Candidate]], weights: Mapping[str, float] = WEIGHTS) -> list[Ranked]:
    """All candidates, best first. A pair counts once per list, by its best passage, so that long answers do not crowd."""
    found: dict[int, _Fused] = {}  # by the id as a number, whose hash is many times cheaper
    for name, candidates in lists.items():
        passages = _first_of_each(candidates)
        ranks = _ranks(passages)
        shares = _by_visits(passages) if name == GRAPH else [1 / (RRF_CONSTANT + rank) for rank in ranks]
        for candidate, rank, share in zip(passages, ranks, shares, strict=True):
            fused = found.setdefault(candidate.passage_id.int, _Fused(candidate))
            part = weights[name] * share
            fused.score += part
            fused.signals[name] = candidate.score
            fused.parts[name] = part
            fused.ranks[name] = rank
    return [best.ranked() for best in sorted(found.values(), key=_Fused.order)]


@dataclass(slots=True)
class _Fused:
    candidate: Candidate
    score: float = 0.0
    signals: dict[str, float] = field(default_factory=dict)
    parts: dict[str, float] = field(default_factory=dict)
    ranks: dict[str, int] = field(default_factory=dict)

    def ranked(self) -> Ranked:
        best = self.candidate
        return Ranked(best.passage_id, best.qa_id, best.document_id, self.score, self.signals, self.parts, self.ranks)

    def order(self) -> tuple[float, int, int]:
        """Of equal scores the order must not depend on ids that change with every generation."""
        return -self.score, self.candidate.qa_id.int, self.candidate.passage_id.int


def _ranks(candidates: Iterable[Candidate]) -> list[int]:
    """How many pairs the list has named when it comes to each candidate, its own included."""
    pairs: set[int] = set()
    ranks = []
    for candidate in candidates:
        pairs.add(candidate.qa_id.int)
        ranks.append(len(pairs))
    return ranks


def _by_visits(candidates: Collection[Candidate]) -> Iterator[float]:
    """As by rank, but the rank is the number of pairs that a walker visits as often, rarer ones counted in proportion.

    Ten pairs that bear one name share a rank, whatever their order; and a walk says more of its first few than of the rest.
    """
    visits = {candidate.qa_id.int: max(candidate.score, 1e-12) for candidate in candidates}
    for candidate in candidates:
        rank = sum(min(1.0, score / visits[candidate.qa_id.int]) for score in visits.values())
        yield 1 / (GRAPH_CONSTANT + rank)


def _first_of_each(candidates: Iterable[Candidate]) -> list[Candidate]:
    """A list that was put together from two searches may name a passage twice."""
    found: dict[int, Candidate] = {}
    for candidate in candidates:
        found.setdefault(candidate.passage_id.int, candidate)
    return list(found.values())


def group_by_pair(ranked: Iterable[Ranked], evidence: Mapping[UUID, Evidence]) -> list[Hit]:
    """One hit per pair, by its best passage, in the order given; what has no evidence is left out."""
    hits: dict[UUID, Hit] = {}
    for candidate in ranked:
        found = evidence.get(candidate.passage_id)
        if found is not None and found.pair.qa_id not in hits:
            hits[found.pair.qa_id] = Hit(found, candidate.score, candidate.signals, candidate.parts, candidate.ranks)
    return list(hits.values())
