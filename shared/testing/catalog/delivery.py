"""The port `DeliveryCatalog` in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from shared.catalog.delivery import MAX_ATTEMPTS
from shared.domain import (
    Bot,
    Claim,
    Collection,
    EmbeddableText,
    IndexRow,
    KeyRange,
    Marker,
    MarkerState,
    Proof,
    ProvenMarker,
    QueryLog,
    Wanted,
)
from shared.ports import pin_name
from shared.rows import make_row
from shared.testing.catalog.state import BotRows, CatalogState, DocumentRow, MarkerRow, PassageRow, atomic


class InMemoryDelivery:
    """Markers, and what follows from them."""

    def __init__(self, state: CatalogState) -> None:
        self._state = state

    @atomic
    def unfinished_documents(self, bot: Bot, limit: int) -> list[UUID]:
        rows = self._state.rows(bot)
        due: dict[UUID, float] = {}
        for marker in _concerning(rows, bot):
            if marker.state == "pending":
                due[marker.document_id] = min(marker.due, due.get(marker.document_id, marker.due))
        for document in rows.documents.values():
            is_dead = any(generation.state == "dead" for generation in document.generations.values())
            has_pairs = any(open_tombstones(self._state, bot.bot_id, document.document_id))
            if is_dead or has_pairs or (_is_open(document) and document.state != "failed"):
                due[document.document_id] = float("-inf")
        return sorted(due, key=lambda document_id: (due[document_id], document_id))[:limit]

    @atomic
    def unfinished(self, bot: Bot, document_ids: Sequence[UUID]) -> list[UUID]:
        rows = self._state.rows(bot)
        pending = {marker.document_id for marker in _concerning(rows, bot) if marker.state == "pending"}
        known = (rows.documents[document_id] for document_id in document_ids if document_id in rows.documents)
        return [d.document_id for d in known if _is_open(d) or d.document_id in pending]

    @atomic
    def claim(
        self, bot: Bot, document_ids: Sequence[UUID], *, wanted: str, limit: int, lease_seconds: float
    ) -> Claim | None:
        rows, now, token = self._state.rows(bot), self._state.clock(), uuid4()
        markers = rows.markers_in(bot.collection)
        ready = [
            m for m in markers.values() if m.document_id in document_ids and _is_due(rows, markers, m, wanted, now)
        ]
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
            for marker in self._held(rows, bot, claim, by_id)
            if marker.wanted == Wanted.PRESENT and marker.row_hash == by_id[marker.passage_id].row_hash
        ]
        for marker in proven:
            marker.digest, marker.copy_from = by_id[marker.passage_id].vector_digest, None
            self._prove(marker, incarnation)
        return len(proven)

    @atomic
    def prove_absent(self, bot: Bot, claim: Claim, passage_ids: Sequence[UUID], incarnation: UUID) -> int:
        rows = self._state.rows(bot)
        proven = [marker for marker in self._held(rows, bot, claim, passage_ids) if marker.wanted == Wanted.ABSENT]
        for marker in proven:
            self._prove(marker, incarnation)
            is_held = any(other.passage_id == marker.passage_id for other in rows.all_markers() if not _is_gone(other))
            if not is_held and not _is_member(rows, marker.passage_id):
                rows.passages.pop(marker.passage_id, None)
        return len(proven)

    @atomic
    def postpone(self, bot: Bot, claim: Claim, passage_ids: Sequence[UUID], error: str) -> None:
        rows = self._state.rows(bot)
        for marker in self._held(rows, bot, claim, passage_ids):
            marker.error = error
            marker.due = self._state.clock() + min(600.0, 2.0**marker.attempts)
            marker.release()
            if marker.attempts >= MAX_ATTEMPTS and marker.wanted == Wanted.PRESENT:
                _fail(rows, marker)

    @atomic
    def release(self, bot: Bot, claim: Claim) -> None:
        for marker in self._state.rows(bot).all_markers():
            if marker.token == claim.token:
                marker.attempts = max(0, marker.attempts - 1)
                marker.release()

    @atomic
    def fail_exhausted(self, bot: Bot) -> None:
        rows = self._state.rows(bot)
        for marker in rows.all_markers():
            is_exhausted = marker.state == "pending" and marker.attempts >= MAX_ATTEMPTS
            if is_exhausted and marker.wanted == Wanted.PRESENT and marker.leased_until < self._state.clock():
                marker.error = marker.error or "the worker died each time it was delivered"
                marker.release()
                _fail(rows, marker)

    @atomic
    def reopen_unproven(self, bot: Bot, incarnation: UUID, limit: int) -> int:
        stale = [
            marker
            for marker in self._state.rows(bot).markers_in(bot.collection).values()
            if marker.state == "delivered" and marker.wanted == Wanted.PRESENT and marker.incarnation != incarnation
        ][:limit]
        for marker in stale:
            _open_again(marker, self._state.clock())
        return len(stale)

    @atomic
    def proven(
        self,
        collection: Collection,
        bot_ids: Sequence[UUID],
        keys: KeyRange,
        *,
        limit: int,
        document_id: UUID | None = None,
    ) -> list[ProvenMarker]:
        found = [
            proven
            for bot_id in bot_ids
            for marker in self._state.bots[bot_id].markers_in(collection).values()
            if keys.first <= marker.passage_id <= keys.last and document_id in (None, marker.document_id)
            if (proven := _proven(bot_id, marker)) is not None
        ]
        return sorted(found, key=lambda proven: proven.passage_id)[:limit]

    @atomic
    def marker_states(
        self, collection: Collection, passages: Sequence[tuple[UUID, UUID]]
    ) -> dict[tuple[UUID, UUID], MarkerState]:
        found = {}
        for bot_id, passage_id in passages:
            rows = self._state.bots.get(bot_id)
            marker = rows.markers_in(collection).get(passage_id) if rows else None
            if marker is not None:
                is_delivered = marker.state == "delivered"
                found[bot_id, passage_id] = MarkerState(marker.wanted, is_delivered, _proven(bot_id, marker))
        return found

    @atomic
    def reopen(self, collection: Collection, bot_id: UUID, passage_ids: Sequence[UUID]) -> int:
        rows = self._state.bots[bot_id]
        held = rows.markers_in(collection)
        markers = [held[p] for p in passage_ids if p in held and p in rows.passages]
        opened = [marker for marker in markers if _proven(bot_id, marker) is not None]
        for marker in opened:
            marker.row_hash = _row(collection.deployment_id, bot_id, rows, marker).row_hash
            _open_again(marker, self._state.clock())
        return len(opened)

    @atomic
    def unmarked_members(self, bot: Bot) -> dict[UUID, int]:
        rows = self._state.rows(bot)
        lost = {document_id: len(_unmarked(rows, document)) for document_id, document in rows.documents.items()}
        return {document_id: passages for document_id, passages in lost.items() if passages}

    @atomic
    def remint(self, bot: Bot, document_id: UUID) -> int:
        rows = self._state.rows(bot)
        document = rows.documents[document_id]
        lost = [passage_id for passage_id in _unmarked(rows, document) if passage_id in rows.passages]
        for old_id in lost:
            held, new_id = rows.passages.pop(old_id), uuid4()
            staged = replace(held.staged, passage=replace(held.staged.passage, passage_id=new_id))
            rows.passages[new_id] = replace(held, staged=staged)
            marker = MarkerRow(new_id, document_id, held.since, "", None)
            marker.row_hash = _row(bot.collection.deployment_id, bot.bot_id, rows, marker).row_hash
            rows.markers[new_id] = marker
            for generation in document.generations.values():
                if old_id in generation.members:
                    generation.members = generation.members - {old_id} | {new_id}
        return len(lost)

    @atomic
    def known_passages(self, bot: Bot) -> int:
        markers = self._state.bots[bot.bot_id].markers_in(bot.collection)  # also of a bot that is gone
        return sum(marker.state != "delivered" for marker in markers.values())

    @atomic
    def flip(self, bot: Bot, document_id: UUID) -> bool:
        rows = self._state.rows(bot)
        document = rows.documents.get(document_id)
        if document is None or document.building is None:
            return False
        building = document.generations[document.building]
        incarnation = self._state.collections[rows.bot.collection.name].incarnation
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
            for marker in rows.all_markers()
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
        if document is not None:
            finish_pairs(self._state, rows, document_id)
        if document is None or document.tombstone_id is None:
            return False
        is_swept = all(_is_gone(marker) for marker in rows.all_markers() if marker.document_id == document_id)
        if not is_swept or any(row.document_id == document_id for row in rows.passages.values()):
            return False
        scrubbed = scrub_logs(rows, document_id)
        open_ones = [t for t in open_tombstones(self._state, rows.bot.bot_id, document_id) if t["kind"] == "pair"]
        for tombstone_id in (document.tombstone_id, *(tombstone["tombstone_id"] for tombstone in open_ones)):
            self._state.give_receipt(tombstone_id, scrubbed_logs=scrubbed)
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
        markers = self._state.bots[bot_id].all_markers()
        return [m.passage_id for m in markers if m.document_id == document_id and m.wanted == Wanted.ABSENT]

    @atomic
    def finish_receipt(self, tombstone_id: UUID, verified: Mapping[str, Any]) -> None:
        tombstone = self._state.tombstones[tombstone_id]
        tombstone |= {"state": "final", "final_at": datetime.now(UTC), "verified": verified}
        if tombstone["kind"] == "document":
            rows = self._state.bots[tombstone["bot_id"]]
            _forget(rows, lambda marker: _is_gone(marker) and marker.document_id == tombstone["document_id"])

    @atomic
    def forget_old_absent(self, bot: Bot, age_seconds: float) -> None:
        before = self._state.clock() - age_seconds
        awaited = {t["document_id"] for t in self._state.tombstones.values() if t["state"] == "provisional"}
        _forget(
            self._state.rows(bot),
            lambda m: _is_gone(m) and m.delivered_at < before and m.document_id not in awaited,
        )

    @atomic
    def receipts(self, bot_id: UUID, limit: int) -> Sequence[Mapping[str, Any]]:
        mine = (t for t in self._state.tombstones.values() if t["bot_id"] == bot_id and t["state"] is not None)
        return sorted(mine, key=lambda tombstone: tombstone["provisional_at"], reverse=True)[:limit]

    def _held(self, rows: BotRows, bot: Bot, claim: Claim, passage_ids: Iterable[UUID]) -> list[MarkerRow]:
        """Which of those markers the claim still holds."""
        markers = rows.markers_in(bot.collection)
        known = (markers[p] for p in passage_ids if p in markers)
        return [marker for marker in known if marker.token == claim.token]

    def _prove(self, marker: MarkerRow, incarnation: UUID) -> None:
        marker.state, marker.incarnation, marker.error = "delivered", incarnation, None
        marker.delivered_at = self._state.clock()
        marker.release()


def open_tombstones(state: CatalogState, bot_id: UUID, document_id: UUID) -> Iterator[dict[str, Any]]:
    """Those of a document, or of its pairs, that have no receipt yet."""
    for tombstone in state.tombstones.values():
        if (tombstone["bot_id"], tombstone["document_id"], tombstone["state"]) == (bot_id, document_id, None):
            yield tombstone


def finish_pairs(state: CatalogState, rows: BotRows, document_id: UUID) -> None:
    """Give the receipts of deleted pairs of which nothing is left."""
    for tombstone in list(open_tombstones(state, rows.bot.bot_id, document_id)):
        left = [p for p in rows.passages.values() if is_behind_pair(p, tombstone["qa_id"], tombstone["generation"])]
        if tombstone["kind"] == "pair" and not left:
            scrubbed = scrub_logs(rows, document_id, tombstone["qa_id"])
            state.give_receipt(tombstone["tombstone_id"], scrubbed_logs=scrubbed)


def is_behind_pair(row: PassageRow, qa_id: UUID | None, generation: int | None) -> bool:
    """Whether a passage is of a pair as it was up to a generation."""
    return row.pair.qa_id == qa_id and row.since <= (generation or 0)


def resting_logs(rows: BotRows, document_id: UUID | None, qa_id: UUID | None = None) -> list[QueryLog]:
    """The answers that rest on a document, or on one pair of it."""
    cites = (log for log in rows.logs.values() if document_id in log.document_ids)
    return [log for log in cites if qa_id is None or any(c.get("qa_id") == str(qa_id) for c in log.citations)]


def scrub_logs(rows: BotRows, document_id: UUID | None, qa_id: UUID | None = None) -> int:
    """Take their words out; returns how many they were."""
    found = resting_logs(rows, document_id, qa_id)
    for log in found:
        left = tuple(d for d in log.document_ids if qa_id is not None or d != document_id)
        rows.logs[log.query_id] = replace(log, answer=None, citations=(), document_ids=left)
    return len(found)


def _is_open(document: DocumentRow) -> bool:
    return document.building is not None or document.look_again or document.tombstone_id is not None


def _concerning(rows: BotRows, bot: Bot) -> list[MarkerRow]:
    """The markers of the bot's collection; of others only those whose rows must go, for which no embedder is needed."""
    own = rows.markers_in(bot.collection)
    elsewhere = (m for m in rows.all_markers() if own.get(m.passage_id) is not m and m.wanted == Wanted.ABSENT)
    return [*own.values(), *elsewhere]


