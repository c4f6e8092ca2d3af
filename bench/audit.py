"""How fast a whole audit is, and how much memory it takes: every row read, hashed and compared while nothing is paused."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from uuid import UUID, uuid4

from bench.report import Figure, at_least, at_most
from functions.sync.audit import Audit, AuditPass, audit_lease
from functions.sync.comparison import Comparer
from functions.sync.healing import Healer
from shared.domain import KeyRange
from tests.worlds import World

LOST = 100
ROWS_PER_SECOND = 500.0
MEMORY_MIB = 200.0


def measure(world: World) -> Iterator[Figure]:
    """Audit a filled bot, take some rows away, and audit it again."""
    before = _memory()
    seconds = _audit(world)
    rows = _last_pass(world)["checked"]
    yield Figure(f"audit of {rows:,} rows", f"{seconds:.1f} s")
    yield at_least("rows per second", rows / seconds, ROWS_PER_SECOND, "{:,.0f}")
    yield at_most("memory beyond what the process had", _memory() - before, MEMORY_MIB, "{:.0f} MiB")
    _lose_some(world)
    yield Figure(f"the same, with {LOST} rows lost", f"{_audit(world):.1f} s")
    found = _last_pass(world)["missing"]
    yield Figure("rows found missing", str(found), str(LOST), found == LOST)
    world.sync()  # delivers them again


def _audit(world: World) -> float:
    """Audit everything, whenever the last audit was; returns the seconds that it took."""
    comparer = Comparer(world.registry, world.delivery, world.index)
    lease, holder = audit_lease(world.refreshed().collection), uuid4()
    world.registry.claim_lease(lease, holder, 60.0)
    world.registry.save_progress(lease, holder, {})
    opened: set[UUID] = set()
    begin = time.monotonic()
    healer = Healer(world.delivery, world.index)
    audit = Audit(world.registry, comparer, healer, world.operations, lambda: 3600.0, holder)
    assert audit.audit_collection(world.refreshed().collection, opened)
    return time.monotonic() - begin


def _last_pass(world: World) -> dict[str, int]:
    lease, holder = audit_lease(world.refreshed().collection), uuid4()
    last = AuditPass.from_progress(world.registry.claim_lease(lease, holder, 0.0) or {}).last
    assert last is not None
    return dict(last)


def _lose_some(world: World) -> None:
    bot = world.refreshed()
    proven = world.delivery.proven(bot.collection, [bot.bot_id], KeyRange(), limit=LOST)
    world.index.delete(bot.collection, bot.bot_id, [marker.passage_id for marker in proven])


def _memory() -> float:
    """The most that the process ever had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
