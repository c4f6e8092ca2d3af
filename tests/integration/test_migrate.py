"""Migrations: forward only, safe to run twice and by two at once, clear when something does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from infra import migrate as module
from infra.local.postgres import EmbeddedPostgres
from infra.migrate import Migration, migrate, migrations
from shared.catalog.graph import PostgresGraph
from shared.catalog.registry import PostgresRegistry
from shared.domain import BotSettings, EmbedderModel, GraphLimits
from shared.errors import ConfigurationError
from shared.postgres import PostgresClient

_numbers = count(1)


@pytest.fixture
def empty(postgres_server: EmbeddedPostgres) -> Iterator[PostgresClient]:
    client = PostgresClient(postgres_server.ensure_database(f"empty_{next(_numbers)}"))
    yield client
    client.close()


def test_migrating_twice_does_it_once(empty: PostgresClient) -> None:
    assert migrate(empty) == [migration.name for migration in migrations()]
    deployment_id = PostgresRegistry(empty, empty).deployment_id()
    assert migrate(empty) == []
    assert PostgresRegistry(empty, empty).deployment_id() == deployment_id


def test_two_at_once_apply_each_migration_once(empty: PostgresClient) -> None:
    with ThreadPoolExecutor(4) as pool:
        applied = [name for names in pool.map(lambda _: migrate(empty), range(4)) for name in names]
    assert sorted(applied) == [migration.name for migration in migrations()]


def test_numbers_follow_one_another() -> None:
    assert [migration.version for migration in migrations()] == list(range(1, len(migrations()) + 1))


def test_an_edited_migration_is_refused(empty: PostgresClient, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(empty)
    first, *rest = migrations()
    edited = Migration(first.version, first.name, first.sql + "\n-- an afterthought")
    monkeypatch.setattr(module, "migrations", lambda: [edited, *rest])
    with pytest.raises(ConfigurationError, match="add a new migration"):
        migrate(empty)


def test_a_catalog_of_a_newer_lockstep_is_refused(empty: PostgresClient, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(empty)
    monkeypatch.setattr(module, "migrations", lambda: migrations()[:1])
    with pytest.raises(ConfigurationError, match="newer Lockstep"):
        migrate(empty)


def test_a_migration_that_fails_leaves_nothing_behind(empty: PostgresClient, monkeypatch: pytest.MonkeyPatch) -> None:
    good = Migration(1, "0001_good.sql", "create table kept (id integer)")
    bad = Migration(2, "0002_bad.sql", "create table lost (id integer); select no_such_function()")
    monkeypatch.setattr(module, "migrations", lambda: [good, bad])
    with pytest.raises(Exception, match="no_such_function"):
        migrate(empty)
    tables = empty.transact(
        lambda tx: tx._connection.run("select tablename from pg_tables where schemaname = 'public'")
    )
    assert ["kept"] in tables
    assert ["lost"] not in tables


def test_pairs_that_were_there_before_the_graph_wait_to_be_linked(
    empty: PostgresClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = migrations()
    older = [migration for migration in every if migration.name < "0009"]
    monkeypatch.setattr(module, "migrations", lambda: older)
    migrate(empty)
    registry = PostgresRegistry(empty, empty)
    model = EmbedderModel("model", "1", 8, 64)
    collection = registry.ensure_collection(model, metric="COSINE", index_type="FLAT", index_params={})
    bot = registry.register_bot("older", "older", BotSettings(), collection)
    pair = f"('{bot.bot_id}', gen_random_uuid(), 1, gen_random_uuid(), 'h', 'Gout', 'It hurts.')"
    columns = "bot_id, qa_id, since_generation, document_id, content_hash, question, response"
    empty.transact(lambda tx: tx.script(f"insert into qa_pairs ({columns}) values {pair}"))

    monkeypatch.setattr(module, "migrations", lambda: every)
    migrate(empty)
    graph = PostgresGraph(empty)
    assert graph.link(bot, limit=10) == 1
    assert [bearer.name.text for bearer in graph.bearers(bot, {"gout"}, GraphLimits())] == ["Gout"]
    registry.delete_bot("older")
    registry.drop_bot(bot)
    assert empty.transact(lambda tx: tx.rows("bot_partitions", pattern=f"%{bot.bot_id.hex}")) == []


def test_relations_that_were_there_know_the_ids_of_what_they_lead_to(
    empty: PostgresClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = migrations()
    older = [migration for migration in every if migration.name < "0013"]
    monkeypatch.setattr(module, "migrations", lambda: older)
    migrate(empty)
    bot, one = "gen_random_uuid()", "gen_random_uuid()"
    empty.transact(
        lambda tx: tx.script(
            f"""create table relations_all partition of relations default;
            create table qa_pairs_all partition of qa_pairs default;
            insert into qa_pairs (bot_id, qa_id, since_generation, document_id, content_hash, question, response, external_id)
            values ({bot}, {one}, 1, gen_random_uuid(), 'h', 'Gout', 'It hurts.', 'gout');
            insert into relations (bot_id, source_qa_id, target_qa_id, type, since_generation, document_id, confidence)
            select bot_id, qa_id, target, 'related', 1, document_id, 1
            from qa_pairs, unnest(array[qa_id, gen_random_uuid()]) as t (target)"""
        )
    )
    monkeypatch.setattr(module, "migrations", lambda: every)
    migrate(empty)
    named = "select target_external_id from relations order by target_external_id"
    assert empty.transact(lambda tx: tx._connection.run(named)) == [["gout"], [None]]


def test_without_a_schema_the_error_says_what_to_do(empty: PostgresClient) -> None:
    with pytest.raises(ConfigurationError, match="lockstep migrate"):
        PostgresRegistry(empty, empty).bots()
