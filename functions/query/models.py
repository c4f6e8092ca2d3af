"""What comes in and goes out over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from functions.query.filters import FilterIn
from functions.query.ranking import SIGNALS, Signal
from functions.query.reranking import CAN_BE_LEFT_OUT, Adjustment
from functions.query.values import (
    AnswerText,
    Comment,
    Json,
    Label,
    Moment,
    Question,
    Text,
    holdable,
    without_controls,
)

MAX_TOP_K = 100
MAX_HOPS = 3
MAX_HALF_LIFE_DAYS = 36_500
MAX_BATCH_PAIRS = 1_000


BotName = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), BeforeValidator(without_controls)]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


# Bots


class BotSettingsIn(Model):
    """What may differ from bot to bot."""

    consistency: Literal["eventual", "strong"] = Field(
        default="eventual", description="strong: a write answers when its content can be found"
    )
    kept_generations: int = Field(default=1, ge=0, le=10, description="superseded contents of a document that are kept")
    recency_half_life_days: float = Field(
        default=0.0,
        ge=0,
        le=MAX_HALF_LIFE_DAYS,
        allow_inf_nan=False,
        description="what was published lately comes a little earlier, and loses half of that in so many days; 0: it does not",
    )
    columns: dict[Label, Label] = Field(
        default_factory=dict,
        description="for tables with column names of their own: question, response, external_id, … to the column's name",
    )


class BotIn(Model):
    slug: Annotated[
        str, Field(description="lower-case letters, digits, hyphens; its prefix in the bucket", examples=["care"])
    ]
    name: BotName = ""
    settings: BotSettingsIn = Field(default_factory=lambda: BotSettingsIn())


class BotChangeIn(Model):
    """What is left out stays as it is."""

    name: BotName | None = None
    consistency: Literal["eventual", "strong"] | None = None
    kept_generations: Annotated[int, Field(ge=0, le=10)] | None = Field(
        None, description="what is kept beyond it goes when its document changes next"
    )
    recency_half_life_days: Annotated[float, Field(ge=0, le=MAX_HALF_LIFE_DAYS, allow_inf_nan=False)] | None = None
    columns: dict[Label, Label] | None = Field(None, description="for what is uploaded from now on")


class BotOut(Model):
    bot_id: UUID
    slug: str
    name: str
    settings: BotSettingsIn
    model_id: str
    collection: str
    created_at: datetime


class BotsOut(Model):
    bots: list[BotOut]


# Documents


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


class SourceOut(Model):
    document_id: UUID
    name: str
    object_path: str
    page: int | None
    section: str | None
    excerpt: str


class PairOut(Model):
    """A pair as it answers now."""

    qa_id: UUID
    external_id: str | None
    question: str
    answer: str
    metadata: Json
    source: SourceOut
    is_corrected: bool = Field(description="whether a correction speaks instead of the document itself")


# Questions


LeftOut = Signal | Literal["intent"]


def _some_left(without: list[LeftOut]) -> list[LeftOut]:
    if set(without) >= set(SIGNALS):
        raise ValueError("nothing is left to search by: leave out fewer signals")
    return without


class SearchIn(Model):
    question: Question
    top_k: int = Field(10, ge=1, le=MAX_TOP_K)
    filters: FilterIn = Field(default_factory=lambda: FilterIn())
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
    type: str = Field(description="mentions, same-entity, synonym, similar, or as a document says of its relation")
    confidence: float
    name: str | None = Field(description="by which they are connected")


class SubgraphOut(Model):
    nodes: list[NodeOut]
    edges: list[EdgeOut] = Field(description="among the nodes and the pairs that the walk started from")


class AskIn(Model):
    question: Question
    top_k: int = Field(6, ge=1, le=20)
    filters: FilterIn = Field(default_factory=lambda: FilterIn())
    user_id: Label | None = None
    session_id: Label | None = None


class CitationOut(Model):
    number: int
    qa_id: UUID
    external_id: str | None
    passage_id: UUID
    question: str
    source: SourceOut


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


class DeletedOut(Model):
    """The object is removed. `is_done` tells whether what came of it is deleted too, or will be in a moment."""

    document: DocumentOut
    is_done: bool = Field(description="it answers no more, and stays deleted whatever happens to the stores")


class ReceiptOut(Model):
    """The proof that what was deleted is gone."""

    receipt_id: UUID
    bot: str
    kind: Literal["bot", "document", "pair"]
    document_id: UUID | None
    qa_id: UUID | None
    object_path: str | None
    state: Literal["provisional", "final"] = Field(description="final after a second look, which found nothing left")
    counts: Json = Field(description="what was deleted: rows of the catalog by table, rows of the index")
    verified: Json | None = Field(description="what the second look counted in both stores: zeros")
    deleted_at: datetime
    provisional_at: datetime
    final_at: datetime | None


class ReceiptsOut(Model):
    receipts: list[ReceiptOut]


# Exports


class ExportIn(Model):
    """What an export of any size shall be."""

    format: Literal["jsonl", "csv", "sql", "xlsx", "parquet"] = Field(
        "jsonl", description="jsonl and csv: a file per table; parquet only where pyarrow is installed"
    )
    since: Moment | None = Field(None, description="only what was updated or logged at or after that moment")
    include_embeddings: bool = Field(False, description="also the vectors, read from the index")


class ExportFileOut(Model):
    name: str
    bytes: int
    sha256: str
    url: str = Field(description="to fetch it from, without a key; it holds for a quarter of an hour")


class ExportOut(Model):
    """An export, and how far it has come."""

    export_id: UUID
    state: Literal["requested", "finished", "failed"]
    reason: str | None = Field(description="why it failed")
    format: Literal["jsonl", "csv", "sql", "xlsx", "parquet"]
    since: datetime | None
    include_embeddings: bool
    requested_at: datetime
    expires_at: datetime = Field(description="it is forgotten then")
    finished_at: datetime | None
    as_of: datetime | None = Field(description="pass it as `since` for what will have changed until the next export")
    records: dict[str, int] = Field(description="by table")
    missing_embeddings: int = Field(description="vectors that the index did not have")
    files: list[ExportFileOut]


class ExportsOut(Model):
    exports: list[ExportOut]


class ReadyOut(Model):
    """What this function needs, and whether it answers."""

    is_ready: bool
    parts: dict[str, str]


class Problem(BaseModel):
    """A problem in the form of RFC 9457."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str | None = None
    errors: list[Json] | None = Field(None, description="which fields are wrong, and how")