def _is_gone(marker: MarkerRow) -> bool:
    return marker.wanted == Wanted.ABSENT and marker.state == "delivered"


def _forget(rows: BotRows, is_meant: Callable[[MarkerRow], bool]) -> None:
    for markers in (rows.markers, *rows.other_markers.values()):
        for marker in list(markers.values()):
            if is_meant(marker):
                del markers[marker.passage_id]


def _is_due(rows: BotRows, markers: Mapping[UUID, MarkerRow], marker: MarkerRow, wanted: str, now: float) -> bool:
    if marker.wanted != wanted or marker.state != "pending" or marker.due > now or marker.leased_until > now:
        return False
    if wanted == Wanted.ABSENT:
        return True
    document = rows.documents.get(marker.document_id)
    if document is None or document.tombstone_id is not None or marker.since == document.staging:
        return False
    return marker.attempts < MAX_ATTEMPTS and not any(
        other.document_id == marker.document_id and other.wanted == Wanted.ABSENT and other.state != "delivered"
        for other in markers.values()
    )


def _claimed(bot: Bot, rows: BotRows, marker: MarkerRow) -> Marker:
    if marker.wanted == Wanted.ABSENT:
        return Marker(marker.passage_id, marker.document_id, Wanted.ABSENT)
    held = rows.passages[marker.passage_id]
    lender = rows.markers_in(bot.collection).get(marker.copy_from) if marker.copy_from else None
    lends = lender is not None and lender.state == "delivered" and lender.wanted == Wanted.PRESENT
    row = _row(bot.collection.deployment_id, bot.bot_id, rows, marker)
    return Marker(
        passage_id=marker.passage_id,
        document_id=marker.document_id,
        wanted=Wanted.PRESENT,
        row=row,
        text=_text_of(held),
        row_hash=marker.row_hash,
        copy_from=lender.passage_id if lends and lender else None,
        copy_digest=lender.digest if lends and lender else None,
        copy_text=_text_of(rows.passages[lender.passage_id]) if lends and lender else None,
        proven_digest=marker.digest,
    )


