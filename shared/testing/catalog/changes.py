"""The port `EmbedderChanges` in memory."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from uuid import UUID

from shared.catalog.changes import check_begin
from shared.domain import Bot, ChangeProgress, Collection, Wanted
from shared.testing.catalog.state import BotRows, CatalogState, MarkerRow, atomic


class InMemoryChanges:
    """The bot's next collection, the move, and leaving the former one."""

    def __init__(self, state: CatalogState) -> None:
        self._state = state

    @atomic
    def begin(self, bot: Bot, collection: Collection, *, settled_seconds: float) -> Bot:
        rows = self._state.rows(bot)
        held = rows.bot
        if held.next_collection is None or held.next_collection.collection_id != collection.collection_id:
            row = {
                "collection_id": held.collection.collection_id,
                "next_collection_id": held.next_collection and held.next_collection.collection_id,
                "former_collection_id": held.former_collection and held.former_collection.collection_id,
                "seconds_ago": self._seconds_ago(rows),
            }
            check_begin(bot, row, collection.collection_id, settled_seconds)
            rows.bot = replace(held, next_collection=collection, former_collection=None)
        return self._state.current(rows.bot)

    @atomic
    def cancel(self, bot: Bot) -> Bot:
        rows = self._state.rows(bot)
        if rows.bot.next_collection is not None:
            rows.bot = replace(rows.bot, next_collection=None, former_collection=rows.bot.next_collection)
            rows.changed_at = self._state.clock()
        return self._state.current(rows.bot)

    @atomic
    def add_markers(self, bot: Bot, collection: Collection, *, after: UUID, limit: int) -> UUID | None:
        rows = self._state.rows(bot)
        there = rows.markers_in(collection)
        following = sorted(m.passage_id for m in rows.markers.values() if m.wanted == Wanted.PRESENT)
        stretch = list(islice((passage_id for passage_id in following if passage_id > after), limit))
        for marker in (rows.markers[passage_id] for passage_id in stretch if passage_id not in there):
            there[marker.passage_id] = MarkerRow(
                marker.passage_id, marker.document_id, marker.since, marker.row_hash, None
            )
        return stretch[-1] if stretch else None

    @atomic
    def retry(self, bot: Bot, collection: Collection) -> int:
        return self._retry(self._state.rows(bot), collection)

    def _retry(self, rows: BotRows, collection: Collection) -> int:
        now = self._state.clock()
        tried = [
            marker
            for marker in rows.markers_in(collection).values()
            if marker.wanted == Wanted.PRESENT
            and marker.state != "delivered"
            and marker.attempts > 0
            and marker.leased_until < now
        ]
        for marker in tried:
            marker.state, marker.attempts, marker.due = "pending", 0, now
        return len(tried)

    @atomic
    def progress(self, bot: Bot, collection: Collection) -> ChangeProgress:
        return self._progress(self._state.rows(bot), collection)

    def _progress(self, rows: BotRows, collection: Collection) -> ChangeProgress:
        there, now = rows.markers_in(collection), self._state.clock()
        incarnation = self._state.collections[collection.name].incarnation
        held = {
            passage_id
            for document in rows.documents.values()
            for generation in document.generations.values()
            if generation.state in ("live", "kept")
            for passage_id in generation.members
        }
        present = {m.passage_id: m for m in there.values() if m.wanted == Wanted.PRESENT}
        proven = [m for m in present.values() if m.state == "delivered" and m.incarnation == incarnation]
        return ChangeProgress(
            passages=len(held),
            proven=sum(marker.passage_id in held for marker in proven),
            unmarked=len(_unmarked(rows, collection)),
            leased=sum(marker.state == "pending" and marker.leased_until >= now for marker in present.values()),
        )

    @atomic
    def failures(self, bot: Bot, collection: Collection, limit: int) -> list[tuple[str, str]]:
        rows = self._state.rows(bot)
        failing = (
            (rows.documents[marker.document_id].object_key, marker.error)
            for marker in sorted(rows.markers_in(collection).values(), key=lambda marker: -marker.attempts)
            if marker.wanted == Wanted.PRESENT and marker.state != "delivered" and marker.error
        )
        return list(islice(failing, limit))

    @atomic
    def move(self, bot: Bot) -> bool:
        rows = self._state.rows(bot)
        held, chosen = rows.bot, rows.bot.next_collection
        if chosen is None or not self._progress(rows, chosen).is_complete:
            return False
        there = rows.markers_in(chosen)
        rows.other_markers = {held.collection.collection_id: rows.markers}
        rows.markers = there
        rows.bot = replace(held, collection=chosen, next_collection=None, former_collection=held.collection)
        rows.changed_at = self._state.clock()
        rows.compared.clear()
        self._retry(rows, chosen)
        for document in rows.documents.values():
            if document.state == "failed" and document.building is not None:
                document.state, document.reason = "building", None
        return True

    @atomic
    def is_settled(self, bot: Bot, *, settled_seconds: float) -> bool:
        rows = self._state.rows(bot)
        seconds_ago = self._seconds_ago(rows)
        return rows.bot.former_collection is not None and seconds_ago is not None and seconds_ago > settled_seconds

    @atomic
    def drop_markers(self, bot: Bot, collection: Collection, limit: int) -> int:
        rows = self._state.rows(bot)
        there = rows.markers_in(collection)
        dropped = list(islice((m for m in there.values() if _may_be_forgotten(rows, m)), limit))
        for marker in dropped:
            del there[marker.passage_id]
        return len(dropped)

    @atomic
    def has_markers(self, bot: Bot, collection: Collection) -> bool:
        return bool(self._state.rows(bot).markers_in(collection))

    @atomic
    def leave(self, bot: Bot, collection: Collection) -> bool:
        rows = self._state.rows(bot)
        former = rows.bot.former_collection
        if former is not None and former.collection_id == collection.collection_id:
            if rows.markers_in(collection):
                return False
            rows.bot = replace(rows.bot, former_collection=None)
            rows.changed_at = self._state.clock()
        return True

    def _seconds_ago(self, rows: BotRows) -> float | None:
        return None if rows.changed_at is None else self._state.clock() - rows.changed_at


def _unmarked(rows: BotRows, collection: Collection) -> list[MarkerRow]:
    """The markers of the bot's own collection which that one lacks."""
    there = rows.markers_in(collection)
    return [m for m in rows.markers.values() if m.wanted == Wanted.PRESENT and m.passage_id not in there]


def _may_be_forgotten(rows: BotRows, marker: MarkerRow) -> bool:
    own = rows.markers.get(marker.passage_id)
    is_gone = marker.wanted == Wanted.ABSENT and marker.state == "delivered"
    return is_gone or (own is not None and own.wanted == Wanted.PRESENT)
