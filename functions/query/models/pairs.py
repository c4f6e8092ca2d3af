"""Single pairs and their corrections."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field

from functions.query.models.base import Model
from functions.query.models.questions import SourceOut
from functions.query.values import AnswerText, Json, Label, Moment, Question, holdable


class CorrectionIn(Model):
    """What shall be other than the pair's own document says. A field that is left out is the pair's own; null empties it."""

    question: Question = ""
    answer: AnswerText = ""
    category: Label | None = None
    subcategory: Label | None = None
    source: Label | None = None
    source_type: Label | None = None
    author: Label | None = None
    language: Label | None = None
    difficulty: Label | None = None
    tags: Annotated[list[Label], Field(max_length=100)] | None = None
    published_at: Moment | None = None
    metadata: Annotated[dict[Label, Any], AfterValidator(holdable)] | None = Field(
        None, description="further fields, one by one: null takes a field away"
    )


class PairOut(Model):
    """A pair as it answers now."""

    qa_id: UUID
    external_id: str | None
    question: str
    answer: str
    metadata: Json
    source: SourceOut
    is_corrected: bool = Field(description="whether a correction speaks instead of the document itself")
