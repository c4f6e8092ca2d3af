"""A bot comes and goes without blocking the readers and writers of another."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest

from shared.catalog.registry import PostgresRegistry, attach_partitions
from shared.domain import Bot, BotSettings, EmbedderModel
from shared.postgres import PostgresClient, Transaction

MODEL = EmbedderModel("model", "1", 8, 64)


@pytest.fixture
def client(catalog_url: str) -> Iterator[PostgresClient]:
    made = PostgresClient(catalog_url, statement_timeout_seconds=5)
    yield made
    made.close()


@pytest.fixture
def registry(client: PostgresClient) -> PostgresRegistry:
    return PostgresRegistry(client, client)


def register(registry: PostgresRegistry, slug: str) -> Bot:
    collection = registry.ensure_collection(MODEL, metric="COSINE", index_type="FLAT", index_params={})
    return registry.register_bot(slug, slug, BotSettings(), collection)


def write(tx: Transaction, bot: Bot) -> None:
    tx.execute("insert_document", bot_id=bot.bot_id, document_id=uuid4(), object_key=f"{bot.slug}/{uuid4()}")


def read(tx: Transaction, bot: Bot) -> int:
    return int(tx.value("count_bot_documents", bot_id=bot.bot_id))


@contextmanager
def open_transaction(client: PostgresClient, bot: Bot) -> Iterator[None]:
    """Another session that has read and written the bot and has not committed yet."""
    is_open, may_end = threading.Event(), threading.Event()

    def work(tx: Transaction) -> None:
        write(tx, bot)
        read(tx, bot)
        is_open.set()
        may_end.wait(30)

    thread = threading.Thread(target=client.transact, args=(work,))
    thread.start()
    assert is_open.wait(10)
    try:
        yield
    finally:
        may_end.set()
        thread.join()


def partitions(client: PostgresClient, bot: Bot) -> list[str]:
    pattern = f"%\\_{bot.bot_id.hex}"
    return [row["name"] for row in client.transact(lambda tx: tx.rows("bot_partitions", pattern=pattern))]


def test_a_bot_has_a_partition_of_every_partitioned_table(client: PostgresClient, registry: PostgresRegistry) -> None:
    bot = register(registry, "first")
    tables = [row["name"] for row in client.transact(lambda tx: tx.rows("partitioned_tables"))]
    assert partitions(client, bot) == sorted(f"{table}_{bot.bot_id.hex}" for table in tables)
    assert {"documents", "qa_pairs", "passages", "membership", "relations", "query_logs", "analytics"} <= set(tables)
    assert not {"markers", "claims", "tombstones", "receipts", "bots"} & set(tables)


def test_a_bot_comes_while_another_is_read_and_written(client: PostgresClient, registry: PostgresRegistry) -> None:
    busy = register(registry, "busy")
    with open_transaction(client, busy):
        register(registry, "newcomer")
    assert client.transact(lambda tx: read(tx, busy)) == 1


def test_while_a_bot_comes_others_are_read_and_written(client: PostgresClient, registry: PostgresRegistry) -> None:
    busy = register(registry, "busy")

    def attach_and_meanwhile(tx: Transaction) -> None:
        attach_partitions(tx, uuid4())  # its locks are held until this transaction ends
        client.transact(lambda other: write(other, busy), timeout_seconds=1)
        assert client.transact(lambda other: read(other, busy), timeout_seconds=1) == 1

    client.transact(attach_and_meanwhile)


def test_a_bot_goes_without_blocking_the_others(client: PostgresClient, registry: PostgresRegistry) -> None:
    busy, leaving = register(registry, "busy"), register(registry, "leaving")
    registry.delete_bot("leaving")
    dropping = threading.Thread(target=registry.drop_bot, args=(leaving,))
    with open_transaction(client, busy):
        dropping.start()
        for _ in range(10):  # whatever the drop is waiting for, nobody waits for it
            client.transact(lambda tx: write(tx, busy), timeout_seconds=1)
            client.transact(lambda tx: read(tx, busy), timeout_seconds=1)
            time.sleep(0.02)
    dropping.join()
    assert partitions(client, leaving) == []
    assert client.transact(lambda tx: read(tx, busy)) == 11


def test_a_drop_that_was_interrupted_goes_on(
    client: PostgresClient, registry: PostgresRegistry, catalog_url: str
) -> None:
    busy, leaving = register(registry, "busy"), register(registry, "leaving")
    registry.delete_bot("leaving")
    first, second = partitions(client, leaving)[:2]
    client.run_alone(f"alter table {first.rpartition('_')[0]} detach partition {first} concurrently")
    parent = second.rpartition("_")[0]
    with open_transaction(client, busy):
        reader = PostgresClient(catalog_url)
        blocked = threading.Event()

        def hold(tx: Transaction) -> None:
            tx.script(f"select count(*) from {parent}")
            blocked.set()
            time.sleep(1.0)

        holding = threading.Thread(target=reader.transact, args=(hold,))
        holding.start()
        assert blocked.wait(5)
        with pytest.raises(Exception, match="Postgres could not finish"):  # leaves the partition half detached
            client.run_alone(f"alter table {parent} detach partition {second} concurrently", timeout_seconds=0.2)
        holding.join()
        reader.close()
    registry.drop_bot(leaving)
    assert partitions(client, leaving) == []


def test_dropping_twice_is_as_dropping_once(client: PostgresClient, registry: PostgresRegistry) -> None:
    leaving = register(registry, "leaving")
    registry.delete_bot("leaving")
    registry.drop_bot(leaving)
    registry.drop_bot(leaving)
    assert registry.deleting_bots() == []
