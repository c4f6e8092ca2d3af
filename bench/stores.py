"""A world on embedded stores of its own, with a cheap embedder: what is measured is everything but embedding."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.data import Record
from infra.local.milvus import EmbeddedMilvus
from infra.local.postgres import EmbeddedPostgres
from infra.migrate import migrate
from shared.postgres import PostgresClient
from shared.testing import HashingEmbedder
from tests.worlds import World, real_world


@contextmanager
def world_of(embedder: HashingEmbedder) -> Iterator[World]:
    """Start both stores in a new folder, and stop and remove them at the end."""
    with tempfile.TemporaryDirectory() as folder:
        postgres = EmbeddedPostgres(Path(folder) / "postgres" / "data")
        milvus = EmbeddedMilvus(Path(folder) / "milvus" / "data")
        milvus.start()
        postgres.start()
        try:
            url = postgres.ensure_database("lockstep")
            client = PostgresClient(url)
            migrate(client)
            client.close()
            milvus.wait()
            with real_world(url, milvus.uri, embedder=embedder) as world:
                yield world
        finally:
            milvus.stop()
            postgres.stop()


def jsonl(records: Sequence[Record]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)
