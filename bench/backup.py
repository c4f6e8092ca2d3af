"""A snapshot, another one, a restore beside the bot, and an index that is lost and written again from the snapshot."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from pymilvus import MilvusClient

from bench.laptop import run_module
from bench.report import Figure, at_least, at_most
from bench.stores import Stores
from shared.folder import FolderObjectStore

SECOND_IS_FASTER = 10.0
MEMORY_MIB = 600.0
RESTORED_AS = "restored"


def measure(stores: Stores) -> Iterator[Figure]:
    """Snapshot twice, restore the bot under another slug, lose the index."""
    bot = stores.world.bot.slug
    first = _run(stores, "snapshot")
    yield Figure("first snapshot", f"{first['seconds']:.1f} s")
    yield Figure("files of it", f"{first['bytes'] / 1e6:,.1f} MB")
    yield at_most("memory while it is taken", first["peak_mib"], MEMORY_MIB, "{:.0f} MiB")
    second = _run(stores, "snapshot")
    yield Figure("second snapshot, nothing has changed", f"{second['seconds']:.2f} s")
    yield at_least("first : second", first["seconds"] / second["seconds"], SECOND_IS_FASTER, "{:.0f} times")
    stores.world.put("more.md", "# One more\n\nWritten after the first snapshot.\n")
    third = _run(stores, "snapshot")
    yield Figure("third snapshot, one document more", f"{third['seconds']:.2f} s")
    restored = _run(stores, "restore", bot, RESTORED_AS)
    yield Figure(f"restore, {restored['passages']:,} passages", f"{restored['seconds']:.1f} s")
    yield Figure("texts embedded for it", str(restored["embedded"]), "none", restored["embedded"] == 0)
    yield at_most("memory while it is restored", restored["peak_mib"], MEMORY_MIB, "{:.0f} MiB")
    stores.world.registry.delete_bot(RESTORED_AS)
    yield from _lose_index(stores)


def _lose_index(stores: Stores) -> Iterator[Figure]:
    """Drop the collection, as an accident would, and let sync write it again."""
    world = stores.world
    stores.embedded.clear()
    client = MilvusClient(uri=stores.environment["LOCKSTEP_MILVUS_URI"])
    client.drop_collection(world.bot.collection.name)
    client.close()
    begin = time.monotonic()
    world.sync(backups=FolderObjectStore(stores.folder / "backups"))
    seconds = time.monotonic() - begin
    left = len(world.delivery.unfinished_documents(world.refreshed(), 10))
    yield Figure("a lost index, written again from the snapshot", f"{seconds:.1f} s")
    yield Figure("documents that are not proven again", str(left), "none", left == 0)
    yield Figure("texts embedded for it", str(len(stores.embedded)), "none", not stores.embedded)


def _run(stores: Stores, task: str, *bots: str) -> dict[str, Any]:
    return run_module("backup_alone", task, (stores.folder / "backups").as_uri(), *bots, environment=stores.environment)
