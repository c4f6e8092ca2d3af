"""How soon what was written can be found, over HTTP: written, committed, delivered, proven, live."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from bench.laptop import RunningLaptop
from bench.report import Figure, at_most

BOT = "fresh"
TIMES = 20
SECONDS = 5.0
POLL_SECONDS = 0.02


def measure(laptop: RunningLaptop) -> Iterator[Figure]:
    """Write one pair after the other, without waiting for it, and search for each until it is the first hit."""
    laptop.bucket_of(BOT)
    seconds = [_seconds_until_found(laptop, number) for number in range(TIMES)]
    yield Figure("a pair written to its first hit, median", f"{statistics.median(seconds):.2f} s")
    yield at_most(f"the slowest of {TIMES}", max(seconds), SECONDS, "{:.2f} s")


def _seconds_until_found(laptop: RunningLaptop, number: int) -> float:
    external_id = f"fresh-{number}"
    pair = {"id": external_id, "question": f"What lies in drawer {number}?", "answer": f"Key number {number}."}
    begin = time.monotonic()
    laptop.api.post(f"/bots/{BOT}/pairs", json=pair, params={"wait": False}).raise_for_status()
    while True:
        answer = laptop.api.post(f"/bots/{BOT}/search", json={"question": pair["question"], "top_k": 1})
        hits = answer.raise_for_status().json()["hits"]
        if hits and hits[0]["external_id"] == external_id:
            return time.monotonic() - begin
        time.sleep(POLL_SECONDS)
