"""Puts a bot's rows into the catalog, in a state in which nobody sees them, and makes the bot active once it is whole."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from typing import BinaryIO, cast
from uuid import UUID

from functions.backup.tables import TABLES, schema_version
from shared.catalog.mapping import index_row_from, to_json
from shared.catalog.registry import attach_partitions, drop_partitions
from shared.catalog.statistics import refresh_statistics
from shared.domain import Collection
from shared.errors import ConflictError, LockstepError
from shared.ports import ObjectStore
from shared.postgres import PostgresClient, Row, Transaction
from shared.snapshots import BotManifest, Part, open_part

# Of a scratch bot, whose deletes nobody must ever look for.
NOT_IN_SCRATCH = ("tombstones", "receipts")
COPY_SECONDS = 3600.0  # one statement: a table of one bot
MARKERS_AT_ONCE = 2_000


class RestoredTables:
    """The catalog's side of a restore. `direct` must reach Postgres without a transaction-mode pooler."""

    def __init__(self, direct: PostgresClient) -> None:
        self._direct = direct

    def copy_in(
        self,
        manifest: BotManifest,
        store: ObjectStore,
        collection: Collection,
        *,
        bot_id: UUID,
        slug: str,
        restore_id: str,
        tables: Sequence[str] = TABLES,
    ) -> None:
        """Make the bot, its rows and its pending markers, in one transaction.

        Raises ConflictError if the slug is taken, LockstepError if the rows are not as many as the manifest says.

        Passage ids are new: each is a hash of its old one and of `restore_id`, which is secret until then.
        """

        def work(tx: Transaction) -> None:
            tx.execute(
                "insert_restoring_bot",
                bot_id=bot_id,
                slug=slug,
                name=manifest.name,
                collection_id=collection.collection_id,
                settings=to_json(manifest.settings),
            )
            attach_partitions(tx, bot_id)
            parameters = {"bot_id": bot_id, "slug": slug, "restore_id": restore_id}
            for table in tables:
                tx.script(f"create temporary table restored_{table} on commit drop as table {table} with no data")
            for part in manifest.tables:
                if part.kind in tables:
                    _load(tx, part, store)
            for table in (*tables, "membership"):
                tx.execute(f"restore_{table}", **parameters)
            tx.execute("unlink_all", bot_id=bot_id)  # the graph is built anew, like the index
            tx.execute("compare_all_again", bot_id=bot_id)
            refresh_statistics(tx, bot_id)
            _verify(tx, manifest, bot_id)
            _insert_markers(tx, bot_id, collection)
            refresh_statistics(tx, bot_id, has_new_markers=True)

        try:
            self._direct.transact(work, timeout_seconds=COPY_SECONDS)
        except ConflictError as error:
            raise ConflictError(
                f"There is or was a bot {slug!r} here: restore it under another slug with --as."
            ) from error

    def schema_version(self) -> int:
        return schema_version(self._direct)

    def state(self, bot_id: UUID) -> str | None:
        """Of a bot by its id; None if there is none."""
        found = self._direct.transact(lambda tx: tx.value("bot_state", bot_id=bot_id), read_only=True)
        return None if found is None else str(found)

    def proven(self, bot_id: UUID) -> tuple[int, int]:
        """How many passages the bot has, and how many of them the index gave back as they must be."""
        row = self._direct.transact(
            lambda tx: tx.row("restored_passages", bot_id=bot_id), read_only=True, timeout_seconds=COPY_SECONDS
        )
        assert row is not None
        return int(row["passages"]), int(row["proven"])

    def activate(self, bot_id: UUID) -> None:
        self._direct.transact(lambda tx: tx.execute("activate_restored_bot", bot_id=bot_id))

    def unfinished(self) -> dict[str, UUID]:
        """Bots that are not whole, by their slugs: a restore is under way, or was broken off."""
        rows = self._direct.transact(lambda tx: tx.rows("restoring_bots"), read_only=True)
        return {str(row["slug"]): row["bot_id"] for row in rows}

    def drop(self, bot_id: UUID) -> None:
        """Remove every row of a bot that never was active. It may be repeated: the bot itself goes last."""
        drop_partitions(self._direct, bot_id)

        def work(tx: Transaction) -> None:
            for remains in (
                "drop_bot_markers",
                "drop_entries_of_bot",
                "drop_position_of_bot",
                "drop_receipts_of_bot",
                "drop_tombstones_of_bot",
                "drop_restoring_bot",
            ):
                tx.execute(remains, bot_id=bot_id)

        self._direct.transact(work, timeout_seconds=COPY_SECONDS)


def _load(tx: Transaction, part: Part, store: ObjectStore) -> None:
    """Put a part into its temporary table, column by column as its header says."""
    with open_part(store, part) as file, gzip.open(file, "rb") as plain:
        columns = plain.readline().decode().strip().split(",")
        tx.copy_in(f"restored_{part.kind}", columns, cast(BinaryIO, plain))


def _verify(tx: Transaction, manifest: BotManifest, bot_id: UUID) -> None:
    found = tx.row("restored_counts", bot_id=bot_id) or {}
    wrong = [
        f"{count:,} {table} instead of {manifest.rows(table):,}"
        for table, count in found.items()
        if count != manifest.rows(table)
    ]
    if wrong:
        raise LockstepError(f"What was restored is not what was saved, and nothing of it is kept: {', '.join(wrong)}.")


def _insert_markers(tx: Transaction, bot_id: UUID, collection: Collection) -> None:
    after = UUID(int=0)
    while rows := tx.rows("unmarked_passages", bot_id=bot_id, after=after, limit=MARKERS_AT_ONCE):
        records = [_marker_record(row, bot_id, collection) for row in rows]
        tx.execute(
            "insert_restored_markers", bot_id=bot_id, collection_id=collection.collection_id, rows=to_json(records)
        )
        after = rows[-1]["passage_id"]


def _marker_record(row: Row, bot_id: UUID, collection: Collection) -> dict[str, object]:
    index_row = index_row_from(row, collection, bot_id)
    return {
        "passage_id": row["passage_id"],
        "document_id": row["document_id"],
        "since_generation": row["since_generation"],
        "row_hash": index_row.row_hash,
    }
