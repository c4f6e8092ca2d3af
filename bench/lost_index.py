"""An index that is lost without a snapshot: everything is embedded and delivered again, as the catalog has it."""

from __future__ import annotations

import time
from collections.abc import Iterator

from pymilvus import MilvusClient

from bench.ingest import OVERHEAD, embed_alone
from bench.laptop import RunningLaptop
from bench.report import Figure, at_most

POLL_SECONDS = 1.0  # seldom: looking takes processor time from what is measured


def measure(laptop: RunningLaptop, bot: str) -> Iterator[Figure]:
    """Drop every collection under the running worker; `bot` is nearly all that they held.

    The machine may change its speed meanwhile: the baseline is the mean of one measured before and one after.
    """
    wanted, before = _proven(laptop), embed_alone(laptop, bot)
    client = MilvusClient(uri=laptop.state.read_running()["environment"]["LOCKSTEP_MILVUS_URI"])
    for name in client.list_collections():
        client.drop_collection(name)
    client.close()
    while _proven(laptop) == wanted:  # until the next sync has noticed
        time.sleep(POLL_SECONDS)
    begin = time.monotonic()
    while _proven(laptop) < wanted:
        time.sleep(POLL_SECONDS)
    seconds, after = time.monotonic() - begin, embed_alone(laptop, bot)
    alone = (before + after) / 2
    yield Figure(f"{wanted:,} passages, from noticed to proven again", f"{seconds:.1f} s")
    yield Figure("embedding the same texts alone, before and after", f"{before:.1f}, {after:.1f} s")
    yield at_most("everything beside embedding, of embedding", seconds / alone - 1, OVERHEAD, "{:.0%}")


def _proven(laptop: RunningLaptop) -> int:
    ((count,),) = laptop.select("select count(*) from markers where state = 'delivered' and wanted = 'present'")
    return int(count)
