"""The port `Amendments` in memory."""

from __future__ import annotations

from uuid import UUID

from shared.domain import Bot, GenerationStatus, Reopened
from shared.errors import ConflictError, NotFoundError
from shared.testing.catalog.state import BotRows, CatalogState, DocumentRow, GenerationRow, atomic


class InMemoryAmendments:
    """What a person changes afterwards."""

    def __init__(self, state: CatalogState) -> None:
        self._state = state

    @atomic
    def stuck_documents(self, bot: Bot) -> list[UUID]:
        rows = self._state.rows(bot)
        failed = {marker.document_id for marker in rows.markers.values() if marker.state == "failed"}
        stuck = {d.document_id for d in rows.documents.values() if d.state in ("failed", "rejected")}
        return sorted(failed | stuck)

    @atomic
    def retry(self, bot: Bot, document_id: UUID) -> Reopened:
        rows = self._state.rows(bot)
        document = _document(rows, bot, document_id)
        failed = [m for m in rows.markers.values() if m.document_id == document_id and m.state == "failed"]
        for marker in failed:
            marker.state, marker.attempts, marker.due, marker.error = "pending", 0, self._state.clock(), None
            marker.release()
        was_rejected = document.state == "rejected"
        if was_rejected:
            document.seen_version = None
        if document.state == "failed" and document.building is not None:
            document.state, document.reason = "building", None
        return Reopened(document_id, document.object_key, len(failed), was_rejected)

    @atomic
    def generations(self, bot: Bot, document_id: UUID) -> list[GenerationStatus]:
        document = _document(self._state.rows(bot), bot, document_id)
        kept = {number: row for number, row in document.generations.items() if row.state != "dead"}
        return [_status(number, kept[number]) for number in sorted(kept, reverse=True)]

    @atomic
    def roll_back(self, bot: Bot, document_id: UUID, generation: int | None) -> int:
        document = _document(self._state.rows(bot), bot, document_id)
        is_building = document.building is not None and document.state != "failed"
        if is_building or document.leased_until > self._state.clock():
            raise ConflictError("The document is being changed at this moment: wait until it is live, and try again.")
        kept = {number: row for number, row in document.generations.items() if row.state == "kept"}
        chosen = max(kept, default=None) if generation is None else generation
        if chosen not in kept:
            raise ConflictError("No such generation of the document is kept.")
        old = kept[chosen]
        document.abandon()
        document.epoch += 1
        document.last_generation += 1
        document.building, document.state, document.reason = document.last_generation, "building", None
        document.generations[document.last_generation] = GenerationRow(
            "building",
            old.content_hash,
            old.title,
            old.version,
            old.corrects,
            members=set(old.members),
            sealed=old.sealed,
            pairs=old.pairs,
        )
        return document.last_generation


def _document(rows: BotRows, bot: Bot, document_id: UUID) -> DocumentRow:
    document = rows.documents.get(document_id)
    if document is None or document.tombstone_id is not None:
        raise NotFoundError(f"The bot {bot.slug!r} has no document {document_id}.")
    return document


def _status(number: int, row: GenerationRow) -> GenerationStatus:
    return GenerationStatus(
        generation=number,
        state=row.state,
        version=row.version,
        title=row.title,
        pairs=row.pairs,
        passages=row.sealed or 0,
        created_at=row.created_at,
        live_at=row.live_at,
    )
