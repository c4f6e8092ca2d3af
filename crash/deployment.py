"""A deployment of the matrix's own: embedded stores, two folders, and the cheap embedder."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

from crash.faults import Fate, FaultyPostgres, RefusingEmbedder, faulty
from functions.backup import snapshot
from functions.ingest import staging
from functions.sync.bucket_scan import claim_bucket
from infra.local.milvus import EmbeddedMilvus
from infra.local.postgres import EmbeddedPostgres
from infra.migrate import migrate
from shared import delivery, folder, linking, wiring
from shared.catalog.registry import PostgresRegistry
from shared.folder import FolderObjectStore
from shared.milvus import MilvusIndex
from shared.ports import Embedder, Hints
from shared.postgres import PostgresClient
from shared.settings import Settings, load_settings
from shared.testing import HashingEmbedder

PART_PAIRS = 3  # of a document's six, so that it takes two transactions
BATCH = 2  # … and three deliveries
OBJECTS_AT_ONCE = 1  # of a snapshot, between two notes of how far it is
LINKED_AT_ONCE = 4  # of those six pairs
NEXT = HashingEmbedder(revision="2")


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where everything is."""

    postgres_url: str
    milvus_uri: str
    root: str

    @property
    def bucket(self) -> Path:
        return Path(self.root) / "bucket"

    @property
    def backups(self) -> Path:
        return Path(self.root) / "backups"

    def as_values(self) -> dict[str, str]:
        return asdict(self)

    def settings(self) -> Settings:
        return load_settings(
            {
                "LOCKSTEP_POSTGRES_URL": self.postgres_url,
                "LOCKSTEP_MILVUS_URI": self.milvus_uri,
                "LOCKSTEP_INDEX_PROFILE": "small",
                "LOCKSTEP_BUCKET_URL": self.bucket.as_uri(),
                "LOCKSTEP_BACKUP_URL": self.backups.as_uri(),
                "LOCKSTEP_BACKUP_MINIMUM": "1",
                "LOCKSTEP_NEXT_MODEL_PATH": self.root,  # no model is read from there: both embedders are given
            }
        )

    def enter(self, fate: Fate, hints: Hints, *, is_poisoned: bool = False) -> None:
        """Make this process one of the deployment's, with the fate that is meant for it."""
        settings = self.settings()
        shrink()
        wiring.install_settings(settings)
        wiring.install_hints(hints)
        wiring.postgres.use(FaultyPostgres(self.postgres_url, fate))
        wiring.direct_postgres.use(FaultyPostgres(self.postgres_url, fate))
        wiring.index.use(faulty(MilvusIndex(self.milvus_uri), "index", fate))
        wiring.bucket.use(faulty(wiring.open_store(settings.bucket_url), "bucket", fate))
        wiring.backups.use(faulty(wiring.open_store(str(settings.backup_url)), "bucket", fate))
        embedder = HashingEmbedder()
        wiring.embedder.use(cast(Embedder, RefusingEmbedder(embedder)) if is_poisoned else embedder)
        wiring.next_embedder.use(NEXT)


def shrink() -> None:
    """Make batches so small that a document of a few pairs takes several."""
    staging.PART_PAIRS = PART_PAIRS
    delivery.BATCH = BATCH
    linking.PAIRS_AT_ONCE = LINKED_AT_ONCE
    snapshot.OBJECTS_AT_ONCE = OBJECTS_AT_ONCE
    folder.SETTLE_SECONDS = 0.0  # here, nobody writes a file bit by bit


@contextmanager
def running_deployment(say: Callable[[str], None]) -> Iterator[Deployment]:
    """Start the stores, and stop and remove them at the end."""
    with tempfile.TemporaryDirectory(prefix="lockstep-crash-") as name:
        root = Path(name)
        postgres, milvus = EmbeddedPostgres(root / "postgres", durable=False), EmbeddedMilvus(root / "milvus")
        try:
            say("Starting Postgres and Milvus Lite …")
            milvus.start()
            postgres.start()
            url = postgres.ensure_database("crash")
            client = PostgresClient(url)
            migrate(client)
            deployment = Deployment(url, milvus.uri, name)
            deployment.bucket.mkdir()
            deployment.backups.mkdir()
            claim_bucket(FolderObjectStore(deployment.bucket), PostgresRegistry(client, client).deployment_id())
            client.close()
            milvus.wait()
            yield deployment
        finally:
            milvus.stop()
            postgres.stop()
