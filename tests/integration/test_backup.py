"""A snapshot of both stores, and its restore into an empty deployment."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from uuid import uuid4

import pytest

from functions.backup.drill import Drill
from functions.backup.restore import Restore
from functions.backup.restored_tables import RestoredTables
from functions.backup.retention import Retention
from functions.backup.snapshot import Snapshot
from functions.backup.tables import CatalogTables
from infra.local.milvus import EmbeddedMilvus
from infra.local.postgres import EmbeddedPostgres
from shared.domain import QueryLog
from shared.errors import ConflictError, LeasedError, LockstepError, NotFoundError
from shared.folder import FolderObjectStore
from shared.postgres import PostgresClient
from shared.snapshots import Manifest, read_manifest, snapshots
from shared.testing import HashingEmbedder
from tests.conftest import TEMPLATE
from tests.worlds import World, real_world

_numbers = count(1)
RECORDS = "\n".join(
    json.dumps(
        {
            "id": str(n),
            "question": f"What is number {n}?",
            "answer": f'It is "{n}",\nand nothing — 한국어 ğ — else.',
            "tags": ["a", f"t{n % 3}"],
            "date": "2024-05-06",
            "nested": {"n": n, "f": 1.5},
            "related": [str(n + 1)] if n < 29 else [],
        },
        ensure_ascii=False,
    )
    for n in range(30)
)


@dataclass
class Deployment:
    """A world with its stores and what backs it up."""

    world: World
    client: PostgresClient
    backups: FolderObjectStore

    def snapshot(self) -> Manifest:
        manifest = self.snapshotting().take()
        assert manifest is not None
        return manifest

    def snapshotting(
        self, *, retention: Retention | None = None, time_left: Callable[[], float] = lambda: 3600.0
    ) -> Snapshot:
        return Snapshot(
            registry=self.world.registry,
            tables=CatalogTables(self.client),
            index=self.world.index,
            bucket=self.world.objects,
            backups=self.backups,
            copies_objects=True,
            report=lambda message: None,
            retention=retention or Retention(),
            time_left=time_left,
        )

    def restore(self, manifest: Manifest, only: list[str] | None = None, new_slug: str | None = None) -> list[str]:
        return [bot.slug for bot in self.restoring().run(manifest, only, new_slug)]

    def restoring(self, time_left: Callable[[], float] = lambda: 3600.0) -> Restore:
        return Restore(
            registry=self.world.registry,
            catalog=self.world.delivery,
            tables=RestoredTables(self.client),
            index=self.world.index,
            embedder=self.world.embedder,
            bucket=self.world.objects,
            backups=self.backups,
            collection=self.world.collection,
            time_left=time_left,
            report=lambda message: None,
        )

    def drill(self) -> Drill:
        return Drill(self.restoring(), self.world.registry.deployment_id(), lambda message: None)

    def count(self, sql: str) -> int:
        """What the catalog holds, past the product."""
        return int(self.client.transact(lambda tx: tx._connection.run(f"select count(*) from {sql}"))[0][0])


class Deployments:
    """Makes deployments over one Postgres and one Milvus."""

    def __init__(self, postgres: EmbeddedPostgres, milvus: EmbeddedMilvus, folder: Path) -> None:
        self._postgres, self._milvus, self._folder = postgres, milvus, folder
        self._open = ExitStack()

    def new(self, **changes: object) -> Deployment:
        name = f"backup_{next(_numbers)}"
        admin = PostgresClient(self._postgres.url())
        admin.run_alone(f"create database {name} template {TEMPLATE}")
        admin.close()
        client = PostgresClient(self._postgres.url(name))
        client.transact(lambda tx: tx.script("update deployments set deployment_id = gen_random_uuid()"))
        self._open.callback(client.close)
        made = real_world(self._postgres.url(name), self._milvus.uri, **changes)
        world = self._open.enter_context(made)
        return Deployment(world, client, FolderObjectStore(self._folder))

    def empty(self, **changes: object) -> Deployment:
        """A new one without the bot that every world begins with."""
        deployment = self.new(**changes)
        deployment.client.transact(lambda tx: tx.script("delete from bots"))
        return deployment

    def close(self) -> None:
        self._open.close()


@pytest.fixture
def deployments(
    postgres_server: EmbeddedPostgres, milvus_server: EmbeddedMilvus, tmp_path: Path
) -> Iterator[Deployments]:
    made = Deployments(postgres_server, milvus_server, tmp_path / "backups")
    yield made
    made.close()


@pytest.fixture
def source(deployments: Deployments) -> Deployment:
    deployment = deployments.new()
    world = deployment.world
    world.put("records.jsonl", RECORDS)
    world.put("guide.md", "# Guide\n\nHow to find the way.\n")
    world.put("old.txt", "Something that goes.")
    world.remove("old.txt")
    world.reading.log(world.bot, QueryLog(uuid4(), "q", 'an "answer"\nwith lines', False, 5))
    return deployment


def test_everything_comes_back_without_embedding_anything(deployments: Deployments, source: Deployment) -> None:
    manifest = source.snapshot()
    target = deployments.empty()
    assert isinstance(target.world.embedder, HashingEmbedder)
    assert target.restore(manifest) == ["library"]
    assert target.world.embedder.embedded == []
    before = source.world.search("What is number 17?", top_k=10).hits
    after = target.world.search("What is number 17?", top_k=10).hits
    assert len(after) == len(before)
    assert after[0].evidence.pair.qa_id == before[0].evidence.pair.qa_id
    assert after[0].evidence.pair.metadata == before[0].evidence.pair.metadata
    assert after[0].evidence.source == before[0].evidence.source
    assert after[0].evidence.passage_id != before[0].evidence.passage_id
    counts = target.client.transact(
        lambda tx: tx._connection.run("select (select count(*) from relations), (select count(*) from query_logs)")
    )
    assert counts == [[29, 1]]


def test_restored_objects_are_recognised_and_then_live_like_any_other(
    deployments: Deployments, source: Deployment
) -> None:
    target = deployments.empty()
    target.restore(source.snapshot())
    world = target.world
    world.bot = world.registry.bot("library")
    assert isinstance(world.embedder, HashingEmbedder)
    assert sorted(version.key for version in world.objects.list("")) == ["library/guide.md", "library/records.jsonl"]
    world.ingest("records.jsonl")
    assert world.embedder.embedded == []
    world.put("records.jsonl", RECORDS.replace("What is number 3?", "What is the number three?"))
    assert len(world.embedder.embedded) == 2
    world.remove("guide.md")
    assert "How to find the way." not in world.answers("How to find the way")


def test_a_deployment_whose_bucket_is_empty_keeps_what_was_restored(
    deployments: Deployments, source: Deployment
) -> None:
    manifest = source.snapshot()
    target = deployments.empty()
    target.restore(manifest)
    world = target.world
    world.bot = world.registry.bot("library")
    for version in list(world.objects.list("library/")):
        world.objects.delete(version.key)
    identity = json.dumps({"deployment_id": str(world.registry.deployment_id())})
    world.objects.put(".lockstep/deployment.json", identity.encode())
    world.sync()
    assert world.hints.keys == []
    assert world.answers("How to find the way")


def test_a_snapshot_shows_one_moment(deployments: Deployments, source: Deployment) -> None:
    manifest = source.snapshot()
    source.world.put("guide.md", "# Guide\n\nEverything is different now.\n")
    target = deployments.empty()
    target.restore(manifest)
    target.world.bot = target.world.registry.bot("library")
    assert target.world.answers("How to find the way")[0] == "How to find the way."


def test_vectors_that_the_index_lost_are_embedded_anew(deployments: Deployments, source: Deployment) -> None:
    world = source.world
    (lost, *_) = world.search("What is number 17?").hits
    world.index.delete(world.bot.collection, world.bot.bot_id, [lost.evidence.passage_id])
    manifest = source.snapshot()
    assert manifest.bots[0].vectors == manifest.bots[0].rows("passages") - 1
    target = deployments.empty()
    target.restore(manifest)
    assert isinstance(target.world.embedder, HashingEmbedder)
    assert target.world.embedder.embedded == [lost.evidence.pair.question, lost.evidence.text]


def test_another_embedder_embeds_everything_anew(deployments: Deployments, source: Deployment) -> None:
    target = deployments.empty(embedder=HashingEmbedder(dimension=32, revision="2"))
    target.restore(source.snapshot())
    target.world.bot = target.world.registry.bot("library")
    assert target.world.search("What is number 17?").hits[0].evidence.pair.external_id == "17"


def test_a_bot_that_is_there_is_not_overwritten(source: Deployment) -> None:
    manifest = source.snapshot()
    with pytest.raises(ConflictError, match="library is here already"):
        source.restore(manifest)
    with pytest.raises(NotFoundError):
        source.restore(manifest, ["nobody"])


def test_without_a_manifest_there_is_no_snapshot(source: Deployment) -> None:
    with pytest.raises(NotFoundError):
        read_manifest(source.backups)
    manifest = source.snapshot()
    assert snapshots(source.backups) == [manifest.snapshot_id]
    assert read_manifest(source.backups) == manifest
    source.backups.delete(manifest.key)
    with pytest.raises(NotFoundError):
        read_manifest(source.backups, manifest.snapshot_id)


@pytest.mark.parametrize("kind", ["passages", "vectors", "object"])
def test_a_damaged_part_is_noticed(deployments: Deployments, source: Deployment, kind: str) -> None:
    manifest = source.snapshot()
    part = next(part for part in manifest.bots[0].parts if part.kind == kind)
    version = source.backups.head(part.key)
    assert version is not None
    with source.backups.open(version) as file:
        content = bytearray(file.read())
    content[len(content) // 2] ^= 1
    source.backups.put(part.key, bytes(content))
    with pytest.raises(LockstepError, match="damaged"):
        deployments.empty().restore(manifest)


def test_a_failed_restore_of_the_catalog_leaves_no_bot(deployments: Deployments, source: Deployment) -> None:
    manifest = source.snapshot()
    part = next(part for part in manifest.bots[0].parts if part.kind == "receipts")
    source.backups.delete(part.key)
    target = deployments.empty()
    with pytest.raises(NotFoundError):
        target.restore(manifest)
    assert target.world.registry.bots() == []


def test_one_snapshot_is_taken_at_a_time(source: Deployment) -> None:
    source.world.registry.claim_lease("backup", uuid4(), 60)
    with pytest.raises(LeasedError):
        source.snapshot()
