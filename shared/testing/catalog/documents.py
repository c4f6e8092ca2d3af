"""The port `DocumentCatalog` in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

from shared.catalog.mapping import OUTDATED
from shared.domain import (
    PAIRS_PER_ID,
    Accepted,
    Bot,
    DocumentStatus,
    ObjectVersion,
    Observation,
    OwnPair,
    Pair,
    SeenObject,
    StagedPair,
    Wanted,
)
from shared.errors import LeasedError, LockstepError, NotFoundError, SupersededError
from shared.testing.catalog.state import (
    BotRows,
    CatalogState,
    DocumentRow,
    GenerationRow,
    MarkerRow,
    PassageRow,
    atomic,
    bearers_of_ids,
    corrected_is_live,
    live_passages,
    source_of,
)


class InMemoryDocuments:
    """The life of one object."""

    def __init__(self, state: CatalogState) -> None:
        self._state = state

    @atomic
    def observe(self, bot: Bot, object_key: str, *, lease_seconds: float) -> Observation | None:
        rows = self._state.rows(bot)
        document = _of_object(rows, object_key) or _new_document(rows, object_key)
        if document.leased_until > self._state.clock():
            raise LeasedError(f"Another worker is looking at {object_key}.")
        if document.building is not None and document.state != "failed":
            document.look_again = True
            return None
        staged = document.staged() if document.building is None and document.look_again else None
        if staged is None:
            document.abandon()
        document.epoch += 1
        document.leased_until = self._state.clock() + lease_seconds
        document.look_again = False
        live = document.generations.get(document.live or 0)
        return Observation(
            bot=bot,
            document_id=document.document_id,
            object_key=object_key,
            epoch=document.epoch,
            seen_version=document.seen_version,
            seen_hash=live.content_hash if live else None,
            is_known=document.seen_version is not None or document.last_generation > 0,
            staged=staged,
        )

    @atomic
    def put_off(self, observation: Observation, pairs: int) -> None:
        document = self._newest(observation)
        if document.staging is not None:
            document.generations[document.staging].pairs = pairs
        document.look_again, document.leased_until = True, 0.0

    @atomic
    def drop_staged(self, observation: Observation) -> None:
        self._newest(observation).abandon()

    @atomic
    def release(self, observation: Observation) -> None:
        document = self._state.rows(observation.bot).documents.get(observation.document_id)
        if document is not None and document.epoch == observation.epoch:
            document.leased_until = 0.0

    def conclude_seen(self, observation: Observation) -> None:
        self.release(observation)

    @atomic
    def conclude_unchanged(self, observation: Observation, version: ObjectVersion) -> None:
        document = self._newest(observation)
        _conclude(document, version, state="live" if document.live is not None else document.state)

    @atomic
    def reject(self, observation: Observation, version: ObjectVersion, reason: str) -> None:
        document = self._newest(observation)
        document.abandon()
        _conclude(document, version, state="rejected", reason=reason)

    @atomic
    def remove(self, observation: Observation, entry: str | None = None) -> None:
        document = self._newest(observation)
        rows = self._state.rows(observation.bot)
        bury_document(self._state, rows, document)
        if entry:
            rows.ledger_entries.add(entry)

    @atomic
    def unchanged_pairs(self, observation: Observation, pairs: Sequence[Pair]) -> dict[UUID, int]:
        offered = {pair.qa_id: (pair.content_hash, pair.addresses, pair.links) for pair in pairs}
        rows = self._state.rows(observation.bot)
        held = _held(rows.documents[observation.document_id])
        unchanged: dict[UUID, int] = {}
        for passage_id in held:
            row = rows.passages[passage_id]
            if offered.get(row.pair.qa_id) == (row.pair.content_hash, row.pair.addresses, row.pair.links):
                unchanged[row.pair.qa_id] = max(row.since, unchanged.get(row.pair.qa_id, 0))
        return unchanged

    @atomic
    def stage(
        self,
        observation: Observation,
        accepted: Accepted,
        *,
        generation: int | None,
        pairs: Sequence[StagedPair],
        unchanged: Mapping[UUID, int],
        sealed_pairs: int | None,
        lease_seconds: float,
    ) -> int:
        document, rows = self._newest(observation), self._state.rows(observation.bot)
        number = generation or document.last_generation + 1
        kept = _held(document)
        current = document.generations.get(number) or GenerationRow(
            "staging", accepted.content_hash, accepted.title, accepted.version.token, accepted.corrects
        )
        members = {p for p in kept if unchanged.get(rows.passages[p].pair.qa_id) == rows.passages[p].since}
        minted = {staged.passage.passage_id for pair in pairs for staged in pair.passages}
        if sealed_pairs is not None:
            found = {rows.passages[p].pair.qa_id for p in (current.members | members)} | {p.pair.qa_id for p in pairs}
            if len(found) != sealed_pairs:
                raise LockstepError(f"{sealed_pairs} pairs were staged, the catalog holds {len(found)}.")
        document.last_generation = document.staging = number
        document.generations[number] = current
        for pair in pairs:
            _mint(rows, document.document_id, number, pair, accepted.corrects, due=self._state.clock())
        current.members |= members | minted
        if sealed_pairs is None:
            document.leased_until = self._state.clock() + lease_seconds
        else:
            current.state, current.sealed, current.pairs = "building", len(current.members), sealed_pairs
            document.staging, document.building = None, number
            _conclude(document, accepted.version, state="building")
        return number

    @atomic
    def pairs_of_others(self, observation: Observation, external_ids: Sequence[str]) -> dict[str, list[UUID]]:
        found = bearers_of_ids(self._state.rows(observation.bot))
        named = {external_id: found[external_id] for external_id in external_ids if external_id in found}
        return {
            external_id: sorted(bearers)
            for external_id, bearers in named.items()
            if len(bearers) <= PAIRS_PER_ID and observation.document_id not in bearers.values()
        }

    @atomic
    def own_pair(self, bot: Bot, qa_id: UUID) -> OwnPair | None:
        rows = self._state.rows(bot)
        found = (row for row in live_passages(rows) if row.pair.qa_id == qa_id and row.staged.passage.part == 0)
        row = next((row for row in found if rows.documents[row.document_id].corrects is None), None)
        if row is None:
            return None
        return OwnPair(row.pair, row.pair.content_hash, row.document_id, source_of(rows, row))

    @atomic
    def document(self, bot: Bot, document_id: UUID) -> DocumentStatus:
        rows = self._state.rows(bot)
        document = rows.documents.get(document_id)
        if document is None or document.tombstone_id is not None:
            raise NotFoundError(f"The bot {bot.slug!r} has no document {document_id}.")
        return _status(rows, document)

    @atomic
    def document_of(self, bot: Bot, object_key: str) -> DocumentStatus | None:
        rows = self._state.rows(bot)
        document = _of_object(rows, object_key)
        return None if document is None else _status(rows, document)

    @atomic
    def documents(self, bot: Bot, *, after: str, limit: int, state: str | None = None) -> list[DocumentStatus]:
        rows = self._state.rows(bot)
        chosen = [document for document in _after(rows, after) if state in (None, document.state)]
        return [_status(rows, document) for document in chosen[:limit]]

    @atomic
    def seen_objects(self, bot: Bot, *, after: str, limit: int) -> list[SeenObject]:
        chosen = _after(self._state.rows(bot), after)[:limit]
        return [SeenObject(document.object_key, document.seen_version) for document in chosen]

    @atomic
    def abandoned_corrections(self, bot: Bot, limit: int) -> list[str]:
        documents = self._state.rows(bot).documents
        there = {d.document_id for d in documents.values() if d.tombstone_id is None}
        found = (d for d in documents.values() if d.corrects and d.corrects.document_id not in there)
        return [document.object_key for document in found][:limit]

    def _newest(self, observation: Observation) -> DocumentRow:
        document = self._state.rows(observation.bot).documents.get(observation.document_id)
        if document is None or document.tombstone_id is not None or document.epoch != observation.epoch:
            raise SupersededError(f"A newer look at {observation.object_key} has begun.")
        return document


def bury_document(state: CatalogState, rows: BotRows, document: DocumentRow) -> None:
    """Stop the answers of a document, and write its tombstone."""
    if document.last_generation == 0:
        del rows.documents[document.document_id]
        return
    mine = [row for row in rows.passages.values() if row.document_id == document.document_id]
    held = [row.staged.passage.passage_id for row in mine]
    counts = {
        "catalog": {
            "generations": len(document.generations),
            "qa_pairs": len({(row.pair.qa_id, row.since) for row in mine}),
            "passages": len(mine),
            "document_sources": len(mine),
            "relations": sum(len(r) for r in {(p.pair.qa_id, p.since): p.pair.relations for p in mine}.values()),
        },
        "index": {"rows": sum(rows.markers[p].state == "delivered" for p in held if p in rows.markers)},
    }
    document.tombstone_id = state.bury(
        "document",
        rows.bot.bot_id,
        document_id=document.document_id,
        object_key=document.object_key,
        counts=counts,
    )
    for generation in document.generations.values():
        generation.state = "dead"
    document.state, document.look_again, document.leased_until = "deleting", False, 0.0
    document.live = document.building = document.staging = None
    document.epoch += 1


def _of_object(rows: BotRows, object_key: str) -> DocumentRow | None:
    found = (d for d in rows.documents.values() if d.object_key == object_key and d.tombstone_id is None)
    return next(found, None)


def _after(rows: BotRows, after: str) -> list[DocumentRow]:
    there = [d for d in rows.documents.values() if d.tombstone_id is None and d.object_key.encode() > after.encode()]
    return sorted(there, key=lambda document: document.object_key.encode())


def _new_document(rows: BotRows, object_key: str) -> DocumentRow:
    now = datetime.now(UTC)
    document = DocumentRow(uuid4(), object_key, now, now)
    rows.documents[document.document_id] = document
    return document


def _held(document: DocumentRow) -> set[UUID]:
    """The passages of the live, the kept and the staging generations."""
    return {p for g in document.generations.values() if g.state in ("live", "kept", "staging") for p in g.members}


def _mint(
    rows: BotRows, document_id: UUID, generation: int, pair: StagedPair, corrects: OwnPair | None, *, due: float
) -> None:
    documents = {document_id} | ({corrects.document_id} if corrects else set())
    pairs = {pair.pair.qa_id} | ({corrects.pair.qa_id} if corrects else set())
    for staged in pair.passages:
        passage_id, known = staged.passage.passage_id, list(rows.passages.values())
        alike = [
            *(r for r in known if r.document_id in documents and r.staged.text_hash == staged.text_hash),
            *(r for r in known if r.pair.qa_id in pairs and r.staged.passage.text == staged.passage.text),
            *(r for r in known if r.pair.qa_id in pairs),
        ]
        rows.passages[passage_id] = PassageRow(staged, pair.pair, document_id, generation)
        for collection in filter(None, (rows.bot.collection, rows.bot.next_collection)):
            markers = rows.markers_in(collection)
            lenders = (row.staged.passage.passage_id for row in alike)
            lender = next((lender for lender in lenders if _lends(markers.get(lender))), None)
            markers[passage_id] = MarkerRow(passage_id, document_id, generation, staged.row_hash, lender, due=due)


def _lends(marker: MarkerRow | None) -> bool:
    return marker is not None and marker.state == "delivered" and marker.wanted == Wanted.PRESENT


def _conclude(document: DocumentRow, version: ObjectVersion, *, state: str, reason: str | None = None) -> None:
    document.seen_version, document.state, document.reason = version.token, state, reason
    document.leased_until, document.updated_at = 0.0, datetime.now(UTC)


def _status(rows: BotRows, document: DocumentRow) -> DocumentStatus:
    live = document.generations.get(document.live or 0)
    building = document.generations.get(document.building or 0)
    waiting = sum(
        marker.document_id == document.document_id and marker.wanted == Wanted.PRESENT and marker.state != "delivered"
        for marker in rows.markers.values()
    )
    is_outdated = document.corrects is not None and not corrected_is_live(rows, document.corrects)
    return DocumentStatus(
        document_id=document.document_id,
        object_key=document.object_key,
        state=document.state,
        reason=document.reason or (OUTDATED if is_outdated else None),
        is_answering=live is not None and not is_outdated,
        title=live.title if live else None,
        pairs=live.pairs if live else 0,
        passages=len(live.members) if live else 0,
        progress=max(0.0, 1 - waiting / max(1, building.sealed or 0)) if building else None,
        seen_version=document.seen_version,
        created_at=document.created_at,
        updated_at=document.updated_at,
        live_at=live.live_at if live else None,
    )
