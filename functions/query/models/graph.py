"""Walks through the graph of a bot."""

from __future__ import annotations

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from functions.query.models.base import Model
from functions.query.models.questions import MAX_TOP_K, SourceOut
from functions.query.values import Question

MAX_HOPS = 3


class WalkIn(Model):
    """Where a walk starts: a question, or pairs."""

    question: Question | None = None
    qa_ids: Annotated[list[UUID], Field(min_length=1, max_length=100)] | None = Field(None, description="instead of it")
    hops: int = Field(default=2, ge=1, le=MAX_HOPS)
    limit: int = Field(default=10, ge=1, le=MAX_TOP_K)

    @model_validator(mode="after")
    def _starts_once(self) -> Self:
        if (self.question is None) == (self.qa_ids is None):
            raise ValueError("name either a question or qa_ids")
        return self


class NodeOut(Model):
    """A pair that was reached."""

    rank: int
    score: float = Field(description="compares only within this answer")
    qa_id: UUID
    external_id: str | None
    passage_id: UUID
    question: str
    passage: str
    source: SourceOut


class EdgeOut(Model):
    """How two pairs are connected."""

    source: UUID
    target: UUID
    type: str = Field(
        description="mentions, link, same-entity, synonym, similar, or as a document says of its relation"
    )
    confidence: float
    name: str | None = Field(description="by which they are connected")


class SubgraphOut(Model):
    nodes: list[NodeOut]
    edges: list[EdgeOut] = Field(description="among the nodes and the pairs that the walk started from")
