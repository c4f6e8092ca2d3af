"""Whole deployments over one Postgres and one Milvus, to copy one into another."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from uuid import uuid4

from functions.backup.drill import Drill
from functions.backup.restore import Restore
from functions.backup.restored_tables import RestoredTables
from functions.backup.retention import Retention
from functions.backup.snapshot import Snapshot
from functions.backup.tables import CatalogTables
from infra.local.milvus import EmbeddedMilvus
from infra.local.postgres import EmbeddedPostgres
from shared.domain import QueryLog
from shared.folder import FolderObjectStore
from shared.postgres import PostgresClient
from shared.snapshots import Manifest
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
            operations=self.world.operations,
            tables=CatalogTables(self.client),
            index=self.world.index,
            bucket=self.world.objects,
            backups=self.backups,
            copies_objects=True,
            report=lambda message: None,
            retention=retention or Retention(),
            time_left=time_left,
        )

    def restore(
        self,
        manifest: Manifest,
        only: list[str] | None = None,
        new_slug: str | None = None,
        *,
        brings_back_deleted_bots: bool = False,
    ) -> list[str]:
        restoring = self.restoring(brings_back_deleted_bots=brings_back_deleted_bots)
        return [bot.slug for bot in restoring.run(manifest, only, new_slug)]

    def restoring(
        self, time_left: Callable[[], float] = lambda: 3600.0, *, brings_back_deleted_bots: bool = False
    ) -> Restore:
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
            ledger=self.world.ledger(),
            brings_back_deleted_bots=brings_back_deleted_bots,
        )

    def drill(self) -> Drill:
        return Drill(self.restoring(), self.world.operations, self.world.registry.deployment_id(), lambda message: None)

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


def fill(deployment: Deployment) -> Deployment:
    """Documents, a deleted one, and a log."""
    world = deployment.world
    world.put("records.jsonl", RECORDS)
    world.put("guide.md", "# Guide\n\nHow to find the way.\n")
    world.put("old.txt", "Something that goes.")
    world.remove("old.txt")
    world.reading.log(world.bot, QueryLog(uuid4(), "q", 'an "answer"\nwith lines', False, 5), [])
    return deployment
