"""What the catalog holds, as plain values under one lock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar
from uuid import UUID, uuid4

from shared.domain import Bot, Collection, Outcome, Pair, QueryLog, StagedPassage, Wanted
from shared.errors import NotFoundError

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(slots=True)
class GenerationRow:
    """One generation and its membership."""

    state: str
    content_hash: str
    title: str | None
    members: set[UUID] = field(default_factory=set)
    sealed: int | None = None
    pairs: int = 0
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
    markers: dict[UUID, MarkerRow] = field(default_factory=dict)
    logs: dict[UUID, QueryLog] = field(default_factory=dict)
    feedback: dict[UUID, tuple[int, str | None]] = field(default_factory=dict)


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

    def rows(self, bot: Bot) -> BotRows:
        """The rows of a bot that is active. Raises NotFoundError."""
        found = self.bots.get(bot.bot_id)
        if found is None or found.state != "active":
            raise NotFoundError(f"There is no bot {bot.slug!r}.")
        return found

    def bury(self, kind: str, bot_id: UUID, **facts: Any) -> UUID:
        """Write a tombstone; returns its id."""
        tombstone_id = uuid4()
        absent: dict[str, Any] = dict.fromkeys(("document_id", "qa_id", "object_key", "state", "final_at"))
        known = {
            "tombstone_id": tombstone_id,
            "kind": kind,
            "bot_id": bot_id,
            "deleted_at": datetime.now(UTC),
            "counts": {},
        }
        self.tombstones[tombstone_id] = absent | known | facts
        return tombstone_id

    def give_receipt(self, tombstone_id: UUID) -> None:
        """Make the provisional receipt of a tombstone."""
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
