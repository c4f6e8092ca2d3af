"""Shows a part of the graph: what pairs, or a question, are connected with, and how. The catalog vouches for every pair."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from functions.query.graph import Walk, Walker
from functions.query.retrieval import WALKED_FROM, Retrieval
from shared.domain import SIMILAR, Bearer, Bot, Edge, Evidence, Filter, FirstPassage, GraphLimits
from shared.errors import NotFoundError
from shared.ports import GraphCatalog, ReadingCatalog

LIMITS = GraphLimits(similar=True)


@dataclass(frozen=True, slots=True)
class Node:
    """A pair that was reached."""

    evidence: Evidence
    score: float


@dataclass(frozen=True, slots=True)
class Subgraph:
    """Pairs, best first, and the edges among them and the pairs that the walk started from."""

    nodes: Sequence[Node]
    edges: Sequence[Edge]


@dataclass(frozen=True, slots=True)
class Explorer:
    """Walks from somewhere, and tells what can be shown of it."""

    reading: ReadingCatalog
    graph: GraphCatalog
    retrieval: Retrieval

    def related(self, bot: Bot, qa_id: UUID, *, hops: int, limit: int) -> Subgraph:
        """What the pair is connected with, itself left out. Raises NotFoundError."""
        found = self.from_pairs(bot, [qa_id], hops=hops, limit=limit + 1)
        others = [node for node in found.nodes if node.evidence.pair.qa_id != qa_id]
        return replace(found, nodes=others[:limit])

    def from_pairs(self, bot: Bot, qa_ids: Sequence[UUID], *, hops: int, limit: int) -> Subgraph:
        """Raises NotFoundError if one of the pairs does not answer."""
        # A correction is found under the pair that it corrects, and has names and texts of its own.
        own = {passage.own_qa_id for passage in self.graph.first_passages(bot, qa_ids)}
        return self._explore(bot, dict.fromkeys([*qa_ids, *sorted(own - set(qa_ids))], 1.0), (), qa_ids, hops, limit)

    def from_question(self, bot: Bot, question: str, *, hops: int, limit: int) -> Subgraph:
        """From the names in it and the best hits."""
        named = Walker(self.graph).names_in(bot, question, self.retrieval.embedder_of(bot).vocabulary_place)
        hits = self.retrieval.search(bot, question, top_k=WALKED_FROM, matching=Filter()).hits
        starts = {hit.evidence.pair.qa_id: hit.score for hit in hits}
        return self._explore(bot, starts, named, (), hops, limit)

    def _explore(
        self,
        bot: Bot,
        starts: Mapping[UUID, float],
        named: Sequence[Bearer],
        required: Collection[UUID],
        hops: int,
        limit: int,
    ) -> Subgraph:
        walk = Walker(self.graph, LIMITS).walk(bot, starts, named, hops=hops)
        found, is_current = self._told(bot, walk, starts, required, limit)
        if not is_current:  # something went live in between: look once more
            found, _ = self._told(bot, walk, starts, required, limit)
        return found

    def _told(
        self, bot: Bot, walk: Walk, starts: Mapping[UUID, float], required: Collection[UUID], limit: int
    ) -> tuple[Subgraph, bool]:
        """What can be shown of a walk, and whether nothing of it was superseded meanwhile."""
        scores = walk.scores or starts
        wanted = dict.fromkeys([*starts, *walk.best(limit)])
        passages = self.graph.first_passages(bot, list(wanted))
        contents = {passage.own_qa_id: passage.since_generation for passage in passages}
        edges = self.graph.edges_between(bot, contents, walk.neighbourhood.names, LIMITS)
        evidence = self.reading.hydrate(bot, [passage.passage_id for passage in passages], Filter())
        shown = {p.own_qa_id: evidence[p.passage_id] for p in passages if p.passage_id in evidence}
        nodes = _nodes(shown, scores)
        told = {node.evidence.pair.qa_id for node in nodes}
        if missing := [qa_id for qa_id in required if qa_id not in told]:
            raise NotFoundError(f"The bot {bot.slug!r} has no pair {missing[0]} that answers.")
        lost = _lost(passages, evidence, told)
        is_current = not lost or not self.reading.superseded(bot, lost)
        return Subgraph(nodes[:limit], _edges(edges, shown)), is_current


def _nodes(shown: Mapping[UUID, Evidence], scores: Mapping[UUID, float]) -> list[Node]:
    """One for each pair, by its best score."""
    best: dict[UUID, Node] = {}
    for own_qa_id, evidence in shown.items():
        qa_id = evidence.pair.qa_id
        node = Node(evidence, max(scores.get(own_qa_id, 0.0), scores.get(qa_id, 0.0)))
        if qa_id not in best or node.score > best[qa_id].score:
            best[qa_id] = node
    return sorted(best.values(), key=lambda node: (-node.score, node.evidence.pair.qa_id))


def _edges(edges: Sequence[Edge], shown: Mapping[UUID, Evidence]) -> list[Edge]:
    """Those between pairs that are shown, by the ids under which they are.

    A correction has words of its own, and thus names and what is similar; what the record names as related still is.
    """
    words_of = {own_qa_id: evidence.pair.qa_id for own_qa_id, evidence in shown.items()}
    record_of = words_of | {qa_id: qa_id for qa_id in words_of.values()}
    told = []
    for edge in edges:
        ids = record_of if edge.name is None and edge.type != SIMILAR else words_of
        if edge.source_qa_id in ids and edge.target_qa_id in ids:
            told.append(replace(edge, source_qa_id=ids[edge.source_qa_id], target_qa_id=ids[edge.target_qa_id]))
    return sorted(set(told), key=lambda e: (-e.confidence, e.type, e.source_qa_id, e.target_qa_id, e.name or ""))


def _lost(
    passages: Sequence[FirstPassage], evidence: Mapping[UUID, Evidence], told: Collection[UUID]
) -> dict[UUID, UUID]:
    return {p.passage_id: p.own_qa_id for p in passages if p.passage_id not in evidence and p.own_qa_id not in told}
