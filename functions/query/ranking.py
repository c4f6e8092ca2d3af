"""From candidates to an order: reciprocal rank fusion, one hit per pair."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from shared.domain import Candidate, Evidence

# Cormack, Clarke and Büttcher (2009), Reciprocal Rank Fusion: 60 is theirs, and little depends on it.
RRF_CONSTANT = 60
WEIGHTS: Mapping[str, float] = {"question": 0.5, "response": 0.25, "combined": 0.25, "lexical": 1.0, "graph": 1.0}


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
        pairs_before: set[UUID] = set()
        for passage_id, candidate in _first_of_each(candidates).items():
            pairs_before.add(candidate.qa_id)
            rank = len(pairs_before)
            scores[passage_id] = scores.get(passage_id, 0.0) + weights[name] / (RRF_CONSTANT + rank)
            signals.setdefault(passage_id, {})[name] = candidate.score
            found[passage_id] = candidate
    # Of equal scores the order must not depend on ids that change with every generation.
    order = sorted(scores, key=lambda passage_id: (-scores[passage_id], found[passage_id].qa_id, passage_id))
    return [Ranked(p, found[p].qa_id, found[p].document_id, scores[p], signals[p]) for p in order]


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
