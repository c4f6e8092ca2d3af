"""What the timer would do about drift, now and to the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from functions.sync.comparison import Extent, Walk
from functions.sync.pipeline import Sync
from shared.domain import Bot, Drift


def repair(
    sync: Sync, bots: Sequence[Bot], extents: Sequence[Extent], tell: Callable[[str], None]
) -> tuple[Drift, bool]:
    """Deliver what waits, compare and heal the extents, deliver what that opened; `bots` are those that they cover.

    Returns what was found, and whether nothing is left to do. Raises what the ports raise; a repetition goes on.
    """
    _deliver(sync, bots)
    found = sum((sync.healer().remint(bot) for bot in bots), Drift())
    for extent in extents:
        found += _heal(sync, extent, tell)
    return found, _deliver(sync, bots)


def _heal(sync: Sync, extent: Extent, tell: Callable[[str], None]) -> Drift:
    comparer, healer, walk = sync.comparer(), sync.healer(), Walk()
    total = comparer.foreign(extent)
    while not walk.is_over:
        found = comparer.next(extent, walk)
        healer.heal(extent.collection, found)
        total += found.drift
        tell(f"{extent.collection.name}: {walk.share:.0%} compared, {total.checked:,} rows")
    return total


def _deliver(sync: Sync, bots: Sequence[Bot]) -> bool:
    # The registry is asked again: the last delivery may have made the collection anew.
    finished = [sync.deliver(sync.registry.bot(bot.slug)) for bot in bots]
    return all(finished)
