"""The planner knows how large a bot is as soon as its first document is staged, not when autovacuum comes by."""

from __future__ import annotations

from infra.local.milvus import EmbeddedMilvus
from shared.postgres import PostgresClient
from tests.worlds import real_world

PAIRS = 700  # two parts


def test_a_table_is_analysed_while_it_grows(catalog_url: str, milvus_server: EmbeddedMilvus) -> None:
    with real_world(catalog_url, milvus_server.uri) as world:
        rows = "".join(f"What is number {n}?,It is the number {n}.\n" for n in range(PAIRS))
        world.objects.put(world.key("numbers.csv"), f"question,answer\n{rows}".encode())
        world.look("numbers.csv")
        client = PostgresClient(catalog_url)
        known = client.transact(lambda tx: {row["name"]: row for row in tx.rows("outgrown_tables", suffix="_none")})
        assert not known  # the markers, which all bots share
        outgrown = client.transact(lambda tx: tx.rows("outgrown_tables", suffix=f"_{world.bot.bot_id.hex}"))
        client.close()
    assert outgrown == []
