"""How common a term is follows what the bot holds: after a flip, after a delete, after a change of the rules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from infra.local.milvus import EmbeddedMilvus
from shared.analysis import ANALYSIS_VERSION
from shared.catalog import statistics
from shared.catalog.lexical import read_statistics
from shared.catalog.statistics import count_terms_if_grown
from shared.domain import Filter
from shared.postgres import PostgresClient
from tests.worlds import World, real_world


@pytest.fixture
def client(catalog_url: str) -> Iterator[PostgresClient]:
    client = PostgresClient(catalog_url)
    yield client
    client.close()


@pytest.fixture
def world(catalog_url: str, milvus_server: EmbeddedMilvus) -> Iterator[World]:
    with real_world(catalog_url, milvus_server.uri) as world:
        yield world


def records(prefix: str, count: int, answer: str) -> str:
    return "\n".join(json.dumps({"id": f"{prefix}{n}", "question": prefix, "answer": answer}) for n in range(count))


def select(client: PostgresClient, sql: str) -> list[Any]:
    rows: list[Any] = client.transact(lambda tx: tx._connection.run(sql))
    return rows


def containing(client: PostgresClient, world: World, term: str) -> int:
    return client.transact(lambda tx: read_statistics(tx, world.refreshed(), [term])).containing[term]


def test_terms_are_counted_when_a_document_goes_live(client: PostgresClient, world: World) -> None:
    world.put("a.jsonl", records("tide", 5, "The moon."))
    assert containing(client, world, "tide") == 5
    world.put("b.jsonl", records("ebb", 4, "The moon."))
    assert (containing(client, world, "moon"), containing(client, world, "ebb")) == (9, 4)
    known = client.transact(lambda tx: read_statistics(tx, world.bot, ["moon"]))
    assert (known.passages, known.mean_terms) == (9, 5.0)  # the question counts thrice


def test_no_term_of_what_was_deleted_stays_after_a_sync(client: PostgresClient, world: World) -> None:
    world.put("a.jsonl", records("tide", 5, "The moon."))
    world.put("b.jsonl", records("secret", 5, "The moon."))
    world.remove("b.jsonl")
    world.sync()
    assert select(client, "select count(*) from passages where lexemes @@ 'secret'") == [[0]]
    assert [row[0] for row in select(client, "select term from term_statistics order by term")] == [
        "moon",
        "the",
        "tide",
    ]


def test_terms_that_older_rules_found_are_found_anew_by_sync(client: PostgresClient, world: World) -> None:
    world.put("a.jsonl", records("tide", 3, "The moon."))
    select(client, "update passages set analysis = 1, lexemes = 'outdated:1', term_count = 0")
    assert world.reading.lexical_search(world.bot, "moon", limit=5, matching=Filter()) == []
    world.sync()
    assert len(world.reading.lexical_search(world.bot, "moon", limit=5, matching=Filter())) == 3
    assert select(client, "select distinct analysis, term_count from passages") == [[ANALYSIS_VERSION, 5]]
    assert containing(client, world, "moon") == 3
    assert world.reading.refresh_terms(world.bot, 10) == 0


def test_a_sample_of_a_large_bot_is_counted(
    client: PostgresClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put("a.jsonl", records("tide", 1_000, "The moon draws the water, and the sun does so too. " * 4))
    select(client, "delete from passage_statistics")
    monkeypatch.setattr(statistics, "COUNTED_PASSAGES", 500)
    assert client.transact(lambda tx: count_terms_if_grown(tx, world.bot.bot_id))
    known = client.transact(lambda tx: read_statistics(tx, world.bot, ["moon"]))
    assert known.passages == 1_000
    assert 0.5 < known.containing["moon"] / 1_000 < 1.5
    assert known.mean_terms == pytest.approx(47, rel=0.01)


def test_two_at_once_count_once(client: PostgresClient, world: World) -> None:
    world.put("a.jsonl", records("tide", 3, "The moon."))

    def count_while_another_counts(tx: Any) -> bool:
        assert count_terms_if_grown(tx, world.bot.bot_id)
        return client.transact(lambda other: count_terms_if_grown(other, world.bot.bot_id), timeout_seconds=2)

    assert client.transact(count_while_another_counts) is False
