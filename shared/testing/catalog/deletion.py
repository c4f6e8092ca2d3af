"""The port `DeletionCatalog` in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from shared.domain import Bot, Buried, Deletion, LivePair, Wanted
from shared.errors import NotFoundError
from shared.testing.catalog.delivery import is_behind_pair, resting_logs, scrub_logs
from shared.testing.catalog.documents import bury_document
from shared.testing.catalog.state import BotRows, CatalogState, DocumentRow, atomic


class InMemoryDeletions:
    """The deletion ledger as the catalog knows it, and what is left behind a delete."""

    def __init__(self, state: CatalogState) -> None:
        self.state = self._state = state

    @property
    def connections(self) -> int:
        return self._state.connections

    @atomic
    def settled(self, bot: Bot) -> str:
        return self._state.bots[bot.bot_id].ledger_settled

    @atomic
    def unapplied(self, bot: Bot, entries: Sequence[str]) -> list[str]:
        return sorted(set(entries) - self._state.bots[bot.bot_id].ledger_entries)

    @atomic
    def apply(self, bot: Bot, deletion: Deletion) -> bool:
        rows = self._state.bots[bot.bot_id]
        if deletion.entry in rows.ledger_entries:
            return False
        rows.ledger_entries.add(deletion.entry)
        document = rows.documents.get(deletion.document_id) if deletion.document_id else None
        if document is None or document.tombstone_id is not None:
            return False
        if deletion.kind == "pair":
            return self._bury_pair(rows, document, deletion)
        bury_document(self._state, rows, document)
        return True

    def _bury_pair(self, rows: BotRows, document: DocumentRow, deletion: Deletion) -> bool:
        held = [p for p in rows.passages.values() if is_behind_pair(p, deletion.qa_id, deletion.generation)]
        if not held:
            return False
        counts = {"catalog": {"passages": len(held)}, "index": {"rows": len(held)}}
        self._state.bury(
            "pair",
            rows.bot.bot_id,
            document_id=document.document_id,
            object_key=document.object_key,
            qa_id=deletion.qa_id,
            generation=deletion.generation,
            counts=counts,
        )
        if document.staging is not None:
            document.generations[document.staging].state = "dead"
            document.staging, document.look_again, document.leased_until = None, True, 0.0
            document.epoch += 1
        gone = {row.staged.passage.passage_id for row in held}
        for generation in document.generations.values():
            if generation.state != "dead":
                generation.members -= gone
                generation.sealed = len(generation.members)
                generation.pairs = len({rows.passages[p].pair.qa_id for p in generation.members})
        for passage_id in gone:
            marker = rows.markers[passage_id]
            marker.wanted, marker.state, marker.attempts, marker.due = Wanted.ABSENT, "pending", 0, self._state.clock()
            marker.release()
        return True

    @atomic
    def settle(self, bot: Bot, entry: str) -> None:
        rows = self._state.bots[bot.bot_id]
        rows.ledger_settled = max(rows.ledger_settled, entry)
        rows.ledger_entries = {applied for applied in rows.ledger_entries if applied > entry}

    @atomic
    def buried(self, bot: Bot) -> list[Buried]:
        mine = (t for t in self._state.tombstones.values() if t["bot_id"] == bot.bot_id and t["kind"] != "bot")
        return [Buried(t["kind"], t["object_key"], t["counts"]["catalog"]["passages"]) for t in mine]

    @atomic
    def live_pair(self, bot: Bot, qa_id: UUID) -> LivePair:
        rows = self._state.rows(bot)
        for document in rows.documents.values():
            generation = document.generations.get(document.live or 0)
            if generation and any(rows.passages[p].pair.qa_id == qa_id for p in generation.members):
                is_alone = generation.pairs == 1
                return LivePair(qa_id, document.document_id, document.object_key, document.live or 0, is_alone)
        raise NotFoundError(f"The bot {bot.slug!r} has no pair {qa_id}.")

    @atomic
    def remains(self, receipt: Mapping[str, Any]) -> dict[str, int]:
        rows = self._state.bots[receipt["bot_id"]]
        if receipt["kind"] == "bot":
            return {"markers": len(rows.markers), "partitions": int(rows.state != "deleted")}
        document_id, qa_id = receipt["document_id"], receipt["qa_id"]
        logs = len(resting_logs(rows, document_id, qa_id))
        if receipt["kind"] == "pair":
            left = [p for p in rows.passages.values() if is_behind_pair(p, qa_id, receipt["generation"])]
            return {"passages": len(left), "query_logs": logs}
        markers = [marker for marker in rows.markers.values() if marker.document_id == document_id]
        return {
            "documents": int(document_id in rows.documents),
            "passages": sum(row.document_id == document_id for row in rows.passages.values()),
            "markers": sum(not (m.wanted == Wanted.ABSENT and m.state == "delivered") for m in markers),
            "query_logs": logs,
        }

    @atomic
    def scrub_logs(self, receipt: Mapping[str, Any]) -> int:
        return scrub_logs(self._state.bots[receipt["bot_id"]], receipt["document_id"], receipt["qa_id"])

    @atomic
    def bot_id(self, slug: str) -> UUID:
        for bot_id, rows in self._state.bots.items():
            if rows.bot.slug == slug:
                return bot_id
        raise NotFoundError(f"There is and was no bot {slug!r}.")

    @atomic
    def newest_receipts(self, limit: int) -> Sequence[Mapping[str, Any]]:
        given = (tombstone for tombstone in self._state.tombstones.values() if tombstone["state"] is not None)
        return sorted(given, key=lambda tombstone: tombstone["provisional_at"], reverse=True)[:limit]

    @atomic
    def receipt(self, tombstone_id: UUID) -> Mapping[str, Any]:
        found = self._state.tombstones.get(tombstone_id)
        if found is None or found["state"] is None:
            raise NotFoundError(f"There is no receipt {tombstone_id}: it is given when everything is swept.")
        return found
