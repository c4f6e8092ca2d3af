"""The graph: what is connected with a pair, or with a question."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from functions.query.exploring import Subgraph
from functions.query.models.graph import MAX_HOPS, EdgeOut, NodeOut, SubgraphOut, WalkIn
from functions.query.models.questions import MAX_TOP_K
from functions.query.routes.questions import source_out
from functions.query.services import BotOf, ServicesOf
from shared.telemetry import timed

router = APIRouter(prefix="/bots/{bot}", tags=["graph"])

Hops = Annotated[int, Query(ge=1, le=MAX_HOPS, description="how many names lie between at most")]
Limit = Annotated[int, Query(ge=1, le=MAX_TOP_K)]


@router.get("/pairs/{qa_id}/related", summary="What a pair is connected with")
def related(bot: BotOf, services: ServicesOf, qa_id: UUID, hops: Hops = 1, limit: Limit = 10) -> SubgraphOut:
    """By relations that its document names, by names (who mentions it, whom it mentions, who is called the same), and by
    questions that are alike."""
    with timed("query_seconds", operation="related"):
        return _out(services.explorer.related(bot, qa_id, hops=hops, limit=limit))


@router.post("/graph/walk", summary="Walk the graph from a question or from pairs")
def walk(bot: BotOf, services: ServicesOf, body: WalkIn) -> SubgraphOut:
    """From a question: from the names in it and the best hits. The scores are shares of a walker's time."""
    with timed("query_seconds", operation="walk"):
        if body.question is not None:
            return _out(services.explorer.from_question(bot, body.question, hops=body.hops, limit=body.limit))
        return _out(services.explorer.from_pairs(bot, body.qa_ids or [], hops=body.hops, limit=body.limit))


def _out(found: Subgraph) -> SubgraphOut:
    nodes = [
        NodeOut(
            rank=rank,
            score=node.score,
            qa_id=node.evidence.pair.qa_id,
            external_id=node.evidence.pair.external_id,
            passage_id=node.evidence.passage_id,
            question=node.evidence.pair.question,
            passage=node.evidence.text,
            source=source_out(node.evidence),
        )
        for rank, node in enumerate(found.nodes, start=1)
    ]
    edges = [
        EdgeOut(
            source=edge.source_qa_id,
            target=edge.target_qa_id,
            type=edge.type,
            confidence=edge.confidence,
            name=edge.name,
        )
        for edge in found.edges
    ]
    return SubgraphOut(nodes=nodes, edges=edges)
