"""What a document consists of: pairs, passages, their rows and vectors."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID

from shared.domain.hashes import sha256_of
from shared.domain.objects import ObjectVersion

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]  # shape (dimension,), unit length

HEADING_SEPARATOR = " › "  # between the headings of a path, where it is a question
VECTOR_FIELDS = ("question", "response", "combined")


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
    """A typed edge from one pair to another: to that of its own document, else to those that have the id in others."""

    target_qa_id: UUID
    type: str
    confidence: float
    target_external_id: str | None = None


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
    addresses: tuple[str, ...] = ()  # by which a link leads to it
    links: tuple[str, ...] = ()  # the addresses that its text links to

    @cached_property
    def content_hash(self) -> str:
        """sha256 over everything that a reader could see of the pair, which neither its addresses nor its links are."""
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
    lexemes: str  # its terms, as Postgres writes a tsvector
    term_count: int
    related_nodes: tuple[Mapping[str, Any], ...] = ()  # what its row says of the pair's relations


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


@dataclass(frozen=True, slots=True)
class EmbeddableText:
    """The texts that a passage's vectors are made from, unclipped."""

    question: str
    response: str
