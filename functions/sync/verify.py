"""Reads bots back from the index and compares them with what the catalog has proven. Changes nothing."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from functions.sync.comparison import Comparer, Comparison, Extent, Walk
from shared.domain import Drift, StoredRow

_MODULUS = 1 << 256


@dataclass(slots=True)
class BotReport:
    """What was found of one bot: counts of passages, and a checksum over all that are intact."""

    passages: int = 0
    intact: int = 0
    missing: int = 0
    corrupt: int = 0
    orphaned: int = 0
    _sum: int = 0

    @property
    def checksum(self) -> str:
        """The same on every machine that reads the same rows, in whatever order and stretches."""
        return f"{self._sum:064x}"

    def add_intact(self, row: StoredRow) -> None:
        self.passages += 1
        self.intact += 1
        # A sum does not depend on the order of what it adds.
        digest = hashlib.sha256(f"{row.key}{row.row_hash}{row.vector_digest}".encode()).digest()
        self._sum = (self._sum + int.from_bytes(digest, "big")) % _MODULUS


@dataclass(slots=True)
class Report:
    """What was found of all that was compared."""

    bots: dict[UUID, BotReport] = field(default_factory=lambda: defaultdict(BotReport))
    drift: Drift = field(default_factory=Drift)


def verify(
    extents: Sequence[Extent], comparer: Comparer, progress: Callable[[str], None] = lambda told: None
) -> Report:
    """Compare all of it. Work that is under way is neither intact nor drift. Raises what the ports raise."""
    report = Report()
    for extent in extents:
        report.drift += comparer.foreign(extent)
        walk = Walk()
        while not walk.is_over:
            found = comparer.next(extent, walk)
            report.drift += found.drift
            _count(report.bots, found)
            progress(f"{extent.collection.name}: {walk.share:.0%} compared, {report.drift.checked:,} rows")
        for bot in comparer.registry.bots():
            if bot.collection.collection_id == extent.collection.collection_id and extent.bot_id in (None, bot.bot_id):
                report.drift += _count_unmarked(report.bots[bot.bot_id], comparer.catalog.unmarked_members(bot), extent)
    return report


def _count_unmarked(bot: BotReport, unmarked: Mapping[UUID, int], extent: Extent) -> Drift:
    """Members of generations that no marker wants: nothing would ever bring them into the index."""
    of_extent = [passages for document, passages in unmarked.items() if extent.document_id in (None, document)]
    bot.passages += sum(of_extent)
    bot.missing += sum(of_extent)
    return Drift(checked=sum(of_extent), missing=sum(of_extent))


def _count(bots: dict[UUID, BotReport], found: Comparison) -> None:
    for row in found.intact:
        assert row.bot_id is not None
        bots[row.bot_id].add_intact(row)
    for row in found.orphaned:
        assert row.bot_id is not None
        bots[row.bot_id].orphaned += 1
    for marker in found.missing:
        bots[marker.bot_id].passages += 1
        bots[marker.bot_id].missing += 1
    for marker in found.corrupt:
        bots[marker.bot_id].passages += 1
        bots[marker.bot_id].corrupt += 1
