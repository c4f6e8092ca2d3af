"""What is embedded when a file of a thousand pairs comes again with one of them changed."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.data import Record
from bench.report import Figure
from infra.local.milvus import EmbeddedMilvus
from infra.local.postgres import EmbeddedPostgres
from infra.migrate import migrate
from shared.postgres import PostgresClient
from shared.testing import HashingEmbedder
from tests.worlds import World, real_world

PAIRS = 1_000
CHANGED = "This sentence was not there before."


def measure(records: list[Record]) -> Iterator[Figure]:
    """Put the file, change the shortest answer in it, and put it again."""
    pairs = [dict(record) for record in records[:PAIRS]]
    embedder = HashingEmbedder(window=256)
    with tempfile.TemporaryDirectory() as folder, _stores(Path(folder), embedder) as world:
        world.put("pairs.jsonl", _jsonl(pairs))
        yield Figure(f"texts embedded for {len(pairs):,} pairs", f"{len(embedder.embedded):,}")
        embedder.embedded.clear()
        world.put("pairs.jsonl", _jsonl(pairs))
        yield Figure("texts embedded when they come again", str(len(embedder.embedded)), "none", not embedder.embedded)
        shortest = min(pairs, key=lambda record: len(record["answer"]))
        shortest["answer"] = CHANGED
        world.put("pairs.jsonl", _jsonl(pairs))
        # One pair that is one passage: its question and its answer.
        yield Figure(
            "texts embedded when one pair has changed", str(len(embedder.embedded)), "2", len(embedder.embedded) == 2
        )
        assert CHANGED in world.answers(shortest["question"] + " " + CHANGED)


def _jsonl(records: Sequence[Record]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


@contextmanager
def _stores(folder: Path, embedder: HashingEmbedder) -> Iterator[World]:
    postgres, milvus = EmbeddedPostgres(folder / "postgres" / "data"), EmbeddedMilvus(folder / "milvus" / "data")
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
