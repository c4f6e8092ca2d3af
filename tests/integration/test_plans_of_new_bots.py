"""No query compares each row of a bot with each other, though the bot has just come beside another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from infra.local.postgres import EmbeddedPostgres
from shared.analysis import ANALYSIS_VERSION
from shared.catalog.registry import PostgresRegistry
from shared.catalog.statistics import refresh_statistics
from shared.domain import Bot, BotSettings, EmbedderModel
from shared.postgres import PostgresClient, Transaction
from tests.conftest import TEMPLATE
from tests.integration.test_query_plans import (
    FILL,
    INCARNATION,
    JOINED_AS_WRITTEN,
    WHOLE_BOT,
    known_id,
    parameters,
    plan_of,
    query_names,
)

ROWS = 3_000
PAGES_PER_ROW = 60  # what a row needs in three or four indexes, some of them twice
# They violate a constraint with made-up values. None of them reads more than it is handed.
NEED_REAL_VALUES = {
    "conclude_observation",
    "copy_generation",
    "copy_membership",
    "count_terms",
    "drop_tombstones_of_bot",
    "insert_bot",
    "insert_collection",
    "insert_document",
    "insert_generation",
    "insert_markers",
    "insert_mentions",
    "insert_names",
    "insert_observation",
    "insert_pairs",
    "insert_passages",
    "insert_relations",
    "insert_restoring_bot",
    "insert_sources",
    "insert_tombstone",
    "move_bot",
    "set_bot_state",
}


@pytest.fixture(scope="module")
def catalog(postgres_server: EmbeddedPostgres) -> Iterator[PostgresClient]:
    admin = PostgresClient(postgres_server.url())
    admin.run_alone(f"create database plans_of_new_bots template {TEMPLATE}")
    client = PostgresClient(postgres_server.url("plans_of_new_bots"))
    registry = PostgresRegistry(client, client)
    collection = registry.ensure_collection(
        EmbedderModel("model", "1", 8, 64), metric="COSINE", index_type="FLAT", index_params={}
    )
    for slug in ("known", "new"):
        bot = registry.register_bot(slug, slug, BotSettings(), collection)
        sql = FILL.format(
            bot=bot.bot_id, slug=slug, documents=1, pairs=ROWS, incarnation=INCARNATION, analysis=ANALYSIS_VERSION
        )
        client.transact(lambda tx, sql=sql: tx.script(sql), timeout_seconds=120)  # type: ignore[misc]
        if slug == "known":
            client.run_alone("vacuum analyze", timeout_seconds=120)
            continue
        client.transact(lambda tx, bot=bot: refresh_statistics(tx, bot.bot_id, has_new_markers=True))  # type: ignore[misc]
    yield client
    client.close()
    admin.close()


@pytest.fixture(scope="module")
def bot(catalog: PostgresClient) -> Bot:
    return PostgresRegistry(catalog, catalog).bot("new")


@pytest.mark.parametrize("name", sorted({*query_names(), *WHOLE_BOT} - NEED_REAL_VALUES))
def test_the_pages_that_are_read_grow_with_the_rows(catalog: PostgresClient, bot: Bot, name: str) -> None:
    document_id = known_id(bot, "d", 1)
    values = parameters(bot) | {"document_id": document_id, "document_ids": [document_id], "limit": 1_000}

    def work(tx: Transaction) -> dict[str, Any]:
        tx.script("set local statement_timeout = '60s'")
        return plan_of(tx, name, values, "analyze, buffers, ")

    plan = catalog.transact(work, joins_as_written=name in JOINED_AS_WRITTEN)
    read = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    assert read < PAGES_PER_ROW * ROWS, f"{name} reads {read:,} pages for {ROWS:,} rows"
