"""How far the catalog has followed the deletion ledger; what is left behind a delete; receipts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from shared.catalog.documents import STAGE_TIMEOUT_SECONDS, bury_document
from shared.catalog.mapping import counts_of, to_json
from shared.catalog.registry import SLUG
from shared.domain import Bot, Buried, Deletion, LivePair
from shared.errors import NotFoundError

if TYPE_CHECKING:
    from shared.postgres import PostgresClient, Row, Transaction

SWEEP_LIMIT = 100_000  # more passages than any one pair has


class PostgresDeletions:
    """The port `DeletionCatalog`."""

    def __init__(self, client: PostgresClient) -> None:
        self._client = client

    @property
    def connections(self) -> int:
        return self._client.connections

    # The ledger

    def settled(self, bot: Bot) -> str:
        found = self._client.transact(lambda tx: tx.value("settled_entry", bot_id=bot.bot_id), read_only=True)
        return str(found or "")

    def unapplied(self, bot: Bot, entries: Sequence[str]) -> list[str]:
        rows = self._client.transact(
            lambda tx: tx.rows("unapplied_entries", bot_id=bot.bot_id, entries=list(entries)), read_only=True
        )
        return [row["entry"] for row in rows]

    def apply(self, bot: Bot, deletion: Deletion) -> bool:
        def work(tx: Transaction) -> bool:
            tx.value("share_bot", bot_id=bot.bot_id)
            # The document first, as a removal does it: the other way round the two could wait for each other.
            document = tx.row("lock_document", bot_id=bot.bot_id, document_id=deletion.document_id)
            is_new = tx.execute("record_entry", bot_id=bot.bot_id, entry=deletion.entry)
            if not is_new or document is None or document["deleted_at"] is not None:
                return False
            if deletion.kind == "pair":
                return _bury_pair(tx, document, deletion)
            bury_document(tx, document)
            return True

        return self._client.transact(work, timeout_seconds=STAGE_TIMEOUT_SECONDS)

    def settle(self, bot: Bot, entry: str) -> None:
        def work(tx: Transaction) -> None:
            tx.execute("settle_entry", bot_id=bot.bot_id, entry=entry)
            tx.execute("drop_settled_entries", bot_id=bot.bot_id, entry=entry)

        self._client.transact(work)

    def buried(self, bot: Bot) -> list[Buried]:
        rows = self._client.transact(lambda tx: tx.rows("buried", bot_id=bot.bot_id), read_only=True)
        return [Buried(row["kind"], row["object_key"], row["passages"]) for row in rows]

    def live_pair(self, bot: Bot, qa_id: UUID) -> LivePair:
        row = self._client.transact(lambda tx: tx.row("live_pair", bot_id=bot.bot_id, qa_id=qa_id), read_only=True)
        if row is None:
            raise NotFoundError(f"The bot {bot.slug!r} has no pair {qa_id}.")
        return LivePair(qa_id, row["document_id"], row["object_key"], row["generation"], row["pair_count"] == 1)

    # The second look

    def remains(self, receipt: Mapping[str, Any]) -> dict[str, int]:
        def work(tx: Transaction) -> Row:
            kind, bot_id = receipt["kind"], receipt["bot_id"]
            found = tx.row(f"remains_of_{kind}", **_behind(receipt)) or {}
            if kind == "bot":
                found["partitions"] = len(tx.rows("bot_partitions", pattern=f"%\\_{bot_id.hex}"))
            return found

        return self._client.transact(work, read_only=True)

    def scrub_logs(self, receipt: Mapping[str, Any]) -> int:
        name = "scrub_logs_of_pair" if receipt["kind"] == "pair" else "scrub_logs"
        behind = {name: value for name, value in _behind(receipt).items() if name != "qa_id"}
        return self._client.transact(lambda tx: tx.execute(name, **behind))

    # Receipts

    def bot_id(self, slug: str) -> UUID:
        found = None
        if SLUG.fullmatch(slug):  # what is none may hold characters that Postgres refuses
            found = self._client.transact(lambda tx: tx.value("bot_id_of_slug", slug=slug), read_only=True)
        if found is None:
            raise NotFoundError(f"There is and was no bot {slug!r}.")
        return UUID(str(found))

    def newest_receipts(self, limit: int) -> Sequence[Mapping[str, Any]]:
        return list(self._client.transact(lambda tx: tx.rows("newest_receipts", limit=limit), read_only=True))

    def receipt(self, tombstone_id: UUID) -> Mapping[str, Any]:
        found = self._client.transact(lambda tx: tx.row("receipt", tombstone_id=tombstone_id), read_only=True)
        if found is None:
            raise NotFoundError(f"There is no receipt {tombstone_id}: it is given when everything is swept.")
        return found


def _bury_pair(tx: Transaction, document: Row, deletion: Deletion) -> bool:
    """Take a pair out of every generation up to the one that it was deleted from; its neighbours stay."""
    key = {"bot_id": document["bot_id"], "document_id": document["document_id"]}
    pair = {"qa_id": deletion.qa_id, "generation": deletion.generation}
    contents = tx.row("pair_contents", bot_id=document["bot_id"], **pair)
    if contents is None or contents["qa_pairs"] == 0:
        return False
    tx.execute(
        "insert_tombstone",
        tombstone_id=uuid4(),
        kind="pair",
        **key,
        **pair,
        object_key=document["object_key"],
        counts=counts_of(contents),
    )
    tx.execute("bury_staging", **key)
    tx.execute("abandon_staging", **key)
    tx.execute("drop_membership_of_pair", **key, **pair)
    tx.execute("recount_generations", **key)
    tx.execute("want_absent", **key, limit=SWEEP_LIMIT)
    return True


def _behind(receipt: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that the queries about a receipt of its kind have."""
    if receipt["kind"] == "bot":
        return {"bot_id": receipt["bot_id"]}
    document = {"bot_id": receipt["bot_id"], "document_id": receipt["document_id"]}
    if receipt["kind"] == "document":
        return document
    pair = {"qa_id": receipt["qa_id"], "generation": receipt["generation"]}
    return {**document, **pair, "citation": to_json([{"qa_id": receipt["qa_id"]}])}
