"""The words of the design as frozen values. Nothing here knows a vendor, a clock or a network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO
from uuid import UUID, uuid5

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]  # shape (dimension,), unit length

VECTOR_FIELDS = ("question", "response", "combined")


@dataclass(frozen=True, slots=True)
class EmbedderModel:
    """What is known of an embedder; two with the same `model_id` and `revision` give the same vectors."""

    model_id: str
    revision: str
    dimension: int
    window: int  # tokens, special ones included
    query_prefix: str = ""
    passage_prefix: str = ""


@dataclass(frozen=True, slots=True)
class Collection:
    """One collection of the index: all rows that one embedder made for one deployment."""

    collection_id: UUID
    deployment_id: UUID
    name: str
    model_id: str
    model_revision: str
    dimension: int
    metric: str = "COSINE"
    index_type: str = "AUTOINDEX"
    index_params: Mapping[str, int] = field(default_factory=dict)
    incarnation: UUID | None = None  # None until it was created in the index

    def is_of(self, model: EmbedderModel) -> bool:
        """Whether the rows were made by that embedder: only then can they be compared with what it makes."""
        theirs = (model.model_id, model.revision, model.dimension)
        return theirs == (self.model_id, self.model_revision, self.dimension)

    @property
    def embedder(self) -> str:
        """The embedder, in words for people."""
        return f"{self.model_id} ({self.model_revision}, {self.dimension} dimensions)"


@dataclass(frozen=True, slots=True)
class BotSettings:
    """What may differ from bot to bot."""

    consistency: str = "eventual"  # or "strong": a write answers after the flip
    kept_generations: int = 1
    columns: Mapping[str, str] = field(default_factory=dict)  # for tables: "question", "response", … to a column's name


@dataclass(frozen=True, slots=True)
class Bot:
    """One knowledge base: the boundary that nothing crosses."""

    bot_id: UUID
    slug: str
    name: str
    collection: Collection
    settings: BotSettings
    created_at: datetime
    next_collection: Collection | None = None  # is built beside `collection`; every write goes to both
    former_collection: Collection | None = None  # was left, and is being emptied

    @property
    def other_collections(self) -> tuple[Collection, ...]:
        """Those that hold rows of the bot beside the one that answers."""
        return tuple(other for other in (self.next_collection, self.former_collection) if other is not None)

    def within(self, collection: Collection) -> Bot:
        """The bot as if that were its collection, and its only one."""
        return replace(self, collection=collection, next_collection=None, former_collection=None)


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """One content of one object in the bucket."""

    key: str
    etag: str
    size: int
    version_id: str | None = None

    @property
    def token(self) -> str:
        """Names this content; two looks with the same token saw the same bytes."""
        return f"{self.etag}@{self.version_id}" if self.version_id else self.etag


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at an object, under a lease. Only the newest look of a document may commit."""

    bot: Bot
    document_id: UUID
    object_key: str
    epoch: int
    seen_version: str | None  # the last version that was accepted or rejected
    seen_hash: str | None  # sha256 of the content that is live or building
    is_known: bool = False  # something of it was seen or written before: its removal is a delete


