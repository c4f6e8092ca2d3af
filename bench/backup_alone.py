"""In a process of its own, so that its memory can be told: a snapshot, a restore, or the loss of every collection."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from functions.backup.build import build_restore, build_snapshot
from infra.cli.target import use_stores
from shared import wiring
from shared.errors import LeasedError
from shared.ports import Embedder
from shared.snapshots import read_manifest


def snapshot(url: str) -> dict[str, Any]:
    """Take one there."""
    taking = build_snapshot(wiring.open_store(url), report=_silent)
    while True:
        begin = time.monotonic()
        try:
            manifest = taking.take()
            break
        except LeasedError:  # the worker takes its daily one
            time.sleep(1.0)
    assert manifest is not None
    return {"seconds": time.monotonic() - begin, "bytes": sum(bot.bytes for bot in manifest.bots)}


def restore(url: str, bot: str, new_slug: str) -> dict[str, Any]:
    """Restore a bot of the newest one beside itself."""
    store = wiring.open_store(url)
    manifest = read_manifest(store)
    restoring = build_restore(store, report=_silent)
    embedded = _count(restoring.embedder)
    begin = time.monotonic()
    restoring.run(manifest, [bot], new_slug)
    passages = sum(each.rows("passages") for each in manifest.bots if each.slug == bot)
    return {"seconds": time.monotonic() - begin, "passages": passages, "embedded": len(embedded)}


def lose() -> dict[str, Any]:
    """Drop every collection, as an accident would."""
    from pymilvus import MilvusClient

    client = MilvusClient(uri=wiring.settings().milvus_uri)
    for name in client.list_collections():
        client.drop_collection(name)
    return {}


def _count(embedder: Embedder) -> list[str]:
    """Every text that is embedded from now on."""
    embedded: list[str] = []
    embed = embedder.embed_passages

    def counted(texts: Any) -> Any:
        embedded.extend(texts)
        return embed(texts)

    embedder.embed_passages = counted  # type: ignore[method-assign]
    return embedded


def _silent(message: str) -> None:
    """Only the figures are wanted."""


def main() -> None:
    task, state, url, *bots = sys.argv[1:]
    use_stores(Path(state))
    tasks: dict[str, Callable[[], dict[str, Any]]] = {
        "snapshot": lambda: snapshot(url),
        "restore": lambda: restore(url, *bots),
        "lose": lose,
    }
    figures = tasks[task]()
    print(json.dumps(figures | {"peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    main()
