"""How much longer a search takes while a whole file is being uploaded, staged, embedded and delivered beside it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence

from bench.data import Record, write_jsonl
from bench.laptop import RunningLaptop
from bench.report import Figure, at_most, percentile
from bench.search import WARM_UP, Client, questions_of

UPLOADING_BOT = "busy"
NAME = "pairs.jsonl"
TIMES = 3.0  # of the idle p95
PAUSE_SECONDS = 0.1  # somebody reads what was found
LONGEST_SECONDS = 300.0  # embedding goes on as it began: the rest of it would show nothing new


def measure(laptop: RunningLaptop, bot: str, records: Sequence[Record]) -> Iterator[Figure]:
    """Search `bot` while nothing else happens, then while all records are uploaded to another bot."""
    questions = itertools.cycle(questions_of(records))
    client = Client(laptop)

    def ask() -> float:
        time.sleep(PAUSE_SECONDS)
        return client.search(bot, next(questions)).total

    for _ in range(WARM_UP):
        ask()
    idle = [ask() for _ in questions_of(records)]
    folder = laptop.bucket_of(UPLOADING_BOT)
    write_jsonl(list(records), folder / NAME)
    busy: list[float] = []
    begin = time.monotonic()
    while laptop.state_of(UPLOADING_BOT, NAME) != "live" and time.monotonic() - begin < LONGEST_SECONDS:
        busy += [ask() for _ in range(10)]
    client.close()
    laptop.api.delete(f"/bots/{UPLOADING_BOT}").raise_for_status()
    for name, values in (("idle", idle), ("during the upload", busy)):
        middle, slow = percentile(values, 0.5), percentile(values, 0.95)
        yield Figure(f"/search {name}, {len(values)} times: p50, p95", f"{middle:.1f}, {slow:.1f} ms")
    ratio = percentile(busy, 0.95) / percentile(idle, 0.95)
    yield at_most(f"p95 during an upload of {len(records):,} pairs : idle", ratio, TIMES, "{:.1f}")
