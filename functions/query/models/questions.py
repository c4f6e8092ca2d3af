"""Questions and answers."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from functions.query.filters import FilterIn
from functions.query.models.base import Model
from functions.query.ranking import SIGNALS, Signal
from functions.query.reranking import CAN_BE_LEFT_OUT, Adjustment
from functions.query.values import Comment, Json, Label, Question

MAX_TOP_K = 100
LeftOut = Signal | Literal["intent"]


def _some_left(without: list[LeftOut]) -> list[LeftOut]:
    if set(without) >= set(SIGNALS):
        raise ValueError("nothing is left to search by: leave out fewer signals")
    return without


class SourceOut(Model):
    document_id: UUID
    name: str
    object_path: str
    page: int | None
    section: str | None
    excerpt: str


class SearchIn(Model):
    question: Question
    top_k: int = Field(10, ge=1, le=MAX_TOP_K)
    filters: FilterIn | None = None
    without: Annotated[list[LeftOut], Field(max_length=len(CAN_BE_LEFT_OUT)), AfterValidator(_some_left)] = Field(
        default_factory=list, description="signals that are left out, to see what each is worth"
    )
    diversity: float = Field(
        0.0,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="0: the most relevant first; 1: each as unlike the others as can be",
    )
    explain: bool = Field(False, description="tell what each signal adds to the score of a hit")


class PartOut(Model):
    """What one signal adds to the score of a hit."""

    signal: Signal | Adjustment
    score: float = Field(description="what it says of the hit; compares only within the signal")
    rank: int = Field(description="of the pair among those that it tells of")
    added: float = Field(description="to the score of the hit, which is the sum of its parts")


class HitOut(Model):
    rank: int
    score: float = Field(description="comparable only within this result")
    qa_id: UUID
    external_id: str | None
    passage_id: UUID
    question: str
    passage: str = Field(description="the part of the response that fits best")
    response: str
    source: SourceOut
    metadata: Json
    signals: dict[str, float] = Field(description="what each search said of it")
    parts: list[PartOut] | None = Field(
        None, description="what each added to the score, most first, if asked to explain"
    )


class SearchOut(Model):
    hits: list[HitOut]
    is_complete: bool = Field(description="false if more was to be had than could be looked at")
    dropped: int = Field(description="candidates that the catalog did not vouch for")


class AskIn(Model):
    question: Question
    top_k: int = Field(6, ge=1, le=20)
    filters: FilterIn | None = None
    user_id: Label | None = None
    session_id: Label | None = None


class CitationOut(Model):
    number: int
    qa_id: UUID
    external_id: str | None
    passage_id: UUID
    question: str
    source: SourceOut
    quotes: list[str] = Field(description="the sentences of the answer that stand there to the letter")


class AnswerOut(Model):
    query_id: UUID
    answer: str
    abstained: bool
    citations: list[CitationOut]
    writer: Literal["extractive", "llm"]


class FeedbackIn(Model):
    query_id: UUID
    feedback: Literal["up", "down", "none"]
    comment: Comment | None = None