def _row(deployment_id: UUID, bot_id: UUID, rows: BotRows, marker: MarkerRow) -> IndexRow:
    held = rows.passages[marker.passage_id]
    return make_row(
        deployment_id=deployment_id,
        bot_id=bot_id,
        document_id=marker.document_id,
        pair=held.pair,
        passage=held.staged.passage,
        related_nodes=held.staged.related_nodes,
    )


def _is_member(rows: BotRows, passage_id: UUID) -> bool:
    return any(passage_id in g.members for d in rows.documents.values() for g in d.generations.values())


def _unmarked(rows: BotRows, document: DocumentRow) -> set[UUID]:
    members = {passage_id for generation in document.generations.values() for passage_id in generation.members}
    wanted = {marker.passage_id for marker in rows.markers.values() if marker.wanted == Wanted.PRESENT}
    return members - wanted


def _proven(bot_id: UUID, marker: MarkerRow) -> ProvenMarker | None:
    if marker.state != "delivered" or marker.wanted != Wanted.PRESENT:
        return None
    return ProvenMarker(bot_id, marker.passage_id, marker.row_hash, marker.digest, marker.delivered_at)


def _open_again(marker: MarkerRow, now: float) -> None:
    marker.state, marker.attempts, marker.due, marker.copy_from = "pending", 0, now, None


def _text_of(row: PassageRow) -> EmbeddableText:
    return EmbeddableText(row.pair.question, row.staged.passage.text)


def _fail(rows: BotRows, marker: MarkerRow) -> None:
    marker.state = "failed"
    document = rows.documents.get(marker.document_id)
    is_own = rows.markers.get(marker.passage_id) is marker  # else it keeps the bot from moving, not the document
    if is_own and document is not None and document.building is not None:
        document.state, document.reason = "failed", f"passage {marker.passage_id}: {marker.error}"


def _is_proven(marker: MarkerRow, incarnation: UUID | None) -> bool:
    return marker.state == "delivered" and marker.wanted == Wanted.PRESENT and marker.incarnation == incarnation


def _keep_live(document: DocumentRow, kept: int) -> None:
    if document.live is not None:
        document.generations[document.live].state = "kept"
    numbers = sorted((n for n, g in document.generations.items() if g.state == "kept"), reverse=True)
    for number in numbers[kept:]:
        document.generations[number].state = "dead"
