"""`make bench`, or `python -m bench`: what was promised of speed and memory, measured on this machine."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench import audit, backup, cold_start, ingest, lexical, reupload, search, search_during_upload
from bench.data import ALL_PAIRS, Record, find_medquad, read_pairs
from bench.laptop import running_laptop
from bench.report import Figure

FEW = 2_000


def main() -> int:
    """Measure, print each figure as it comes; returns 1 if a promise was missed."""
    options = _parser().parse_args()
    file = options.data or find_medquad()
    records = read_pairs(file, options.pairs)
    print(f"{len(records):,} pairs of {file.name if file else 'made-up text (no MedQuAD here)'}; {_machine()}\n")
    begin, missed = time.monotonic(), 0
    for title, figures in _measurements(records):
        print(title, flush=True)
        for figure in figures:
            print(figure, flush=True)
            missed += figure.holds is False
        print()
    print(f"{(time.monotonic() - begin) / 60:.0f} minutes, {missed} promises missed.")
    return 1 if missed else 0


def _measurements(records: list[Record]) -> Iterator[tuple[str, Iterator[Figure]]]:
    yield "An unchanged file, and one changed pair", reupload.measure(records)
    yield "A whole audit", audit.measure(records)
    yield "Search by words, all of them common", lexical.measure()
    with running_laptop() as laptop:
        laptop.wait_for_sample()
        yield "Cold start of the packaged query function", cold_start.measure(laptop)
        few = min(FEW, len(records))
        yield "Ingest on the laptop default", ingest.measure(laptop, records, few)
        yield "Search on the laptop default", search.measure(laptop, ingest.LAST_BOT, records)
        yield "Search during a full upload", search_during_upload.measure(laptop, ingest.LAST_BOT, records)
        yield "Snapshots on the laptop default", backup.measure(laptop, ingest.LAST_BOT)


def _machine() -> str:
    return f"{len(os.sched_getaffinity(0))} cores, {platform.machine()}, Python {platform.python_version()}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--pairs", type=int, default=ALL_PAIRS, metavar="N",
        help="how many pairs are ingested at last; embedding all of MedQuAD takes most of an hour on two cores",
    )  # fmt: skip
    parser.add_argument("--data", type=Path, metavar="FILE", help="other pairs: JSONL with question and answer")
    return parser


if __name__ == "__main__":
    sys.exit(main())
