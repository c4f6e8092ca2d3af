"""A world on embedded stores of its own, with a cheap embedder: what is measured is everything but embedding."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.data import Record
from infra.local.milvus import EmbeddedMilvus
from infra.local.postgres import EmbeddedPostgres
from infra.migrate import migrate
from shared.folder import FolderObjectStore
from shared.postgres import PostgresClient
from shared.telemetry import logger
from shared.testing import HashingEmbedder
from tests.worlds import World, real_world

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DIMENSION = 384  # of the default model


class ArbitraryEmbedder(HashingEmbedder):
    """Gives each text a vector that looks like nothing else: as long as the default model's, and as hard to compress."""

    def __init__(self) -> None:
        super().__init__(dimension=DIMENSION, window=256)

    def _embed(self, text: str) -> NDArray[np.float32]:
        import numpy as np

        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
        vector = np.random.default_rng(seed).standard_normal(DIMENSION, dtype=np.float32)
        return (vector / np.linalg.norm(vector)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Stores:
    """A world, and the variables by which another process finds its stores."""

    world: World
    environment: dict[str, str]
    folder: Path

    @property
    def embedded(self) -> list[str]:
        """Every text that this process embedded."""
        assert isinstance(self.world.embedder, HashingEmbedder)
        return self.world.embedder.embedded


@contextmanager
def open_stores() -> Iterator[Stores]:
    """Start both stores in a new folder, and stop and remove them at the end."""
    logger().setLevel("CRITICAL")  # lost rows are meant to be
    with tempfile.TemporaryDirectory(prefix="lockstep-bench-") as name:
        folder = Path(name)
        postgres = EmbeddedPostgres(folder / "postgres" / "data")
        milvus = EmbeddedMilvus(folder / "milvus" / "data")
        milvus.start()
        postgres.start()
        try:
            url = postgres.ensure_database("lockstep")
            client = PostgresClient(url)
            migrate(client)
            client.close()
            milvus.wait()
            environment = {
                "LOCKSTEP_POSTGRES_URL": url,
                "LOCKSTEP_MILVUS_URI": milvus.uri,
                "LOCKSTEP_BUCKET_URL": (folder / "bucket").as_uri(),
            }
            objects = FolderObjectStore(folder / "bucket")
            with real_world(url, milvus.uri, embedder=ArbitraryEmbedder(), objects=objects) as world:
                yield Stores(world, environment, folder)
        finally:
            milvus.stop()
            postgres.stop()


def jsonl(records: Sequence[Record]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)
