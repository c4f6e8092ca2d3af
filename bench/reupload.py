"""What is embedded when a file of a thousand pairs comes again with one of them changed."""

from __future__ import annotations

from collections.abc import Iterator

from bench.data import Record
from bench.report import Figure, at_most
from bench.stores import Stores, jsonl

PAIRS = 1_000
NAME = "thousand.jsonl"
CHANGED = "This sentence was not there before."


def measure(stores: Stores, records: list[Record]) -> Iterator[Figure]:
    """Put the file, change the shortest answer in it, put it again, and remove it."""
    pairs = [dict(record) for record in records[:PAIRS]]
    world, embedded = stores.world, stores.embedded
    world.put(NAME, jsonl(pairs))
    yield Figure(f"texts embedded for {len(pairs):,} pairs", f"{len(embedded):,}")
    embedded.clear()
    world.put(NAME, jsonl(pairs))
    yield Figure("texts embedded when they come again", str(len(embedded)), "none", not embedded)
    shortest = min(pairs, key=lambda record: len(record["answer"]))
    shortest["answer"] = CHANGED
    world.put(NAME, jsonl(pairs))
    # One pair that is one passage: its answer, and its question if nothing else has it.
    yield at_most("texts embedded when one pair has changed", len(embedded), 2, "{:.0f}")
    assert CHANGED in world.answers(shortest["question"] + " " + CHANGED)
    world.remove(NAME)
