"""From candidates to an order: reciprocal rank fusion, one hit per pair."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from shared.domain import Candidate, Evidence

# Cormack, Clarke and Büttcher (2009), Reciprocal Rank Fusion: 60 is theirs, and little depends on it.
RRF_CONSTANT = 60
WEIGHTS: Mapping[str, float] = {"question": 0.5, "response": 0.25, "combined": 0.25, "lexical": 1.0}


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
    found: dict[int, _Fused] = {}  # by the id as a number, whose hash is many times cheaper
    for name, candidates in lists.items():
        pairs: set[int] = set()
        for candidate in candidates:
            fused = found.setdefault(candidate.passage_id.int, _Fused(candidate))
            if name in fused.signals:
                continue  # a list that was put together from two searches may name a passage twice
            pairs.add(candidate.qa_id.int)
            fused.score += weights[name] / (RRF_CONSTANT + len(pairs))
            fused.signals[name] = candidate.score
    return [
        Ranked(best.candidate.passage_id, best.candidate.qa_id, best.candidate.document_id, best.score, best.signals)
        for best in sorted(found.values(), key=_Fused.order)
    ]


@dataclass(slots=True)
class _Fused:
    candidate: Candidate
    score: float = 0.0
    signals: dict[str, float] = field(default_factory=dict)

    def order(self) -> tuple[float, int, int]:
        """Of equal scores the order must not depend on ids that change with every generation."""
        return -self.score, self.candidate.qa_id.int, self.candidate.passage_id.int


def group_by_pair(ranked: Iterable[Ranked], evidence: Mapping[UUID, Evidence]) -> list[Hit]:
    """One hit per pair, by its best passage, in the order given; what has no evidence is left out."""
    hits: dict[UUID, Hit] = {}
    for candidate in ranked:
        found = evidence.get(candidate.passage_id)
        if found is not None and found.pair.qa_id not in hits:
            hits[found.pair.qa_id] = Hit(found, candidate.score, candidate.signals)
    return list(hits.values())
