"""Reads what is live of a bot, page by page, as of one moment."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from shared.catalog.mapping import to_json
from shared.domain import Bot
from shared.export import CATALOG_TABLES, TABLES, Record

if TYPE_CHECKING:
    from shared.postgres import PostgresClient, Row, Transaction

READ_SECONDS = 600.0  # for one page: the first may wait for a cold database
NOTHING = UUID(int=0)
BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


class Sink(Protocol):
    """Takes the records of one table after another's, mixed, in pages; a page may be empty."""

    def add(self, table: str, records: Sequence[Record]) -> None:
        """What it raises ends the reading."""
        ...


class PostgresExport:
    """Reads pairs, relations, sources and logs of a bot in one read view."""

    def __init__(self, client: PostgresClient) -> None:
        self._client = client

    def read(
        self,
        bot: Bot,
        open_sink: Callable[[], Sink],
        *,
        since: datetime | None,
        batch_size: int,
        tables: Collection[str] = CATALOG_TABLES,
        page_seconds: float = READ_SECONDS,
    ) -> None:
        """Hand everything of those tables to a sink, at most `batch_size` passages or logs at a time.

        A connection that breaks begins again with a new sink.
        """

        def work(tx: Transaction) -> None:
            sink = open_sink()
            if set(tables) != {"logs"}:
                for rows in _live_pages(tx, bot, since, batch_size):
                    _add_page(tx, bot, rows, tables, sink)
            if "logs" in tables:
                for logs in _log_pages(tx, bot, since, batch_size):
                    sink.add("logs", [_record("logs", bot, row) for row in logs])

        self._client.transact(
            work, read_only=True, isolation="repeatable read", timeout_seconds=page_seconds, joins_as_written=True
        )


def _live_pages(tx: Transaction, bot: Bot, since: datetime | None, limit: int) -> Iterator[list[Row]]:
    """What `hydrate` vouches for, pair by pair. A pair's passages may come on two pages."""
    after: Row = {"qa_id": NOTHING, "since_generation": 0, "passage_id": NOTHING}
    while page := tx.rows(
        "export_passages",
        bot_id=bot.bot_id,
        after_qa_id=after["qa_id"],
        after_generation=after["since_generation"],
        after_passage_id=after["passage_id"],
        since=since,
        limit=limit,
    ):
        after = page[-1]
        born = {row["passage_id"]: row["since_generation"] for row in page}
        found = tx.rows("hydrate", bot_id=bot.bot_id, passage_ids=list(born))
        yield [row | {"since_generation": born[row["passage_id"]]} for row in found]


def _add_page(tx: Transaction, bot: Bot, rows: Sequence[Row], tables: Collection[str], sink: Sink) -> None:
    firsts = [row for row in rows if row["part"] == 0]  # so that each pair is told once
    if "pairs" in tables:
        sink.add("pairs", [_record("pairs", bot, row) for row in firsts])
    if "relations" in tables:
        sink.add("relations", [_record("relations", bot, row) for row in _relations(tx, bot, firsts)])
    if "sources" in tables:
        passages = [row | {"name": row["source_name"], "passage": row["text"]} for row in rows]
        sink.add("sources", [_record("sources", bot, row) for row in passages])


def _relations(tx: Transaction, bot: Bot, pairs: Sequence[Row]) -> list[Row]:
    return tx.rows(
        "export_relations",
        bot_id=bot.bot_id,
        qa_ids=[row["qa_id"] for row in pairs],
        generations=[row["since_generation"] for row in pairs],
    )


def _log_pages(tx: Transaction, bot: Bot, since: datetime | None, limit: int) -> Iterator[list[Row]]:
    after: Row = {"created_at": BEGINNING, "query_id": NOTHING}
    while page := tx.rows(
        "export_logs",
        bot_id=bot.bot_id,
        after_moment=after["created_at"],
        after_query_id=after["query_id"],
        since=since or BEGINNING,
        limit=limit,
    ):
        after = page[-1]
        yield page


def _record(table: str, bot: Bot, row: Row) -> Record:
    """The columns of the table, as JSON values."""
    wanted = {name: row[name] for name in TABLES[table].columns if name != "bot"}
    plain: dict[str, Any] = json.loads(to_json(wanted))
    return {"bot": bot.slug, **plain}
