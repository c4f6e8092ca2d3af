"""What the catalog holds, as plain values under one lock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar
from uuid import UUID, uuid4

from shared.catalog.mapping import EXCERPT_CHARACTERS
from shared.domain import (
    HEADING_SEPARATOR,
    Bot,
    Collection,
    Outcome,
    OwnPair,
    Pair,
    QueryLog,
    Source,
    Staged,
    StagedPassage,
    Wanted,
)
from shared.errors import NotFoundError

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(slots=True)
class GenerationRow:
    """One generation and its membership."""

    state: str
    content_hash: str
    title: str | None
    version: str
    corrects: OwnPair | None = None
    members: set[UUID] = field(default_factory=set)
    sealed: int | None = None
    pairs: int = 0
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    live_at: datetime | None = None


@dataclass(slots=True)
class DocumentRow:
    """A document with its generations."""

    document_id: UUID
    object_key: str
    created_at: datetime
    updated_at: datetime
    state: str = "observing"
    reason: str | None = None
    epoch: int = 0
    leased_until: float = 0.0
    look_again: bool = False
    seen_version: str | None = None
    last_generation: int = 0
    staging: int | None = None
    building: int | None = None
    live: int | None = None
    tombstone_id: UUID | None = None
    told: str | None = None
    generations: dict[int, GenerationRow] = field(default_factory=dict)

    @property
    def corrects(self) -> OwnPair | None:
        """What its live generation replaces."""
        return self.generations[self.live].corrects if self.live is not None else None

    def staged(self) -> Staged | None:
        """What the staging generation holds."""
        if self.staging is None:
            return None
        generation = self.generations[self.staging]
        return Staged(self.staging, generation.version, generation.pairs)

    def abandon(self) -> None:
        """Give up what is neither live nor kept."""
        for generation in self.generations.values():
            if generation.state in ("staging", "building"):
                generation.state = "dead"
        self.staging = self.building = None


@dataclass(slots=True)
class PassageRow:
    """A passage with the content of its pair."""

    staged: StagedPassage
    pair: Pair
    document_id: UUID
    since: int


@dataclass(slots=True)
class MarkerRow:
    """What the index must hold for a passage, and what was proven."""

    passage_id: UUID
    document_id: UUID
    since: int
    row_hash: str
    copy_from: UUID | None
    wanted: Wanted = Wanted.PRESENT
    state: str = "pending"
    digest: str | None = None
    incarnation: UUID | None = None
    attempts: int = 0
    due: float = 0.0
    token: UUID | None = None
    leased_until: float = 0.0
    error: str | None = None
    delivered_at: float = 0.0

    def release(self) -> None:
        """End the lease."""
        self.token, self.leased_until = None, 0.0


@dataclass(slots=True)
class BotRows:
    """Everything of one bot."""

    bot: Bot
    state: str = "active"
    documents: dict[UUID, DocumentRow] = field(default_factory=dict)
    passages: dict[UUID, PassageRow] = field(default_factory=dict)
    markers: dict[UUID, MarkerRow] = field(default_factory=dict)  # of the bot's own collection
    other_markers: dict[UUID, dict[UUID, MarkerRow]] = field(default_factory=dict)  # by collection
    changed_at: float | None = None  # when the bot's collections last changed
    logs: dict[UUID, QueryLog] = field(default_factory=dict)
    logged_at: dict[UUID, float] = field(default_factory=dict)
    feedback: dict[UUID, tuple[int, str | None]] = field(default_factory=dict)
    linked: set[tuple[UUID, int]] = field(default_factory=set)  # contents of pairs that are in the graph
    compared: set[tuple[UUID, int]] = field(default_factory=set)  # contents whose questions are
    similar: dict[tuple[UUID, int], dict[tuple[UUID, int], float]] = field(default_factory=dict)  # what those are like
    ledger_entries: set[str] = field(default_factory=set)
    ledger_settled: str = ""

    def markers_in(self, collection: Collection) -> dict[UUID, MarkerRow]:
        """The markers of one collection."""
        if collection.collection_id == self.bot.collection.collection_id:
            return self.markers
        return self.other_markers.setdefault(collection.collection_id, {})

    def all_markers(self) -> list[MarkerRow]:
        """Those of every collection."""
        return [*self.markers.values(), *(m for markers in self.other_markers.values() for m in markers.values())]


def live_passages(rows: BotRows) -> Iterator[PassageRow]:
    """The members of every live generation."""
    for document in rows.documents.values():
        if document.live is not None and document.tombstone_id is None:
            yield from (rows.passages[p] for p in document.generations[document.live].members if p in rows.passages)


def bearers_of_ids(rows: BotRows) -> dict[str, dict[UUID, UUID]]:
    """Which live pairs have which id of their own, each with its document. A correction has that of what it corrects."""
    found: dict[str, dict[UUID, UUID]] = {}
    for row in live_passages(rows):
        if row.pair.external_id and rows.documents[row.document_id].corrects is None:
            found.setdefault(row.pair.external_id, {})[row.pair.qa_id] = row.document_id
    return found


def corrected_is_live(rows: BotRows, corrects: OwnPair) -> bool:
    """Whether the pair that is corrected is live, and still what it was."""
    return any(
        (row.pair.qa_id, row.pair.content_hash) == (corrects.pair.qa_id, corrects.content_hash)
        for row in live_passages(rows)
    )


def source_of(rows: BotRows, row: PassageRow) -> Source:
    """What a citation shows of a passage: of a correction, where the pair itself stands."""
    document, passage, pair = rows.documents[row.document_id], row.staged.passage, row.pair
    path = document.corrects.source.object_path if document.corrects else document.object_key.partition("/")[2]
    return Source(
        name=path.rsplit("/", 1)[-1],
        object_path=path,
        page=passage.page or pair.page,
        section=pair.section or HEADING_SEPARATOR.join(pair.heading_path) or None,
        excerpt=passage.text[:EXCERPT_CHARACTERS],
    )


class CatalogState:
    """All rows. `clock` gives seconds, for leases and back-off."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.lock = threading.RLock()
        self.clock = clock
        self.began = clock()
        self.deployment_id = uuid4()
        self.collections: dict[str, Collection] = {}
        self.bots: dict[UUID, BotRows] = {}
        self.leases: dict[str, tuple[UUID, float, Mapping[str, Any]]] = {}
        self.tombstones: dict[UUID, dict[str, Any]] = {}
        self.outcomes: dict[tuple[str, str], Outcome] = {}
        self.connections = 1

    def rows(self, bot: Bot) -> BotRows:
        """The rows of a bot that is active. Raises NotFoundError."""
        found = self.bots.get(bot.bot_id)
        if found is None or found.state != "active":
            raise NotFoundError(f"There is no bot {bot.slug!r}.")
        return found

    def current(self, bot: Bot) -> Bot:
        """The bot with its collections as they are known now."""
        following, former = bot.next_collection, bot.former_collection
        return replace(
            bot,
            collection=self.collections[bot.collection.name],
            next_collection=following and self.collections[following.name],
            former_collection=former and self.collections[former.name],
        )

    def bury(self, kind: str, bot_id: UUID, **facts: Any) -> UUID:
        """Write a tombstone; returns its id."""
        tombstone_id = uuid4()
        optional = ("document_id", "qa_id", "generation", "object_key", "state", "final_at", "verified")
        absent: dict[str, Any] = dict.fromkeys(optional)
        known = {
            "tombstone_id": tombstone_id,
            "slug": self.bots[bot_id].bot.slug,
            "kind": kind,
            "bot_id": bot_id,
            "deleted_at": datetime.now(UTC),
            "counts": {},
        }
        self.tombstones[tombstone_id] = absent | known | facts
        return tombstone_id

    def give_receipt(self, tombstone_id: UUID, **more: int) -> None:
        """Make the provisional receipt of a tombstone."""
        self.tombstones[tombstone_id]["counts"] |= more
        receipt = {"state": "provisional", "provisional_at": datetime.now(UTC), "given": self.clock()}
        self.tombstones[tombstone_id] |= receipt


class _HasState(Protocol):
    _state: CatalogState


S = TypeVar("S", bound=_HasState)


def atomic(work: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Run a method under the state's lock: a transaction."""

    def locked(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self._state.lock:
            return work(self, *args, **kwargs)

    return locked