# Content


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a pair says of itself beside its text."""

    category: str | None = None
    subcategory: str | None = None
    source: str | None = None
    source_type: str | None = None
    author: str | None = None
    published_at: datetime | None = None
    language: str | None = None
    difficulty: str | None = None
    tags: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)  # JSON values only


@dataclass(frozen=True, slots=True)
class Relation:
    """A typed edge from one pair to another."""

    target_qa_id: UUID
    type: str
    confidence: float


@dataclass(frozen=True)
class Pair:
    """A question and its response, as one generation of a document has it."""

    qa_id: UUID
    question: str
    response: str
    external_id: str | None = None
    heading_path: tuple[str, ...] = ()
    page: int | None = None
    section: str | None = None
    is_active: bool = True
    metadata: Metadata = field(default_factory=Metadata)
    relations: tuple[Relation, ...] = ()

    @cached_property
    def content_hash(self) -> str:
        """sha256 over everything that a reader could see of the pair: equal hashes need no new passages."""
        fields = (
            self.question,
            self.response,
            self.external_id,
            self.heading_path,
            self.page,
            self.section,
            self.is_active,
            [getattr(self.metadata, name) for name in Metadata.__slots__],
            [(str(r.target_qa_id), r.type, r.confidence) for r in self.relations],
        )
        return sha256_of(fields)


@dataclass(frozen=True, slots=True)
class Passage:
    """The part of a pair's response that fits the embedder's window."""

    passage_id: UUID
    part: int
    text: str
    page: int | None = None


@dataclass(frozen=True)
class IndexRow:
    """One row of a collection, vectors apart. It is written once and never changed."""

    passage_id: UUID
    deployment_id: UUID
    bot_id: UUID
    document_id: UUID
    qa_id: UUID
    part: int
    question: str
    response: str
    is_active: bool = True
    external_id: str = ""
    category: str = ""
    subcategory: str = ""
    source: str = ""
    source_type: str = ""
    author: str = ""
    language: str = ""
    difficulty: str = ""
    tags: str = ""
    published_at: int = 0
    related_nodes: tuple[Mapping[str, Any], ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def row_hash(self) -> str:
        """sha256 over every scalar field, in the order of their declaration."""
        return sha256_of([getattr(self, name) for name in self.__dataclass_fields__])


@dataclass(frozen=True, slots=True)
class Vectors:
    """The three vectors of a row, each of shape (dimension,), float32."""

    question: Vector
    response: Vector
    combined: Vector

    @property
    def digest(self) -> str:
        """sha256 over the bytes of all three."""
        digest = hashlib.sha256()
        for name in VECTOR_FIELDS:
            digest.update(getattr(self, name).astype("<f4", copy=False).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class StagedPassage:
    """A passage that is about to be committed, with the hashes that its marker records."""

    passage: Passage
    row_hash: str
    text_hash: str
    lexemes: str  # as Postgres writes a tsvector


@dataclass(frozen=True, slots=True)
class StagedPair:
    """A pair that is new or changed, with its passages."""

    pair: Pair
    passages: tuple[StagedPassage, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """Where in which document a passage stands."""

    name: str
    object_path: str
    page: int | None
    section: str | None
    excerpt: str


@dataclass(frozen=True, slots=True)
class OwnPair:
    """A pair as its own document has it, whether a correction replaces it or not."""

    pair: Pair
    content_hash: str
    document_id: UUID
    source: Source


@dataclass(frozen=True, slots=True)
class Accepted:
    """What an observation found to be worth a generation."""

    version: ObjectVersion
    content_hash: str
    title: str | None
    corrects: OwnPair | None = None  # what the document's one pair replaces, if it is a correction


# Delivery


class Wanted(StrEnum):
    """What the index must hold for a passage. It goes from present to absent and never back."""

    PRESENT = "present"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Marker:
    """A claimed marker: what to carry out on the index."""

    passage_id: UUID
    document_id: UUID
    wanted: Wanted
    row: IndexRow | None = None  # for present
    text: EmbeddableText | None = None  # for present
    row_hash: str = ""  # as recorded when the passage was minted
    copy_from: UUID | None = None  # a delivered passage with the same text or question
    copy_digest: str | None = None  # the digest of its vectors, as proven
    copy_text: EmbeddableText | None = None  # what its vectors were made from
    proven_digest: str | None = None  # of its own vectors, proven on a collection that is gone


@dataclass(frozen=True, slots=True)
class EmbeddableText:
    """The texts that a passage's vectors are made from, unclipped."""

    question: str
    response: str


