"""Copies a bot's rows out of the catalog, all as of one moment."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO
from uuid import UUID

from functions.backup.parts import BotParts, compressed_file
from shared.domain import Bot, sha256_of
from shared.ports import ObjectStore
from shared.postgres import PostgresClient, Transaction
from shared.snapshots import BotManifest, Part, has_part, open_part

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
ALWAYS_COPIED = ("analytics", "tombstones", "receipts")  # a few rows each
LOGS = "query_logs"  # they change with every question, what they are about does not
READ_VIEW_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class CopiedTables:
    """The parts of one read view, and the fingerprints of what they were copied from."""

    parts: list[Part]
    fingerprints: dict[str, str]


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier snapshot, of the same schema, holds of the bot."""

    manifest: BotManifest
    store: ObjectStore

    def same(self, table: str, fingerprints: Mapping[str, str]) -> Part | None:
        """The part of a table that has not changed since; None if it has, or if the part is not there any more."""
        if table in ALWAYS_COPIED:
            return None
        kind = LOGS if table == LOGS else "content"
        part = next((part for part in self.manifest.tables if part.kind == table), None)
        is_same = part is not None and self.manifest.fingerprints.get(kind) == fingerprints[kind]
        return part if part and is_same and has_part(self.store, part) else None


class CatalogTables:
    """A bot's rows as files. `direct` must reach Postgres without a transaction-mode pooler."""

    def __init__(self, direct: PostgresClient) -> None:
        self._direct = direct

    def copy_out(
        self, bot: Bot, parts: BotParts, earlier: Earlier | None, *, seconds: float = READ_VIEW_SECONDS
    ) -> CopiedTables:
        """Write one part per table, all as of the same moment; a part of `earlier` whose rows are the same is named again.

        No table may take longer than `seconds`.
        """

        def work(tx: Transaction) -> CopiedTables:
            prints = _fingerprints(tx, bot)
            copied = [
                (earlier and earlier.same(table, prints)) or _copy_table(tx, bot, table, parts)
                for table in (*TABLES, DIGESTS)
            ]
            return CopiedTables(copied, prints)

        return self._direct.transact(work, read_only=True, isolation="repeatable read", timeout_seconds=seconds)

    def schema_version(self) -> int:
        return schema_version(self._direct)


def schema_version(client: PostgresClient) -> int:
    """The number of the newest migration that was applied."""
    rows = client.transact(lambda tx: tx.rows("applied_migrations"), read_only=True)
    return int(rows[-1]["version"])


def _fingerprints(tx: Transaction, bot: Bot) -> dict[str, str]:
    """Of the logs, and of all else together: what is live is decided by several tables."""
    rows = tx.rows("snapshot_fingerprints", bot_id=bot.bot_id)
    facts = {row["name"]: [str(row[fact]) for fact in ("rows", "versions", "times")] for row in rows}
    return {LOGS: sha256_of(facts.pop(LOGS)), "content": sha256_of(facts)}


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
