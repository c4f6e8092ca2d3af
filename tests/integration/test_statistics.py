"""The planner knows how large a bot is as soon as its first document is staged, not when autovacuum comes by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from infra.local.milvus import EmbeddedMilvus
from shared.domain import Bot, Collection
from shared.postgres import PostgresClient
from tests.integration.deployments import Deployment, Deployments
from tests.worlds import World, real_world

PAIRS = 700  # two parts
NUMBERS = "question,answer\n" + "".join(f"What is number {n}?,It is the number {n}.\n" for n in range(PAIRS))


@pytest.fixture
def world(catalog_url: str, milvus_server: EmbeddedMilvus) -> Iterator[World]:
    """With a document in which autovacuum would find nothing yet."""
    with real_world(catalog_url, milvus_server.uri) as world:
        stage(world)
        yield world


@pytest.fixture
def client(catalog_url: str) -> Iterator[PostgresClient]:
    client = PostgresClient(catalog_url)
    yield client
    client.close()


def stage(world: World) -> None:
    world.objects.put(world.key("numbers.csv"), NUMBERS.encode())
    world.look("numbers.csv")


def estimated_markers(client: PostgresClient, bot: Bot, collection: Collection) -> int:
    """How many markers the planner expects of the bot in that collection."""
    sql = "explain (format json) select from markers where bot_id = :bot_id and collection_id = :collection_id"
    key: dict[str, Any] = {"bot_id": bot.bot_id, "collection_id": collection.collection_id}
    return int(client.transact(lambda tx: tx._connection.run(sql, **key))[0][0][0]["Plan"]["Plan Rows"])


def test_a_table_is_analysed_while_it_grows(world: World, client: PostgresClient) -> None:
    def outgrown(suffix: str) -> list[Any]:
        return client.transact(lambda tx: tx.rows("outgrown_tables", suffix=suffix, has_new_markers=False))

    assert outgrown("_none") == []  # the markers, which all bots share
    assert outgrown(f"_{world.bot.bot_id.hex}") == []


def test_the_markers_of_another_bot_are_known_at_once(world: World, client: PostgresClient) -> None:
    world.bot = world.register("second")
    stage(world)
    assert estimated_markers(client, world.bot, world.bot.collection) > PAIRS / 3


def test_the_markers_for_another_collection_are_known_at_once(world: World, client: PostgresClient) -> None:
    model = world.embedder.model
    following = world.registry.ensure_collection(
        type(model)(model.model_id, "2", model.dimension, model.window),
        metric="COSINE",
        index_type="FLAT",
        index_params={},
    )
    bot = world.changes.begin(world.refreshed(), following, settled_seconds=0.0)
    assert world.changes.add_markers(bot, following, after=UUID(int=0), limit=PAIRS) is not None
    assert estimated_markers(client, bot, following) > PAIRS / 3


def test_the_markers_of_a_restored_bot_are_known_at_once(source: Deployment, deployments: Deployments) -> None:
    source.world.put("numbers.csv", NUMBERS)
    manifest = source.snapshot()
    empty = deployments.empty()
    empty.restore(manifest)
    restored = empty.world.registry.bot(source.world.bot.slug)
    assert estimated_markers(empty.client, restored, restored.collection) > PAIRS / 3
