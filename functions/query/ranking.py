"""From candidates to an order: reciprocal rank fusion, one hit per pair."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from shared.domain import Candidate, Evidence

# Cormack, Clarke and Büttcher (2009), Reciprocal Rank Fusion: 60 is theirs, and little depends on it.
RRF_CONSTANT = 60
GRAPH, GRAPH_CONSTANT = (
    "graph",
    10,
)  # measured: with 60, what a question leads to in two steps drowns in what resembles it
WEIGHTS: Mapping[str, float] = {"question": 0.5, "response": 0.25, "combined": 0.25, "lexical": 1.0, GRAPH: 0.5}


@dataclass(frozen=True, slots=True)
class Ranked:
    """A passage with its fused score and what each search gave it."""

    passage_id: UUID
    qa_id: UUID
    document_id: UUID
    score: float
    signals: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Hit:
    """A pair in the result: its best passage, and the evidence that the catalog vouched for."""

    evidence: Evidence
    score: float
    signals: Mapping[str, float] = field(default_factory=dict)


def fuse(lists: Mapping[str, Sequence[Candidate]], weights: Mapping[str, float] = WEIGHTS) -> list[Ranked]:
    """All candidates, best first. A pair counts once per list, by its best passage, so that long answers do not crowd."""
    scores: dict[UUID, float] = {}
    signals: dict[UUID, dict[str, float]] = {}
    found: dict[UUID, Candidate] = {}
    for name, candidates in lists.items():
        passages = _first_of_each(candidates)
        shares = _by_visits(passages.values()) if name == GRAPH else _by_rank(passages.values())
        for (passage_id, candidate), share in zip(passages.items(), shares, strict=True):
            scores[passage_id] = scores.get(passage_id, 0.0) + weights[name] * share
            signals.setdefault(passage_id, {})[name] = candidate.score
            found[passage_id] = candidate
    # Of equal scores the order must not depend on ids that change with every generation.
    order = sorted(scores, key=lambda passage_id: (-scores[passage_id], found[passage_id].qa_id, passage_id))
    return [Ranked(p, found[p].qa_id, found[p].document_id, scores[p], signals[p]) for p in order]


def _by_rank(candidates: Iterable[Candidate]) -> Iterator[float]:
    pairs_before: set[UUID] = set()
    for candidate in candidates:
        pairs_before.add(candidate.qa_id)
        yield 1 / (RRF_CONSTANT + len(pairs_before))


def _by_visits(candidates: Collection[Candidate]) -> Iterator[float]:
    """As by rank, but the rank is the number of pairs that a walker visits as often, rarer ones counted in proportion.

    Ten pairs that bear one name share a rank, whatever their order; and a walk says more of its first few than of the rest.
    """
    visits = {candidate.qa_id: max(candidate.score, 1e-12) for candidate in candidates}
    for candidate in candidates:
        rank = sum(min(1.0, score / visits[candidate.qa_id]) for score in visits.values())
        yield 1 / (GRAPH_CONSTANT + rank)


def _first_of_each(candidates: Iterable[Candidate]) -> dict[UUID, Candidate]:
    """By passage; a list that was put together from two searches may name one twice."""
    found: dict[UUID, Candidate] = {}
    for candidate in candidates:
        found.setdefault(candidate.passage_id, candidate)
    return found


def group_by_pair(ranked: Iterable[Ranked], evidence: Mapping[UUID, Evidence]) -> list[Hit]:
    """One hit per pair, by its best passage, in the order given; what has no evidence is left out."""
    hits: dict[UUID, Hit] = {}
    for candidate in ranked:
        found = evidence.get(candidate.passage_id)
        if found is not None and found.pair.qa_id not in hits:
            hits[found.pair.qa_id] = Hit(found, candidate.score, candidate.signals)
    return list(hits.values())
