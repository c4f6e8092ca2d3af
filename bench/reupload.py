"""What is embedded when a file of a thousand pairs comes again with one of them changed."""

from __future__ import annotations

from collections.abc import Iterator

from bench.data import Record
from bench.report import Figure
from bench.stores import jsonl, world_of
from shared.testing import HashingEmbedder

PAIRS = 1_000
CHANGED = "This sentence was not there before."


def measure(records: list[Record]) -> Iterator[Figure]:
    """Put the file, change the shortest answer in it, and put it again."""
    pairs = [dict(record) for record in records[:PAIRS]]
    embedder = HashingEmbedder(window=256)
    with world_of(embedder) as world:
        world.put("pairs.jsonl", jsonl(pairs))
        yield Figure(f"texts embedded for {len(pairs):,} pairs", f"{len(embedder.embedded):,}")
        embedder.embedded.clear()
        world.put("pairs.jsonl", jsonl(pairs))
        yield Figure("texts embedded when they come again", str(len(embedder.embedded)), "none", not embedder.embedded)
        shortest = min(pairs, key=lambda record: len(record["answer"]))
        shortest["answer"] = CHANGED
        world.put("pairs.jsonl", jsonl(pairs))
        # One pair that is one passage: its question and its answer.
        yield Figure(
            "texts embedded when one pair has changed", str(len(embedder.embedded)), "2", len(embedder.embedded) == 2
        )
        assert CHANGED in world.answers(shortest["question"] + " " + CHANGED)
