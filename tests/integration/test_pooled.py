"""The life of an upload once more, through a transaction-mode pooler: every statement may meet another backend."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.local.milvus import EmbeddedMilvus
from shared.catalog.registry import PostgresRegistry
from shared.postgres import PostgresClient
from tests.contract.test_catalog_transitions import *  # noqa: F403
from tests.contract.test_life_of_an_upload import *  # noqa: F403
from tests.contract.test_reading import *  # noqa: F403
from tests.pgbouncer import pgbouncer
from tests.worlds import World, real_world


@pytest.fixture(scope="module")
def pooler(postgres_server: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pgbouncer(postgres_server.url(), tmp_path_factory.mktemp("pgbouncer")) as address:  # type: ignore[attr-defined]
        yield address


@pytest.fixture
def world(pooler: str, catalog_url: str, milvus_server: EmbeddedMilvus) -> Iterator[World]:
    """Over real stores, with the pooler in front of Postgres and a direct way for partitions."""
    database = catalog_url.partition("?")[0].rpartition("/")[2]
    client = PostgresClient(f"postgresql://lockstep@{pooler}/{database}?sslmode=disable")
    direct = PostgresClient(catalog_url)
    with real_world(
        f"postgresql://lockstep@{pooler}/{database}?sslmode=disable",
        milvus_server.uri,
        registry=PostgresRegistry(client, direct),
    ) as made:
        yield made
    client.close()
    direct.close()