@dataclass(frozen=True, slots=True)
class Claim:
    """Markers under one lease."""

    token: UUID
    markers: tuple[Marker, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """What was read back for one marker."""

    passage_id: UUID
    row_hash: str
    vector_digest: str


# Audit

KEY_SPACE = 1 << 32


@dataclass(frozen=True, slots=True)
class KeyRange:
    """A stretch of a collection's keys by their first 32 bits, `end` left out. Ids are random, so that equal stretches
    hold about as many rows.

    The first and the last stretch reach beyond all ids, to keys that are none: somebody else wrote those.
    """

    begin: int = 0
    end: int = KEY_SPACE

    @property
    def first(self) -> UUID:
        return UUID(int=self.begin << 96)

    @property
    def last(self) -> UUID:
        return UUID(int=(self.end << 96) - 1)

    @property
    def first_text(self) -> str:
        return str(self.first) if self.begin else ""

    @property
    def end_text(self) -> str | None:
        return str(UUID(int=self.end << 96)) if self.end < KEY_SPACE else None


@dataclass(frozen=True, slots=True)
class StoredRow:
    """What the index holds under a key, in hashes. Anybody may have written it, so that nothing of it need be in order."""

    key: str
    bot_id: UUID | None
    row_hash: str  # recomputed from the fields; "" if they make no row
    vector_digest: str

    @property
    def passage_id(self) -> UUID | None:
        """None if no passage has such a key."""
        return uuid_or_none(self.key)


@dataclass(frozen=True, slots=True)
class ProvenMarker:
    """What was proven to be in the index, and when."""

    bot_id: UUID
    passage_id: UUID
    row_hash: str
    vector_digest: str | None
    proven_at: datetime | float | None


@dataclass(frozen=True, slots=True)
class MarkerState:
    """A marker as it is now; `proven` if its row must be in the index."""

    wanted: Wanted
    is_delivered: bool
    proven: ProvenMarker | None


@dataclass(frozen=True, slots=True)
class Drift:
    """What a comparison of index and catalog found, in rows."""

    checked: int = 0
    missing: int = 0  # proven, and not in the index
    corrupt: int = 0  # not what was proven
    orphaned: int = 0  # of this deployment, and not wanted by the catalog
    foreign: int = 0  # of other origin: no drift, and never touched

    def __add__(self, other: Drift) -> Drift:
        return Drift(*(getattr(self, name) + getattr(other, name) for name in Drift.__slots__))

    @property
    def is_clean(self) -> bool:
        return not (self.missing or self.corrupt or self.orphaned)


@dataclass(frozen=True, slots=True)
class ChangeProgress:
    """How far a bot is on its way into another collection."""

    passages: int  # of live and kept generations: those that must be there before the bot moves
    proven: int  # of them, read back from the other collection as it is now
    unmarked: int  # passages of any generation that nobody was told to deliver there yet
    leased: int  # are being delivered there at this moment

    @property
    def is_complete(self) -> bool:
        return self.proven == self.passages and self.unmarked == 0


# Deletes


@dataclass(frozen=True, slots=True)
class Deletion:
    """One entry of the deletion ledger. What it names is deleted, in whatever catalog it turns up again."""

    entry: str  # its name in the ledger
    kind: str  # "document", "pair" or "bot"
    bot_id: UUID
    slug: str
    deleted_at: datetime
    document_id: UUID | None = None
    object_key: str | None = None
    qa_id: UUID | None = None
    generation: int | None = None  # of a pair, which keeps its id: deleted up to this one


@dataclass(frozen=True, slots=True)
class Buried:
    """What has a tombstone that is younger than its bot."""

    kind: str
    object_key: str | None
    passages: int


@dataclass(frozen=True, slots=True)
class LivePair:
    """Where a pair stands that answers."""

    qa_id: UUID
    document_id: UUID
    object_key: str
    generation: int
    is_alone: bool  # it is all that its object holds


# Questions


@dataclass(frozen=True, slots=True)
class Filter:
    """What a hit must satisfy. Within a field any of the values will do (of `tags`, all must be there)."""

    category: tuple[str, ...] | None = None
    subcategory: tuple[str, ...] | None = None
    source: tuple[str, ...] | None = None
    source_type: tuple[str, ...] | None = None
    author: tuple[str, ...] | None = None
    language: tuple[str, ...] | None = None
    difficulty: tuple[str, ...] | None = None
    external_id: tuple[str, ...] | None = None
    document_id: tuple[UUID, ...] | None = None
    tags: tuple[str, ...] | None = None
    published_from: datetime | None = None
    published_to: datetime | None = None
    metadata: Mapping[str, Any] | None = None

    @property
    def is_empty(self) -> bool:
        return all(getattr(self, name) is None for name in Filter.__slots__)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage that a search proposes; nothing is known of it until the catalog vouches for it."""

    passage_id: UUID
    qa_id: UUID
    document_id: UUID
    score: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """A passage that the catalog vouched for, with its pair and its source."""

    passage_id: UUID
    document_id: UUID
    generation: int
    text: str
    part: int
    pair: Pair
    source: Source
    is_corrected: bool = False  # the pair is a correction of what its document says


@dataclass(frozen=True, slots=True)
class DocumentStatus:
    """What a person is told of a document."""

    document_id: UUID
    object_key: str
    state: str
    reason: str | None
    is_answering: bool
    title: str | None
    pairs: int
    passages: int
    progress: float | None  # of the building generation, 0 to 1
    seen_version: str | None
    created_at: datetime
    updated_at: datetime
    live_at: datetime | None


@dataclass(frozen=True, slots=True)
class GenerationStatus:
    """What a person is told of one generation of a document."""

    generation: int
    state: str
    version: str
    title: str | None
    pairs: int
    passages: int
    created_at: datetime
    live_at: datetime | None


@dataclass(frozen=True, slots=True)
class Reopened:
    """What a retry has opened again of one document."""

    document_id: UUID
    object_key: str
    passages: int  # to be delivered again
    is_looked_at_again: bool  # it was rejected: the same version is parsed once more


@dataclass(frozen=True, slots=True)
class SeenObject:
    """What the catalog knows of an object in the bucket."""

    object_key: str
    seen_version: str | None  # None: this deployment never saw the object itself

    def is_version(self, version: ObjectVersion) -> bool:
        """Whether that is what was seen. A listing knows no version ids."""
        return self.seen_version is not None and self.seen_version.partition("@")[0] == version.etag


@dataclass(frozen=True, slots=True)
class QueryLog:
    """One answered question, as it is kept."""

    query_id: UUID
    question: str
    answer: str | None
    abstained: bool
    response_time_ms: int
    score: float | None = None
    user_id: str | None = None
    session_id: str | None = None
    document_ids: tuple[UUID, ...] = ()
    citations: tuple[Mapping[str, Any], ...] = ()


# Operating


@dataclass(frozen=True, slots=True)
class Gauges:
    """What the catalog says of the whole deployment, at one moment."""

    markers: Mapping[str, int]  # by state; those that are delivered are not counted
    oldest_marker_seconds: float  # for how long the oldest pending one has waited; 0 if none is
    documents: Mapping[str, int]  # by state
    deployment_age_seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the last run of an operation ended: `audit` (its subject is a collection), `snapshot` or `drill`."""

    operation: str
    subject: str
    figures: Mapping[str, Any]
    finished_at: datetime
    age_seconds: float


@dataclass(frozen=True, slots=True)
class Notice:
    """News of a document. Two with the same `document_id` and `news` are the same."""

    bot: str
    document_id: UUID
    object_key: str
    state: str  # live, rejected or failed
    reason: str | None
    version: str | None
    updated_at: datetime
    news: str  # the state, and the generation or version that brought it


def qa_id_of(document_id: UUID, key: str) -> UUID:
    """The stable id of a pair: the same document and key give the same id, in every generation."""
    return uuid5(document_id, key)


def uuid_or_none(text: object) -> UUID | None:
    """The id that `text` is, written as Lockstep writes ids; None for anything else."""
    try:
        found = UUID(str(text))
    except ValueError:
        return None
    return found if str(found) == text else None


def sha256_of(value: object) -> str:
    """sha256 of the canonical JSON of a value: sorted keys, no spaces, UTF-8."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def sha256_of_file(file: BinaryIO) -> str:
    """sha256 of what is left to read of a file."""
    digest = hashlib.sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no canonical form")
