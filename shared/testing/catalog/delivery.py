"""The port `DeliveryCatalog` in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from shared.catalog.delivery import MAX_ATTEMPTS
from shared.domain import Bot, Claim, EmbeddableText, Marker, Proof, Wanted
from shared.ports import pin_name
from shared.rows import make_row, related_nodes_of
from shared.testing.catalog.state import BotRows, CatalogState, DocumentRow, MarkerRow, atomic


class InMemoryDelivery:
    """Markers, and what follows from them."""

    def __init__(self, state: CatalogState) -> None:
        self._state = state

    @atomic
    def unfinished_documents(self, bot: Bot, limit: int) -> list[UUID]:
        rows = self._state.rows(bot)
        due: dict[UUID, float] = {}
        for marker in rows.markers.values():
            if marker.state == "pending":
                due[marker.document_id] = min(marker.due, due.get(marker.document_id, marker.due))
        for document in rows.documents.values():
            is_dead = any(generation.state == "dead" for generation in document.generations.values())
            if is_dead or (_is_open(document) and document.state != "failed"):
                due[document.document_id] = float("-inf")
        return sorted(due, key=lambda document_id: (due[document_id], document_id))[:limit]

    @atomic
    def unfinished(self, bot: Bot, document_ids: Sequence[UUID]) -> list[UUID]:
        rows = self._state.rows(bot)
        pending = {marker.document_id for marker in rows.markers.values() if marker.state == "pending"}
        known = (rows.documents[document_id] for document_id in document_ids if document_id in rows.documents)
        return [d.document_id for d in known if _is_open(d) or d.document_id in pending]

    @atomic
    def claim(
        self, bot: Bot, document_ids: Sequence[UUID], *, wanted: str, limit: int, lease_seconds: float
    ) -> Claim | None:
        rows, now, token = self._state.rows(bot), self._state.clock(), uuid4()
        ready = [m for m in rows.markers.values() if m.document_id in document_ids and _is_due(rows, m, wanted, now)]
        chosen = sorted(ready, key=lambda marker: marker.document_id)[:limit]
        for marker in chosen:
            marker.token, marker.leased_until, marker.attempts = token, now + lease_seconds, marker.attempts + 1
        if not chosen:
            return None
        return Claim(token, tuple(_claimed(bot, rows, marker) for marker in chosen))

    @atomic
    def prove_present(self, bot: Bot, claim: Claim, proofs: Sequence[Proof], incarnation: UUID) -> int:
        rows = self._state.rows(bot)
        by_id = {proof.passage_id: proof for proof in proofs}
        proven = [
            marker
            for marker in self._held(rows, claim, by_id)
            if marker.wanted == Wanted.PRESENT and marker.row_hash == by_id[marker.passage_id].row_hash
        ]
        for marker in proven:
            marker.digest, marker.copy_from = by_id[marker.passage_id].vector_digest, None
            self._prove(marker, incarnation)
        return len(proven)

    @atomic
    def prove_absent(self, bot: Bot, claim: Claim, passage_ids: Sequence[UUID], incarnation: UUID) -> int:
        rows = self._state.rows(bot)
        proven = [marker for marker in self._held(rows, claim, passage_ids) if marker.wanted == Wanted.ABSENT]
        for marker in proven:
            self._prove(marker, incarnation)
            rows.passages.pop(marker.passage_id, None)
        return len(proven)

    @atomic
    def postpone(self, bot: Bot, claim: Claim, passage_ids: Sequence[UUID], error: str) -> None:
        rows = self._state.rows(bot)
        for marker in self._held(rows, claim, passage_ids):
            marker.error = error
            marker.due = self._state.clock() + min(600.0, 2.0**marker.attempts)
            marker.release()
            if marker.attempts >= MAX_ATTEMPTS and marker.wanted == Wanted.PRESENT:
                _fail(rows, marker)

    @atomic
    def release(self, bot: Bot, claim: Claim) -> None:
        for marker in self._state.rows(bot).markers.values():
            if marker.token == claim.token:
                marker.attempts = max(0, marker.attempts - 1)
                marker.release()

    @atomic
    def fail_exhausted(self, bot: Bot) -> None:
        rows = self._state.rows(bot)
        for marker in rows.markers.values():
            is_exhausted = marker.state == "pending" and marker.attempts >= MAX_ATTEMPTS
            if is_exhausted and marker.wanted == Wanted.PRESENT and marker.leased_until < self._state.clock():
                marker.error = marker.error or "the worker died each time it was delivered"
                marker.release()
                _fail(rows, marker)

    @atomic
    def reopen_unproven(self, bot: Bot, incarnation: UUID, limit: int) -> int:
        stale = [
            marker
            for marker in self._state.rows(bot).markers.values()
            if marker.state == "delivered" and marker.wanted == Wanted.PRESENT and marker.incarnation != incarnation
        ][:limit]
        for marker in stale:
            marker.state, marker.attempts, marker.due, marker.copy_from = "pending", 0, self._state.clock(), None
        return len(stale)

    @atomic
    def proven_passages(self, bot: Bot, *, after: UUID, limit: int) -> list[Proof]:
        proven = [
            Proof(marker.passage_id, marker.row_hash, marker.digest or "")
            for marker in self._state.rows(bot).markers.values()
            if marker.state == "delivered" and marker.wanted == Wanted.PRESENT and marker.passage_id > after
        ]
        return sorted(proven, key=lambda proof: proof.passage_id)[:limit]

    @atomic
    def known_passages(self, bot: Bot) -> int:
        return sum(marker.state != "delivered" for marker in self._state.rows(bot).markers.values())

    @atomic
    def flip(self, bot: Bot, document_id: UUID) -> bool:
        rows = self._state.rows(bot)
        document = rows.documents.get(document_id)
        if document is None or document.building is None:
            return False
        building = document.generations[document.building]
        incarnation = self._state.collections[bot.collection.name].incarnation
        delivered = [p for p in building.members if _is_proven(rows.markers[p], incarnation)]
        if not building.sealed == len(building.members) == len(delivered):
            return False
        _keep_live(document, bot.settings.kept_generations)
        building.state, building.live_at = "live", datetime.now(UTC)
        document.live, document.building = document.building, None
        document.state, document.reason, document.updated_at = "live", None, datetime.now(UTC)
        return True

    @atomic
    def sweep(self, bot: Bot, document_id: UUID) -> int:
        rows = self._state.rows(bot)
        document = rows.documents.get(document_id)
        if document is None or (self._is_pinned(bot) and document.tombstone_id is None):
            return 0
        document.generations = {n: g for n, g in document.generations.items() if g.state != "dead"}
        held = {p for generation in document.generations.values() for p in generation.members}
        swept = [
            marker
            for marker in rows.markers.values()
            if marker.document_id == document_id and marker.wanted == Wanted.PRESENT and marker.passage_id not in held
        ]
        for marker in swept:
            marker.wanted, marker.state, marker.attempts = Wanted.ABSENT, "pending", 0
            marker.due, marker.error = self._state.clock(), None
            marker.release()
        return len(swept)

    def _is_pinned(self, bot: Bot) -> bool:
        _, until, _ = self._state.leases.get(pin_name(bot), (None, 0.0, {}))
        return until > self._state.clock()

    @atomic
    def finish_deletion(self, bot: Bot, document_id: UUID) -> bool:
        rows = self._state.rows(bot)
        document = rows.documents.get(document_id)
        if document is None or document.tombstone_id is None:
            return False
        markers = [marker for marker in rows.markers.values() if marker.document_id == document_id]
        is_swept = all(marker.wanted == Wanted.ABSENT and marker.state == "delivered" for marker in markers)
        if not is_swept or any(row.document_id == document_id for row in rows.passages.values()):
            return False
        self._state.give_receipt(document.tombstone_id)
        del rows.documents[document_id]
        return True

    @atomic
    def waiting_object(self, bot: Bot, document_id: UUID) -> str | None:
        document = self._state.rows(bot).documents.get(document_id)
        if document is None or document.tombstone_id is not None or not document.look_again:
            return None
        return document.object_key if document.building is None or document.state == "failed" else None

    @atomic
    def receipts_to_finish(self, limit: int, age_seconds: float) -> Sequence[Mapping[str, Any]]:
        before = self._state.clock() - age_seconds
        old = (t for t in self._state.tombstones.values() if t["state"] == "provisional" and t["given"] < before)
        return list(old)[:limit]

    @atomic
    def absent_passages(self, bot_id: UUID, document_id: UUID) -> list[UUID]:
        markers = self._state.bots[bot_id].markers.values()
        return [m.passage_id for m in markers if m.document_id == document_id and m.wanted == Wanted.ABSENT]

    @atomic
    def finish_receipt(self, tombstone_id: UUID) -> None:
        tombstone = self._state.tombstones[tombstone_id]
        tombstone |= {"state": "final", "final_at": datetime.now(UTC)}
        markers = self._state.bots[tombstone["bot_id"]].markers
        for marker in list(markers.values()):
            is_absent = marker.wanted == Wanted.ABSENT and marker.state == "delivered"
            if is_absent and marker.document_id == tombstone["document_id"]:
                del markers[marker.passage_id]

    @atomic
    def forget_old_absent(self, bot: Bot, age_seconds: float) -> None:
        markers, before = self._state.rows(bot).markers, self._state.clock() - age_seconds
        awaited = {t["document_id"] for t in self._state.tombstones.values() if t["state"] == "provisional"}
        for marker in list(markers.values()):
            is_absent = marker.wanted == Wanted.ABSENT and marker.state == "delivered"
            if is_absent and marker.delivered_at < before and marker.document_id not in awaited:
                del markers[marker.passage_id]

    @atomic
    def receipts(self, bot_id: UUID, limit: int) -> Sequence[Mapping[str, Any]]:
        mine = (t for t in self._state.tombstones.values() if t["bot_id"] == bot_id and t["state"] is not None)
        return sorted(mine, key=lambda tombstone: tombstone["provisional_at"], reverse=True)[:limit]

    def _held(self, rows: BotRows, claim: Claim, passage_ids: Iterable[UUID]) -> list[MarkerRow]:
        """Which of those markers the claim still holds."""
        known = (rows.markers[p] for p in passage_ids if p in rows.markers)
        return [marker for marker in known if marker.token == claim.token]

    def _prove(self, marker: MarkerRow, incarnation: UUID) -> None:
        marker.state, marker.incarnation, marker.error = "delivered", incarnation, None
        marker.delivered_at = self._state.clock()
        marker.release()


def _is_open(document: DocumentRow) -> bool:
    return document.building is not None or document.look_again or document.tombstone_id is not None


def _is_due(rows: BotRows, marker: MarkerRow, wanted: str, now: float) -> bool:
    if marker.wanted != wanted or marker.state != "pending" or marker.due > now or marker.leased_until > now:
        return False
    if wanted == Wanted.ABSENT:
        return True
    document = rows.documents.get(marker.document_id)
    if document is None or document.tombstone_id is not None or marker.since == document.staging:
        return False
    return marker.attempts < MAX_ATTEMPTS and not any(
        other.document_id == marker.document_id and other.wanted == Wanted.ABSENT and other.state != "delivered"
        for other in rows.markers.values()
    )


def _claimed(bot: Bot, rows: BotRows, marker: MarkerRow) -> Marker:
    if marker.wanted == Wanted.ABSENT:
        return Marker(marker.passage_id, marker.document_id, Wanted.ABSENT)
    held = rows.passages[marker.passage_id]
    lender = rows.markers.get(marker.copy_from) if marker.copy_from else None
    lends = lender is not None and lender.state == "delivered" and lender.wanted == Wanted.PRESENT
    row = make_row(
        deployment_id=bot.collection.deployment_id,
        bot_id=bot.bot_id,
        document_id=marker.document_id,
        pair=held.pair,
        passage=held.staged.passage,
        related_nodes=related_nodes_of(held.pair.relations),
    )
    return Marker(
        passage_id=marker.passage_id,
        document_id=marker.document_id,
        wanted=Wanted.PRESENT,
        row=row,
        text=EmbeddableText(held.pair.question, held.staged.passage.text),
        row_hash=marker.row_hash,
        copy_from=lender.passage_id if lends and lender else None,
        copy_digest=lender.digest if lends and lender else None,
        proven_digest=marker.digest,
    )


def _fail(rows: BotRows, marker: MarkerRow) -> None:
    marker.state = "failed"
    document = rows.documents.get(marker.document_id)
    if document is not None and document.building is not None:
        document.state, document.reason = "failed", f"passage {marker.passage_id}: {marker.error}"


def _is_proven(marker: MarkerRow, incarnation: UUID | None) -> bool:
    return marker.state == "delivered" and marker.wanted == Wanted.PRESENT and marker.incarnation == incarnation


def _keep_live(document: DocumentRow, kept: int) -> None:
    if document.live is not None:
        document.generations[document.live].state = "kept"
    numbers = sorted((n for n, g in document.generations.items() if g.state == "kept"), reverse=True)
    for number in numbers[kept:]:
        document.generations[number].state = "dead"
