"""A database that was set back in time: it never shows what was deleted since, and knows it again soon."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from functions.query.app import create_app
from functions.query.gate import DELETES_AT_ONCE
from functions.sync.bucket_scan import claim_bucket
from infra.local.milvus import EmbeddedMilvus
from infra.local.postgres import EmbeddedPostgres
from shared.aws import S3ObjectStore
from shared.catalog.deletion import PostgresDeletions
from shared.folder import FolderObjectStore
from shared.ports import ObjectStore
from shared.postgres import PostgresClient
from tests.api import services_of
from tests.s3_server import ACCESS_KEY, SECRET_KEY, s3_server
from tests.worlds import World, real_world

_numbers = count(1)
QUESTION = {"question": "Where is the treasure?"}
SECRET = "The treasure is under the oak."


class SetBack:
    """A world whose database can be kept aside, and put in place of itself later."""

    def __init__(self, world: World, server: EmbeddedPostgres) -> None:
        assert isinstance(world.deletions, PostgresDeletions)
        self.world = world
        self.api = TestClient(create_app(services_of(world)), raise_server_exceptions=False)
        self._client = world.deletions._client
        self._server = server
        self._kept = ""

    def keep(self) -> None:
        """What a backup of the database would hold."""
        self._client.close()
        self._kept = f"kept_{next(_numbers)}"
        admin = PostgresClient(self._server.url())
        admin.run_alone(f"create database {self._kept} template {self._client._options['database']}")
        admin.close()

    def go_back(self) -> None:
        """The same processes find the older database behind the same address."""
        self._client.close()
        self._client._options["database"] = self._kept

    def hits(self) -> list[str]:
        response = self.api.post("/bots/library/search", json=QUESTION)
        assert response.status_code == 200, response.text
        return [hit["passage"] for hit in response.json()["hits"]]


@pytest.fixture(params=["folder", "s3"])
def objects(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    if request.param == "folder":
        yield FolderObjectStore(tmp_path / "bucket")
        return
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    (tmp_path / "buckets" / "documents").mkdir(parents=True)
    with s3_server(tmp_path / "buckets") as url:
        yield S3ObjectStore("documents", endpoint_url=url, region="us-east-1")


@pytest.fixture
def set_back(
    catalog_url: str, postgres_server: EmbeddedPostgres, milvus_server: EmbeddedMilvus, objects: ObjectStore
) -> Iterator[SetBack]:
    with real_world(catalog_url, milvus_server.uri, objects=objects) as world:
        claim_bucket(world.objects, world.registry.deployment_id())
        world.put("secret.txt", SECRET)
        world.put("open.txt", "The treasure chamber is shown on Sundays.")
        yield SetBack(world, postgres_server)


def test_what_was_deleted_since_never_answers(set_back: SetBack) -> None:
    assert SECRET in set_back.hits()
    set_back.keep()
    set_back.world.remove("secret.txt")
    assert SECRET not in set_back.hits()
    set_back.go_back()
    assert SECRET in set_back.world.answers(QUESTION["question"])  # the older catalog alone knows no better
    assert set_back.hits() == ["The treasure chamber is shown on Sundays."]
    assert set_back.world.sync()
    world = set_back.world
    assert world.index.count(world.bot.collection, world.bot.bot_id) == 1
    (receipt,) = set_back.api.get("/receipts", params={"bot": "library"}).json()["receipts"]
    assert (receipt["kind"], receipt["object_path"]) == ("document", "secret.txt")


def test_while_many_deletes_are_missing_the_bot_answers_503_and_others_do_not(set_back: SetBack) -> None:
    world = set_back.world
    other = world.register("other")
    set_back.keep()
    for _ in range(3 * DELETES_AT_ONCE):
        world.ledger().catalog.apply(world.bot, world.ledger().append(world.bot, "document", document_id=uuid4()))
    world.remove("secret.txt")
    set_back.go_back()
    reads: list[Callable[[], object]] = [
        lambda: set_back.api.post("/bots/library/search", json=QUESTION),
        lambda: set_back.api.post("/bots/library/ask", json=QUESTION),
        lambda: set_back.api.get("/bots/library/documents"),
    ]
    for read in reads:
        response = read()
        assert response.status_code == 503, response.text  # type: ignore[attr-defined]
        assert response.headers["retry-after"] == "2"  # type: ignore[attr-defined]
        assert response.json()["title"] == "Deletes are being made again"  # type: ignore[attr-defined]
    assert set_back.api.post(f"/bots/{other.slug}/search", json=QUESTION).status_code == 200
    assert world.sync()
    assert set_back.hits() == ["The treasure chamber is shown on Sundays."]


def test_a_bot_that_was_deleted_since_does_not_come_back(set_back: SetBack) -> None:
    world = set_back.world
    set_back.keep()
    assert set_back.api.delete("/bots/library").status_code == 202
    world.sync()
    set_back.go_back()
    assert [bot.slug for bot in world.registry.bots()] == ["library"]
    for _ in range(2):
        assert set_back.api.post("/bots/library/search", json=QUESTION).status_code == 404
    world.sync()
    assert world.registry.bots() == []
    assert world.registry.deleting_bots() == []
    (receipt,) = set_back.api.get("/receipts", params={"bot": "library"}).json()["receipts"]
    assert (receipt["kind"], receipt["bot"]) == ("bot", "library")
    assert set_back.api.get(f"/receipts/{receipt['receipt_id']}").json() == receipt


def test_an_object_that_was_put_again_since_comes_back_as_a_new_document(set_back: SetBack) -> None:
    world = set_back.world
    set_back.keep()
    world.remove("secret.txt")
    world.put("secret.txt", "The treasure was sold.")
    set_back.go_back()
    assert SECRET not in set_back.hits()
    world.sync()
    assert world.key("secret.txt") in world.hints.keys
    world.ingest("secret.txt")
    assert sorted(set_back.hits()) == ["The treasure chamber is shown on Sundays.", "The treasure was sold."]
    assert SECRET not in set_back.hits()
