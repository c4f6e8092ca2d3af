"""Copies a bot's rows out of the catalog, all as of one moment."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Mapping
from typing import BinaryIO
from uuid import UUID

from functions.backup.parts import BotParts, compressed_file
from shared.domain import Bot
from shared.ports import ObjectStore
from shared.postgres import PostgresClient, Transaction
from shared.snapshots import Part, open_part

# In the order in which they are restored; the digests of vectors come last, and are not.
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
DIGESTS = "vector_digests"
READ_VIEW_SECONDS = 600.0


class CatalogTables:
    """A bot's rows as files. `direct` must reach Postgres without a transaction-mode pooler."""

    def __init__(self, direct: PostgresClient) -> None:
        self._direct = direct

    def copy_out(self, bot: Bot, parts: BotParts, *, seconds: float = READ_VIEW_SECONDS) -> list[Part]:
        """Write one part per table, all as of the same moment. No table may take longer than `seconds`."""

        def work(tx: Transaction) -> list[Part]:
            return [_copy_table(tx, bot, table, parts) for table in (*TABLES, DIGESTS)]

        return self._direct.transact(work, read_only=True, isolation="repeatable read", timeout_seconds=seconds)

    def schema_version(self) -> int:
        return schema_version(self._direct)


def schema_version(client: PostgresClient) -> int:
    """The number of the newest migration that was applied."""
    rows = client.transact(lambda tx: tx.rows("applied_migrations"), read_only=True)
    return int(rows[-1]["version"])


def _copy_table(tx: Transaction, bot: Bot, table: str, parts: BotParts) -> Part:
    with compressed_file() as (file, compressed):
        rows = tx.copy_out(f"snapshot_{table}", compressed, bot_id=bot.bot_id)
        compressed.close()
        return parts.put(f"{table}.csv.gz", table, file, rows=rows)


def read_digests(store: ObjectStore, part: Part) -> Iterator[tuple[UUID, str]]:
    """Each passage with the digest of its vectors, in the order of documents."""
    with open_part(store, part) as file:
        for record in read_records(file):
            yield UUID(record["passage_id"]), record["vector_digest"]


def read_records(file: BinaryIO) -> Iterator[Mapping[str, str]]:
    """The records of a table's part."""
    csv.field_size_limit(1 << 30)
    with gzip.open(file, "rt", encoding="utf-8", newline="") as text:
        yield from csv.DictReader(text)
