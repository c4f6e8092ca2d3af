"""Bots, their collections and embedders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class EmbedderModel:
    """What is known of an embedder; two with the same `model_id` and `revision` give the same vectors."""

    model_id: str
    revision: str
    dimension: int
    window: int  # tokens, special ones included
    query_prefix: str = ""
    passage_prefix: str = ""
    languages: tuple[str, ...] = ()  # that it was trained on, as far as it says: of another, its vectors tell little


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
    recency_half_life_days: float = 0.0  # in which a publication loses half of its advantage; 0: it has none


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
