"""In a process of its own, so that its memory can be told: a snapshot, or a restore. Run by `bench.backup`."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.stores import ArbitraryEmbedder
from functions.backup.build import build_restore, build_snapshot
from infra.cli.target import use_stores
from shared import wiring
from shared.snapshots import read_manifest


def snapshot(url: str) -> dict[str, Any]:
    """Take one there."""
    taking = build_snapshot(wiring.open_store(url), report=_silent)
    begin = time.monotonic()
    manifest = taking.take()
    assert manifest is not None
    return {"seconds": time.monotonic() - begin, "bytes": sum(bot.bytes for bot in manifest.bots)}


def restore(url: str, bot: str, new_slug: str) -> dict[str, Any]:
    """Restore a bot of the newest one beside itself."""
    embedder = ArbitraryEmbedder()
    wiring.embedder.use(embedder)
    store = wiring.open_store(url)
    manifest = read_manifest(store)
    begin = time.monotonic()
    build_restore(store, report=_silent).run(manifest, [bot], new_slug)
    passages = sum(each.rows("passages") for each in manifest.bots if each.slug == bot)
    return {"seconds": time.monotonic() - begin, "passages": passages, "embedded": len(embedder.embedded)}


def _silent(message: str) -> None:
    """Only the figures are wanted."""


def _peak_mib() -> float:
    """The most that this process had. `ru_maxrss` would count the process that started it as well."""
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(peak) / 1024


def main() -> None:
    task, url, *bots = sys.argv[1:]
    use_stores(Path())  # of the environment
    tasks: dict[str, Callable[..., dict[str, Any]]] = {"snapshot": snapshot, "restore": restore}
    print(json.dumps(tasks[task](url, *bots) | {"peak_mib": _peak_mib()}))


if __name__ == "__main__":
    main()
