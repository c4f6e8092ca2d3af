"""A snapshot of what was ingested, another one, its restore beside the bot, and an index that is lost and written again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.laptop import RunningLaptop, run_module
from bench.report import Figure, at_least, at_most

SECOND_IS_FASTER = 10.0
MEMORY_MIB = 600.0
RESTORED_AS = "restored"
POLL_SECONDS = 0.25


def measure(laptop: RunningLaptop, bot: str) -> Iterator[Figure]:
    """Snapshot twice, restore `bot` under another slug, lose the index."""
    with TemporaryDirectory(prefix="lockstep-snapshots-") as folder:
        first = _run(laptop, "snapshot", folder)
        yield Figure("first snapshot", f"{first['seconds']:.1f} s")
        yield Figure("files of it", f"{first['bytes'] / 1e6:,.1f} MB")
        yield at_most("memory while it is taken", first["peak_mib"], MEMORY_MIB, "{:.0f} MiB")
        second = _run(laptop, "snapshot", folder)
        yield Figure("second snapshot, nothing has changed", f"{second['seconds']:.2f} s")
        yield at_least("first : second", first["seconds"] / second["seconds"], SECOND_IS_FASTER, "{:.0f} times")
        restored = _run(laptop, "restore", folder, bot)
        yield Figure(f"restore, {restored['passages']:,} passages", f"{restored['seconds']:.1f} s")
        yield Figure("texts embedded for it", str(restored["embedded"]), "none", restored["embedded"] == 0)
        yield at_most("memory while it is restored", restored["peak_mib"], MEMORY_MIB, "{:.0f} MiB")
        _run(laptop, "snapshot", str(laptop.state.backups))  # where the worker looks for the vectors of a lost index
        yield Figure("a lost index, written again from the snapshot", f"{_lose_index(laptop):.1f} s")


def _lose_index(laptop: RunningLaptop) -> float:
    """Drop every collection; seconds until the worker has proven all that it held."""
    wanted = _proven(laptop)
    begin = time.monotonic()
    _run(laptop, "lose", "")
    while _proven(laptop) == wanted:  # until the worker has noticed
        time.sleep(POLL_SECONDS)
    while _proven(laptop) < wanted:
        time.sleep(POLL_SECONDS)
    return time.monotonic() - begin


def _proven(laptop: RunningLaptop) -> int:
    ((count,),) = laptop.select("select count(*) from markers where state = 'delivered' and wanted = 'present'")
    return int(count)


def _run(laptop: RunningLaptop, task: str, folder: str, *bot: str) -> dict[str, Any]:
    url = Path(folder).resolve().as_uri() if folder else "-"
    return run_module("backup_alone", task, str(laptop.state.root), url, *bot, *([RESTORED_AS] if bot else []))
