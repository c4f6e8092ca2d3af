"""Markers: claim, prove, postpone; and what follows from them: flip, sweep, receipts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from shared.catalog.graph import drop_from_graph
from shared.catalog.mapping import index_row_from, to_json
from shared.catalog.references import link_again
from shared.catalog.statistics import count_terms_if_grown
from shared.domain import (
    Bot,
    Claim,
    Collection,
    EmbeddableText,
    KeyRange,
    Marker,
    MarkerState,
    Proof,
    ProvenMarker,
    Wanted,
)
from shared.ports import pin_name

if TYPE_CHECKING:
    from shared.postgres import PostgresClient, Row, Transaction

MAX_ATTEMPTS = 8
SWEEP_BATCH = 10_000
LONG_TIMEOUT_SECONDS = 60.0


class PostgresDelivery:
    """The port `DeliveryCatalog`."""

    def __init__(self, client: PostgresClient) -> None:
        self._client = client

    def unfinished_documents(self, bot: Bot, limit: int) -> list[UUID]:
        rows = self._client.transact(
            lambda tx: tx.rows(
                "unfinished_documents", bot_id=bot.bot_id, collection_id=bot.collection.collection_id, limit=limit
            ),
            read_only=True,
        )
        return [row["document_id"] for row in rows]

    def unfinished(self, bot: Bot, document_ids: Sequence[UUID]) -> list[UUID]:
        rows = self._client.transact(
            lambda tx: tx.rows(
                "unfinished_among",
                bot_id=bot.bot_id,
                collection_id=bot.collection.collection_id,
                document_ids=list(document_ids),
            ),
            read_only=True,
        )
        return [row["document_id"] for row in rows]

    # Claims

    def claim(
        self, bot: Bot, document_ids: Sequence[UUID], *, wanted: str, limit: int, lease_seconds: float
    ) -> Claim | None:
        token = uuid4()
        parameters: dict[str, Any] = {
            "bot_id": bot.bot_id,
            "collection_id": bot.collection.collection_id,
            "document_ids": list(document_ids),
            "limit": limit,
            "lease_token": token,
            "lease_seconds": lease_seconds,
        }

        def work(tx: Transaction) -> Claim | None:
            if wanted == Wanted.ABSENT:
                rows = tx.rows("claim_absent", **parameters)
                markers = [Marker(row["passage_id"], row["document_id"], Wanted.ABSENT) for row in rows]
            else:
                claimed = tx.rows("claim_present", **parameters, max_attempts=MAX_ATTEMPTS)
                markers = _present_markers(tx, bot, claimed)
            return Claim(token, tuple(markers)) if markers else None

        return self._client.transact(work)

    def prove_present(self, bot: Bot, claim: Claim, proofs: Sequence[Proof], incarnation: UUID) -> int:
        parameters = _claimed(bot, claim, [proof.passage_id for proof in proofs])

        def work(tx: Transaction) -> int:
            tx.rows("lock_claimed", **parameters)
            return tx.execute(
                "prove_present",
                bot_id=bot.bot_id,
                collection_id=bot.collection.collection_id,
                lease_token=claim.token,
                incarnation=incarnation,
                proofs=to_json([asdict(proof) for proof in proofs]),
            )

        return self._client.transact(work)

    def prove_absent(self, bot: Bot, claim: Claim, passage_ids: Sequence[UUID], incarnation: UUID) -> int:
        def work(tx: Transaction) -> int:
            proven = tx.rows("prove_absent", **_claimed(bot, claim, passage_ids), incarnation=incarnation)
            _drop_passages(tx, bot, [row["passage_id"] for row in proven])
            return len(proven)

        return self._client.transact(work)

    def postpone(self, bot: Bot, claim: Claim, passage_ids: Sequence[UUID], error: str) -> None:
        def work(tx: Transaction) -> None:
            rows = tx.rows(
                "postpone", **_claimed(bot, claim, passage_ids), error=error[:1000], max_attempts=MAX_ATTEMPTS
            )
            _mark_failed(tx, bot, {row["document_id"] for row in rows if row["state"] == "failed"})

        self._client.transact(work)

    def release(self, bot: Bot, claim: Claim) -> None:
        self._client.transact(lambda tx: tx.execute("release_claims", bot_id=bot.bot_id, lease_token=claim.token))

    def fail_exhausted(self, bot: Bot) -> None:
        def work(tx: Transaction) -> None:
            rows = tx.rows("fail_exhausted", bot_id=bot.bot_id, max_attempts=MAX_ATTEMPTS)
            _mark_failed(tx, bot, {row["document_id"] for row in rows})

        self._client.transact(work)

    def reopen_unproven(self, bot: Bot, incarnation: UUID, limit: int) -> int:
        return self._client.transact(
            lambda tx: tx.execute(
                "reopen_unproven",
                bot_id=bot.bot_id,
                collection_id=bot.collection.collection_id,
                incarnation=incarnation,
                limit=limit,
            )
        )

    def proven(
        self,
        collection: Collection,
        bot_ids: Sequence[UUID],
        keys: KeyRange,
        *,
        limit: int,
        document_id: UUID | None = None,
    ) -> list[ProvenMarker]:
        rows = self._client.transact(
            lambda tx: tx.rows(
                "proven",
                collection_id=collection.collection_id,
                bot_ids=list(bot_ids),
                first=keys.first,
                last=keys.last,
                document_id=document_id,
                limit=limit,
            ),
            read_only=True,
            timeout_seconds=LONG_TIMEOUT_SECONDS,
        )
        return [ProvenMarker(**row) for row in rows]

    def marker_states(
        self, collection: Collection, passages: Sequence[tuple[UUID, UUID]]
    ) -> dict[tuple[UUID, UUID], MarkerState]:
        rows = self._client.transact(
            lambda tx: tx.rows(
                "marker_states",
                collection_id=collection.collection_id,
                bot_ids=[bot_id for bot_id, _ in passages],
                passage_ids=[passage_id for _, passage_id in passages],
            ),
            read_only=True,
        )
        return {(row["bot_id"], row["passage_id"]): _marker_state(row) for row in rows}

    def reopen(self, collection: Collection, bot_id: UUID, passage_ids: Sequence[UUID]) -> int:
        key = {"bot_id": bot_id, "collection_id": collection.collection_id}

        def work(tx: Transaction) -> int:
            locked = [row["passage_id"] for row in tx.rows("lock_proven", **key, passage_ids=list(passage_ids))]
            contents = tx.rows("rows_to_deliver", **key, passage_ids=locked)
            rows = [index_row_from(content, collection, bot_id) for content in contents]
            hashes = [{"passage_id": row.passage_id, "row_hash": row.row_hash} for row in rows]
            return tx.execute("reopen", **key, rows=to_json(hashes))

        return self._client.transact(work)

    def unmarked_members(self, bot: Bot) -> dict[UUID, int]:
        rows = self._client.transact(
            lambda tx: tx.rows("unmarked_members", bot_id=bot.bot_id, collection_id=bot.collection.collection_id),
            read_only=True,
            timeout_seconds=LONG_TIMEOUT_SECONDS,
        )
        return {row["document_id"]: row["passages"] for row in rows}

    def remint(self, bot: Bot, document_id: UUID) -> int:
        key = {"bot_id": bot.bot_id, "document_id": document_id}
        collection_id = bot.collection.collection_id

        def work(tx: Transaction) -> int:
            if tx.row("lock_document", **key) is None:
                return 0
            contents = tx.rows("unmarked_contents", **key, collection_id=collection_id)
            old_ids = [content["passage_id"] for content in contents]
            rows = to_json([_minted(bot, content) for content in contents])
            tx.execute("copy_passages", bot_id=bot.bot_id, passage_ids=old_ids, rows=rows)
            tx.execute("copy_sources", bot_id=bot.bot_id, passage_ids=old_ids, rows=rows)
            tx.execute("insert_restored_markers", bot_id=bot.bot_id, collection_id=collection_id, rows=rows)
            tx.execute("replace_members", **key, rows=rows)
            _drop_passages(tx, bot, old_ids)
            return len(old_ids)

        return self._client.transact(work, timeout_seconds=LONG_TIMEOUT_SECONDS)

    def known_passages(self, bot: Bot) -> int:
        return int(
            self._client.transact(
                lambda tx: tx.value("known_passages", bot_id=bot.bot_id, collection_id=bot.collection.collection_id),
                read_only=True,
            )
        )

    # Transitions of a document

    def flip(self, bot: Bot, document_id: UUID) -> bool:
        key = {"bot_id": bot.bot_id, "document_id": document_id}

        def work(tx: Transaction) -> bool:
            tx.value("share_bot", bot_id=bot.bot_id)  # it must not move to another collection in between
            document = tx.row("lock_document", **key)
            if document is None or (generation := document["building_generation"]) is None:
                return False
            ready = tx.row("readiness", **key, generation=generation)
            if ready is None or not ready["sealed"] == ready["members"] == ready["delivered"]:
                return False
            tx.execute("keep_live", **key)
            tx.execute("make_live", **key, generation=generation)
            tx.execute("bury_old_kept", **key, kept=bot.settings.kept_generations)
            tx.execute("flip_document", **key, generation=generation)
            link_again(tx, document, generation)
            return True

        flipped = self._client.transact(work, timeout_seconds=LONG_TIMEOUT_SECONDS)
        if flipped:
            self._client.transact(lambda tx: count_terms_if_grown(tx, bot.bot_id), timeout_seconds=LONG_TIMEOUT_SECONDS)
        return flipped

    def sweep(self, bot: Bot, document_id: UUID) -> int:
        key = {"bot_id": bot.bot_id, "document_id": document_id}

        def work(tx: Transaction) -> int:
            if tx.row("lock_document", **key) is None or tx.row("pin_of_document", **key, name=pin_name(bot)):
                return 0
            tx.execute("drop_dead_membership", **key)
            tx.execute("drop_dead_generations", **key)
            return tx.execute("want_absent", **key, limit=SWEEP_BATCH)

        swept = 0
        while batch := self._client.transact(work, timeout_seconds=LONG_TIMEOUT_SECONDS):
            swept += batch
            if batch < SWEEP_BATCH:
                break
        return swept

    def waiting_object(self, bot: Bot, document_id: UUID) -> str | None:
        row = self._client.transact(
            lambda tx: tx.row("document", bot_id=bot.bot_id, document_id=document_id), read_only=True
        )
        if row is None or not row["look_again"]:
            return None
        is_free = row["building_generation"] is None or row["state"] == "failed"
        return str(row["object_key"]) if is_free else None

    # Deletion

    def finish_deletion(self, bot: Bot, document_id: UUID) -> bool:
        key = {"bot_id": bot.bot_id, "document_id": document_id}

        def work(tx: Transaction) -> bool:
            document = tx.row("lock_document", **key)
            if document is None:
                return False
            if document["deleted_at"] is None:
                for pair in tx.rows("finished_pairs", **key):
                    citation = to_json([{"qa_id": pair["qa_id"]}])
                    scrubbed = tx.execute("scrub_logs_of_pair", **key, citation=citation)
                    _give_receipt(tx, pair["tombstone_id"], scrubbed)
                return False
            leftovers = tx.row("leftovers_of_document", **key)
            if leftovers is None or any(leftovers.values()):
                return False
            scrubbed = tx.execute("scrub_logs", **key)
            for tombstone in tx.rows("open_tombstones", **key):
                _give_receipt(tx, tombstone["tombstone_id"], scrubbed)
            tx.execute("drop_observations", **key)
            tx.execute("drop_document", **key)
            return True

        return self._client.transact(work)

    def receipts_to_finish(self, limit: int, age_seconds: float) -> Sequence[Mapping[str, Any]]:
        rows = self._client.transact(
            lambda tx: tx.rows("provisional_receipts", limit=limit, age_seconds=age_seconds), read_only=True
        )
        return list(rows)

    def absent_passages(self, bot_id: UUID, document_id: UUID) -> list[UUID]:
        rows = self._client.transact(
            lambda tx: tx.rows("absent_passages", bot_id=bot_id, document_id=document_id), read_only=True
        )
        return [row["passage_id"] for row in rows]

    def finish_receipt(self, tombstone_id: UUID, verified: Mapping[str, Any]) -> None:
        def work(tx: Transaction) -> None:
            tx.execute("finish_receipt", tombstone_id=tombstone_id, verified=to_json(verified))
            tx.execute("drop_absent_markers_of", tombstone_id=tombstone_id)

        self._client.transact(work)

    def forget_old_absent(self, bot: Bot, age_seconds: float) -> None:
        self._client.transact(
            lambda tx: tx.execute("drop_old_absent_markers", bot_id=bot.bot_id, age_seconds=age_seconds)
        )

    def receipts(self, bot_id: UUID, limit: int) -> Sequence[Mapping[str, Any]]:
        return list(self._client.transact(lambda tx: tx.rows("receipts", bot_id=bot_id, limit=limit), read_only=True))


def _claimed(bot: Bot, claim: Claim, passage_ids: Sequence[UUID]) -> dict[str, Any]:
    return {
        "bot_id": bot.bot_id,
        "collection_id": bot.collection.collection_id,
        "lease_token": claim.token,
        "passage_ids": list(passage_ids),
    }


def _present_markers(tx: Transaction, bot: Bot, claimed: Sequence[Row]) -> list[Marker]:
    if not claimed:
        return []
    contents = tx.rows(
        "rows_to_deliver",
        bot_id=bot.bot_id,
        collection_id=bot.collection.collection_id,
        passage_ids=[row["passage_id"] for row in claimed],
    )
    return [_present_marker(bot, content) for content in contents]


def _present_marker(bot: Bot, content: Row) -> Marker:
    return Marker(
        passage_id=content["passage_id"],
        document_id=content["document_id"],
        wanted=Wanted.PRESENT,
        row=index_row_from(content, bot.collection, bot.bot_id),
        text=EmbeddableText(content["question"], content["text"]),
        row_hash=content["row_hash"],
        copy_from=content["copy_from"],
        copy_digest=content["copy_digest"],
        copy_text=EmbeddableText(content["copy_question"], content["copy_response"]) if content["copy_from"] else None,
        proven_digest=content["proven_digest"],
    )


def _minted(bot: Bot, content: Row) -> dict[str, Any]:
    """A new passage with that content."""
    row = index_row_from(content | {"passage_id": uuid4()}, bot.collection, bot.bot_id)
    return {
        "passage_id": row.passage_id,
        "old_id": content["passage_id"],
        "document_id": row.document_id,
        "since_generation": content["since_generation"],
        "row_hash": row.row_hash,
    }


def _marker_state(row: Row) -> MarkerState:
    names = ProvenMarker.__slots__
    wanted, is_delivered = Wanted(row["wanted"]), row["state"] == "delivered"
    is_proven = is_delivered and wanted == Wanted.PRESENT
    return MarkerState(wanted, is_delivered, ProvenMarker(*(row[name] for name in names)) if is_proven else None)


def _give_receipt(tx: Transaction, tombstone_id: UUID, scrubbed_logs: int) -> None:
    tx.execute("sweep_tombstone", tombstone_id=tombstone_id)
    tx.execute("insert_receipt", tombstone_id=tombstone_id, more=to_json({"scrubbed_logs": scrubbed_logs}))


def _drop_passages(tx: Transaction, bot: Bot, passage_ids: Sequence[UUID]) -> None:
    """Remove from the catalog what no collection holds any more, and what stood on it alone."""
    tx.rows("lock_passages", bot_id=bot.bot_id, passage_ids=list(passage_ids))
    dropped = tx.rows("drop_passages", bot_id=bot.bot_id, passage_ids=list(passage_ids))
    if not dropped:
        return
    tx.execute("drop_sources", bot_id=bot.bot_id, passage_ids=[row["passage_id"] for row in dropped])
    gone = tx.rows("drop_pairs_without_passages", bot_id=bot.bot_id, **_pair_keys(dropped))
    if gone:
        drop_from_graph(tx, bot, gone)


def _pair_keys(rows: Sequence[Row]) -> dict[str, Any]:
    return {"qa_ids": [row["qa_id"] for row in rows], "generations": [row["since_generation"] for row in rows]}


def _mark_failed(tx: Transaction, bot: Bot, document_ids: set[UUID]) -> None:
    for document_id in document_ids:
        key = {"bot_id": bot.bot_id, "document_id": document_id}
        failed = tx.rows("failed_markers", **key)
        if not failed:  # it fails in the bot's next collection only: that keeps the bot from moving, not the document
            continue
        reason = "; ".join(f"passage {row['passage_id']}: {row['last_error']}" for row in failed)
        tx.execute("mark_document_failed", **key, reason=reason)
