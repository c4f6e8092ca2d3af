"""The port `Registry` in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from shared.catalog.registry import SLUG, collection_name
from shared.domain import Bot, BotSettings, Collection, EmbedderModel
from shared.errors import ConflictError, InvalidInputError, MismatchError, NotFoundError
from shared.testing.catalog.state import BotRows, CatalogState, atomic


class InMemoryRegistry:
    """Deployment, collections, bots, leases."""

    def __init__(self, state: CatalogState) -> None:
        self.state = self._state = state

    def deployment_id(self) -> UUID:
        return self._state.deployment_id

    @atomic
    def ensure_collection(
        self, model: EmbedderModel, *, metric: str, index_type: str, index_params: Mapping[str, int]
    ) -> Collection:
        deployment_id = self._state.deployment_id
        name = collection_name(model, deployment_id)
        collection = self._state.collections.setdefault(
            name,
            Collection(
                uuid4(),
                deployment_id,
                name,
                model.model_id,
                model.revision,
                model.dimension,
                metric,
                index_type,
                index_params,
            ),
        )
        if collection.dimension != model.dimension:
            raise MismatchError(
                f"{model.model_id} gives {model.dimension} dimensions, {name} holds {collection.dimension}."
            )
        return collection

    @atomic
    def set_incarnation(self, collection: Collection, incarnation: UUID) -> None:
        known = self._state.collections[collection.name]
        self._state.collections[collection.name] = replace(known, incarnation=incarnation)

    @atomic
    def register_bot(self, slug: str, name: str, settings: BotSettings, collection: Collection) -> Bot:
        if not SLUG.fullmatch(slug):
            raise InvalidInputError(f"{slug!r} is not a slug.")
        if any(rows.bot.slug == slug for rows in self._state.bots.values()):
            raise ConflictError(f"The slug {slug!r} is or was in use; a slug is never given out twice.")
        bot = Bot(uuid4(), slug, name, collection, settings, datetime.now(UTC))
        self._state.bots[bot.bot_id] = BotRows(bot)
        return self.bot(slug)

    @atomic
    def bot(self, slug: str) -> Bot:
        found = next((bot for bot in self.bots() if bot.slug == slug), None)
        if found is None:
            raise NotFoundError(f"There is no bot {slug!r}.")
        return found

    @atomic
    def change_bot(self, slug: str, *, name: str | None, settings: Mapping[str, Any]) -> Bot:
        bot = self.bot(slug)
        changed = replace(bot, name=bot.name if name is None else name, settings=replace(bot.settings, **settings))
        self._state.bots[bot.bot_id].bot = changed
        return self.bot(slug)

    @atomic
    def bot_by_id(self, bot_id: UUID) -> Bot:
        if bot_id not in self._state.bots:
            raise NotFoundError(f"There is no bot {bot_id}.")
        return self._current(self._state.bots[bot_id])

    @atomic
    def bots(self) -> list[Bot]:
        return self._in_state("active")

    @atomic
    def deleting_bots(self) -> list[Bot]:
        return self._in_state("deleting")

    @atomic
    def bot_states(self) -> dict[UUID, str]:
        return {bot_id: rows.state for bot_id, rows in self._state.bots.items()}

    @atomic
    def collections(self) -> list[Collection]:
        return list(self._state.collections.values())

    @atomic
    def delete_bot(self, slug: str, entry: str | None = None) -> Bot:
        rows = next((rows for rows in self._state.bots.values() if rows.bot.slug == slug), None)
        if rows is None or (rows.state != "active" and entry is None):
            raise NotFoundError(f"There is no bot {slug!r}.")
        if rows.state == "active":
            documents = sum(document.tombstone_id is None for document in rows.documents.values())
            counts = {"catalog": {"documents": documents, "passages": len(rows.passages)}, "index": {}}
            rows.state = "deleting"
            self._state.bury("bot", rows.bot.bot_id, counts=counts)
        return self._current(rows)

    @atomic
    def drop_bot(self, bot: Bot) -> None:
        self._state.bots[bot.bot_id] = BotRows(bot, state="deleted")
        for tombstone_id, tombstone in self._state.tombstones.items():
            if tombstone["bot_id"] == bot.bot_id and tombstone["kind"] == "bot" and tombstone["state"] is None:
                self._state.give_receipt(tombstone_id)

    @atomic
    def claim_lease(self, name: str, holder: UUID, seconds: float) -> Mapping[str, Any] | None:
        now = self._state.clock()
        owner, until, progress = self._state.leases.get(name, (holder, 0.0, {}))
        if owner != holder and until > now:
            return None
        self._state.leases[name] = holder, now + seconds, progress
        return progress

    @atomic
    def save_progress(self, name: str, holder: UUID, progress: Mapping[str, Any]) -> None:
        owner, until, _ = self._state.leases[name]
        if owner == holder:
            self._state.leases[name] = owner, until, dict(progress)

    @atomic
    def release_lease(self, name: str, holder: UUID) -> None:
        owner, _, progress = self._state.leases.get(name, (None, 0.0, {}))
        if owner is not None and owner == holder:
            self._state.leases[name] = owner, 0.0, progress

    @atomic
    def drop_lease(self, name: str, holder: UUID) -> None:
        if name in self._state.leases and self._state.leases[name][0] == holder:
            del self._state.leases[name]

    def _in_state(self, wanted: str) -> list[Bot]:
        found = [self._current(rows) for rows in self._state.bots.values() if rows.state == wanted]
        return sorted(found, key=lambda bot: bot.slug)

    def _current(self, rows: BotRows) -> Bot:
        return self._state.current(rows.bot)
