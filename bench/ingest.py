"""From a file that appears in the bucket to a live document: what it costs beside embedding, and how much memory."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench.data import Record, write_jsonl
from bench.laptop import MODEL, RunningLaptop, run_module
from bench.report import Figure, at_most

OVERHEAD = 0.25  # of embedding the same texts alone
MEMORY_MIB = 600.0
GROWTH = 1.25  # of memory, while all pairs are ingested
POLL_SECONDS = 1.0  # seldom: looking takes processor time from what is measured
FIRST_BOT, LAST_BOT = "few", "all"


@dataclass(frozen=True, slots=True)
class Ingested:
    """One file on its way."""

    seconds: float
    peak_mib: float
    passages: int


def ingest(laptop: RunningLaptop, bot: str, records: list[Record]) -> Ingested:
    """Put the records into the bucket as one file, and wait until all of them are proven in both stores."""
    folder, name = laptop.bucket_of(bot), "pairs.jsonl"
    peak, begin = 0.0, time.monotonic()
    write_jsonl(records, folder / name)
    while laptop.state_of(bot, name) != "live":
        peak = max(peak, laptop.worker_memory())
        time.sleep(POLL_SECONDS)
    return Ingested(time.monotonic() - begin, peak, len(texts_of(laptop, bot)))


def texts_of(laptop: RunningLaptop, bot: str) -> list[tuple[str, str]]:
    """Question and text of every passage of the bot."""
    rows = laptop.select(
        "select q.question, p.text from passages p join bots b on b.bot_id = p.bot_id"
        " join qa_pairs q on q.bot_id = p.bot_id and q.qa_id = p.qa_id and q.since_generation = p.since_generation"
        " where b.slug = :slug",
        slug=bot,
    )
    return [(str(row[0]), str(row[1])) for row in rows]


def measure_few(laptop: RunningLaptop, records: list[Record]) -> Iterator[Figure]:
    """Ingest some records, and embed their texts alone."""
    first = ingest(laptop, FIRST_BOT, records)
    yield Figure(f"{len(records):,} pairs, file to proven in both stores", f"{first.seconds:.1f} s")
    yield Figure("passages of these", f"{first.passages:,}")
    alone = embed_alone(laptop, FIRST_BOT)
    yield Figure("embedding the same texts alone", f"{alone:.1f} s")
    yield at_most("everything beside embedding, of embedding", first.seconds / alone - 1, OVERHEAD, "{:.0%}")
    yield at_most(f"memory of the worker, {len(records):,} pairs", first.peak_mib, MEMORY_MIB, "{:.0f} MiB")


def measure_all(laptop: RunningLaptop, records: list[Record]) -> Iterator[Figure]:
    """Ingest all records: memory must not grow with them."""
    before = laptop.worker_memory()
    last = ingest(laptop, LAST_BOT, records)
    yield Figure(f"{len(records):,} pairs, file to proven in both stores", f"{last.seconds / 60:.1f} min")
    yield at_most(f"memory of the worker, {len(records):,} pairs", last.peak_mib, MEMORY_MIB, "{:.0f} MiB")
    yield at_most("memory, at the end : before", last.peak_mib / before, GROWTH, "{:.2f}")


def embed_alone(laptop: RunningLaptop, bot: str) -> float:
    """Seconds that it takes to embed each text of the bot once, and to do nothing else."""
    pairs = texts_of(laptop, bot)
    texts = list(dict.fromkeys(text for pair in pairs for text in pair))
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(texts, file)
        file.flush()
        return float(run_module("embed_alone", file.name, str(MODEL))["seconds"])
