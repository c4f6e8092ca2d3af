"""`make bench`, or `python -m bench`: what was promised of speed and memory, measured on this machine."""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench import (
    audit,
    backup,
    cold_start,
    ingest,
    lexical,
    lost_index,
    reupload,
    search,
    search_during_upload,
    visibility,
)
from bench.data import ALL_PAIRS, Record, find_medquad, read_pairs
from bench.laptop import running_laptop
from bench.report import Figure
from bench.stores import jsonl, open_stores

FEW = 2_000
Measurement = tuple[str, Iterator[Figure]]


def main() -> int:
    """Measure, print each figure as it comes; returns 1 if a promise was missed."""
    options = _parser().parse_args()
    file = options.data or find_medquad()
    records = read_pairs(file, ALL_PAIRS)
    print(f"{len(records):,} pairs of {file.name if file else 'made-up text (no MedQuAD here)'}; {_machine()}\n")
    begin, missed = time.monotonic(), 0
    for title, figures in itertools.chain(_of_stores(records), _of_laptop(records, options.pairs)):
        print(title, flush=True)
        for figure in figures:
            print(figure, flush=True)
            missed += figure.holds is False
        print()
    print(f"{(time.monotonic() - begin) / 60:.0f} minutes, {missed} promises missed.")
    return 1 if missed else 0


def _of_stores(records: list[Record]) -> Iterator[Measurement]:
    """What needs no embedder: all records, with arbitrary vectors."""
    with open_stores() as stores:
        yield "An unchanged file, and one changed pair", reupload.measure(stores, records)
        stores.world.put("pairs.jsonl", jsonl(records))
        yield "A whole audit", audit.measure(stores.world)
        yield "Snapshots", backup.measure(stores)
    yield "Search by words, all of them common", lexical.measure()


def _of_laptop(records: list[Record], count: int) -> Iterator[Measurement]:
    """What is measured on a running instance with the default embedder."""
    with running_laptop() as laptop:
        laptop.wait_for_sample()
        yield "Cold start of the packaged query function", cold_start.measure(laptop)
        yield "From a write to its answer", visibility.measure(laptop)
        yield "Ingest on the laptop default", ingest.measure_few(laptop, records[:FEW])
        yield "A lost index without a snapshot", lost_index.measure(laptop, ingest.FIRST_BOT)
        searched = ingest.FIRST_BOT
        if count > FEW:
            yield "Ingest of more", ingest.measure_all(laptop, records[:count])
            searched = ingest.LAST_BOT
        yield "Search on the laptop default", search.measure(laptop, searched, records[:count])
        yield "Search during a full upload", search_during_upload.measure(laptop, searched, records)


def _machine() -> str:
    return f"{len(os.sched_getaffinity(0))} cores, {platform.machine()}, Python {platform.python_version()}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--pairs", type=int, default=ALL_PAIRS, metavar="N",
        help=f"how many pairs are ingested with the default embedder, at least {FEW:,}; embedding all of MedQuAD takes most of "
        "an hour on two cores",
    )  # fmt: skip
    parser.add_argument("--data", type=Path, metavar="FILE", help="other pairs: JSONL with question and answer")
    return parser


if __name__ == "__main__":
    sys.exit(main())
