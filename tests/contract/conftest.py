"""Each contract holds over the in-memory twins, over real stores, and with a transaction-mode pooler before Postgres."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.local.milvus import EmbeddedMilvus
from infra.local.postgres import EmbeddedPostgres
from shared.catalog.registry import PostgresRegistry
from shared.postgres import PostgresClient
from tests.pgbouncer import pgbouncer
from tests.worlds import World, memory_world, real_world


@pytest.fixture(scope="session")
def pooler(postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a pooler behind which every statement may meet another backend."""
    with pgbouncer(postgres_server.url(), tmp_path_factory.mktemp("pgbouncer")) as address:
        yield address


@pytest.fixture(params=["twins", "real", "pooled"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A whole Lockstep over each of them."""
    if request.param == "twins":
        yield memory_world()
        return
    pooler: str | None = request.getfixturevalue("pooler") if request.param == "pooled" else None
    direct_url: str = request.getfixturevalue("catalog_url")
    milvus: EmbeddedMilvus = request.getfixturevalue("milvus_server")
    if pooler is None:
        with real_world(direct_url, milvus.uri) as made:
            yield made
        return
    database = direct_url.partition("?")[0].rpartition("/")[2]
    pooled_url = f"postgresql://lockstep@{pooler}/{database}?sslmode=disable"
    client, direct = PostgresClient(pooled_url), PostgresClient(direct_url)  # partitions are made past the pooler
    with real_world(pooled_url, milvus.uri, registry=PostgresRegistry(client, direct)) as made:
        yield made
    client.close()
    direct.close()
