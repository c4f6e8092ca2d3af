"""Documents, uploads and generations, as they come in and go out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from functions.query.models.base import Model
from functions.query.values import AnswerText, Question, Text

MAX_BATCH_PAIRS = 1_000


class DocumentOut(Model):
    """A document and how far it has come."""

    document_id: UUID
    name: str
    state: Literal["observing", "building", "live", "rejected", "failed", "deleting"]
    reason: str | None = Field(description="why it was rejected or failed")
    version: str | None = Field(description="of the object, as ingest saw it last")
    is_answering: bool = Field(description="whether a generation of it is live, be it an older one")
    title: str | None
    pairs: int
    passages: int
    progress: float | None = Field(description="of the generation that is building, 0 to 1")
    created_at: datetime
    updated_at: datetime
    live_at: datetime | None


class DocumentsOut(Model):
    documents: list[DocumentOut]
    next_after: str | None = Field(description="pass it as `after` for the next page")


class WrittenOut(Model):
    """An object that was written. It becomes a document when ingest has looked at it."""

    name: str
    size: int
    version: str
    is_done: bool = Field(description="whether ingest has finished with this very content")
    document: DocumentOut | None


class ReopenedOut(Model):
    """What a retry opened again. The next sync goes on with it."""

    document: DocumentOut
    passages: int = Field(description="passages that had failed and are delivered again")
    is_looked_at_again: bool = Field(description="it was rejected: the same version is parsed once more")


class GenerationOut(Model):
    """One accepted content of a document."""

    generation: int
    state: Literal["staging", "building", "live", "kept"]
    version: str = Field(description="of the object that it came from")
    title: str | None
    pairs: int
    passages: int
    created_at: datetime
    live_at: datetime | None


class GenerationsOut(Model):
    generations: list[GenerationOut]


class UploadIn(Model):
    name: Text
    size: int = Field(gt=0, description="bytes, exactly")


class UploadOut(Model):
    """A request that may be made once, without the API key."""

    url: str
    method: str
    headers: dict[str, str]
    expires_in_seconds: int


class PairIn(Model):
    """One question with its answer; further fields become metadata that can be filtered on."""

    model_config = ConfigDict(extra="allow")

    id: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = Field(
        None, description="your own id of it: the same id replaces the pair"
    )
    question: Question
    answer: AnswerText


class PairsIn(Model):
    name: Text | None = Field(None, description="the object's name: the same name replaces the whole batch")
    pairs: Annotated[list[PairIn], Field(min_length=1, max_length=MAX_BATCH_PAIRS)]


class DeletedOut(Model):
    """The object is removed. `is_done` tells whether what came of it is deleted too, or will be in a moment."""

    document: DocumentOut
    is_done: bool = Field(description="it answers no more, and stays deleted whatever happens to the stores")
