"""Copies a bot's rows out of the catalog, and into one."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO, cast
from uuid import UUID, uuid4

from functions.backup.manifest import BotManifest, Part, PartWriter, compressed_file, open_part
from shared.catalog.mapping import index_row_from, to_json
from shared.catalog.registry import attach_partitions
from shared.catalog.statistics import refresh_statistics
from shared.domain import Bot, Collection
from shared.errors import ConflictError
from shared.ports import ObjectStore
from shared.postgres import PostgresClient, Row, Transaction

# In the order in which they are restored.
TABLES = (
    "documents",
    "generations",
    "qa_pairs",
    "passages",
    "document_sources",
    "relations",
    "query_logs",
    "analytics",
    "tombstones",
    "receipts",
)
READ_VIEW_SECONDS = 600.0
MARKERS_AT_ONCE = 2_000


class _CountingRecords:
    """Passes on what COPY writes, and counts its records: a line break between quotes ends none."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self._quotes = 0
        self.records = -1  # the header is not one

    def write(self, chunk: bytes) -> int:
        for line in chunk.splitlines(keepends=True):
            self._quotes += line.count(b'"')
            if line.endswith(b"\n") and self._quotes % 2 == 0:
                self.records += 1
        return self._target.write(chunk)


class CatalogTables:
    """A bot's rows as files. `direct` must reach Postgres without a transaction-mode pooler."""

    def __init__(self, direct: PostgresClient) -> None:
        self._direct = direct

    def copy_out(self, bot: Bot, prefix: str, writer: PartWriter) -> dict[str, Part]:
        """Write one part per table, all as of the same moment."""

        def work(tx: Transaction) -> dict[str, Part]:
            return {table: self._copy_table_out(tx, bot, table, prefix, writer) for table in TABLES}

        return self._direct.transact(
            work, read_only=True, isolation="repeatable read", timeout_seconds=READ_VIEW_SECONDS
        )

    @staticmethod
    def _copy_table_out(tx: Transaction, bot: Bot, table: str, prefix: str, writer: PartWriter) -> Part:
        with compressed_file() as (file, compressed):
            records = _CountingRecords(compressed)
            tx.copy_out(f"snapshot_{table}", records, bot_id=bot.bot_id)
            compressed.close()
            return writer.put(f"{prefix}/{table}.csv.gz", table, file, rows=records.records)

    def proven_digests(self, bot: Bot, passage_ids: Sequence[UUID]) -> dict[UUID, str]:
        """The digest of each passage's vectors, as proven on the bot's collection."""
        rows = self._direct.transact(
            lambda tx: tx.rows(
                "proven_digests",
                bot_id=bot.bot_id,
                collection_id=bot.collection.collection_id,
                passage_ids=list(passage_ids),
            ),
            read_only=True,
        )
        return {row["passage_id"]: row["vector_digest"] for row in rows}

    def schema_version(self) -> int:
        rows = self._direct.transact(lambda tx: tx.rows("applied_migrations"), read_only=True)
        return int(rows[-1]["version"])

    def copy_in(self, manifest: BotManifest, store: ObjectStore, collection: Collection, restore_id: str) -> UUID:
        """Make the bot, its rows and its pending markers, in one transaction; returns its new id.

        Passage ids are new: each is a hash of its old one and of `restore_id`, which is secret until then.
        """
        bot_id = uuid4()

        def work(tx: Transaction) -> None:
            tx.execute(
                "insert_bot",
                bot_id=bot_id,
                slug=manifest.slug,
                name=manifest.name,
                collection_id=collection.collection_id,
                settings=to_json(manifest.settings),
            )
            attach_partitions(tx, bot_id)
            parameters = {"bot_id": bot_id, "slug": manifest.slug, "restore_id": restore_id}
            for part in manifest.parts:
                if part.kind in TABLES:
                    _load(tx, part, store)
            for table in (*TABLES, "membership"):
                tx.execute(f"restore_{table}", **parameters)
            refresh_statistics(tx, bot_id)
            _insert_markers(tx, bot_id, collection)
            refresh_statistics(tx, bot_id)

        try:
            self._direct.transact(work, timeout_seconds=READ_VIEW_SECONDS)
        except ConflictError as error:
            raise ConflictError(
                f"There is or was a bot {manifest.slug!r} here: restore into an empty deployment."
            ) from error
        return bot_id


def read_records(file: BinaryIO) -> Iterator[Mapping[str, str]]:
    """The records of a table's part."""
    csv.field_size_limit(1 << 30)
    with gzip.open(file, "rt", encoding="utf-8", newline="") as text:
        yield from csv.DictReader(text)


def _load(tx: Transaction, part: Part, store: ObjectStore) -> None:
    """Put a part into a temporary table of its own, column by column as its header says."""
    table = f"restored_{part.kind}"
    assert part.kind in TABLES
    tx.script(f"create temporary table {table} on commit drop as table {part.kind} with no data")
    with open_part(store, part) as file, gzip.open(file, "rb") as plain:
        columns = plain.readline().decode().strip().split(",")
        tx.copy_in(table, columns, cast(BinaryIO, plain))


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
