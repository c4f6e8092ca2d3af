"""Audits each collection that the deployment owns, stretch by stretch, and heals what it finds.

A pass goes on where the last invocation stopped, and rests when it has come to its end, so that an idle deployment does not
work for ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from functions.sync.comparison import Comparer, Extent, Walk
from functions.sync.healing import Healer
from shared.domain import Collection, Drift
from shared.operations import record_drift
from shared.ports import OperationsCatalog, Registry
from shared.steps import step
from shared.telemetry import logger

LEASE_SECONDS = 120.0  # longer than reading one stretch may take
RESERVE_SECONDS = 5.0
REST_SECONDS = 24 * 3600.0


@dataclass(slots=True)
class AuditPass:
    """One pass over a collection, and how the last one ended."""

    walk: Walk = field(default_factory=Walk)
    began_at: float = 0.0
    found: Drift = field(default_factory=Drift)
    last: Mapping[str, Any] | None = None  # the counts of `Drift`, finished_at and seconds

    @classmethod
    def from_progress(cls, progress: Mapping[str, Any]) -> AuditPass:
        if not progress:
            return cls()
        walk, found = Walk(**progress["walk"]), Drift(**progress["found"])
        return cls(walk, progress["began_at"], found, progress["last"])

    def to_progress(self) -> dict[str, Any]:
        return {"walk": asdict(self.walk), "began_at": self.began_at, "found": asdict(self.found), "last": self.last}


@dataclass(frozen=True, slots=True)
class Audit:
    """Audits collection after collection. `now` gives seconds since 1970, which outlive the process."""

    registry: Registry
    comparer: Comparer
    healer: Healer
    operations: OperationsCatalog
    time_left: Callable[[], float]
    holder: UUID
    now: Callable[[], float] = time.time

    def audit_collection(self, collection: Collection, opened: set[UUID]) -> bool:
        """Returns whether the pass came to its end, or rests. Bots that have something to deliver by it join `opened`.

        Does nothing while another worker audits the collection, or if it is not in the index.
        """
        name = audit_lease(collection)
        progress = self.registry.claim_lease(name, self.holder, LEASE_SECONDS)
        if progress is None:
            return True
        try:
            current = AuditPass.from_progress(progress)
            if self._rests(current) or self.comparer.index.incarnation(collection) is None:
                return True
            return self._go_on(collection, current, opened)
        finally:
            self.registry.release_lease(name, self.holder)

    def _rests(self, current: AuditPass) -> bool:
        is_new = current.walk.position == 0
        return is_new and current.last is not None and self.now() - current.last["finished_at"] < REST_SECONDS

    def _go_on(self, collection: Collection, current: AuditPass, opened: set[UUID]) -> bool:
        name = audit_lease(collection)
        while self.time_left() > RESERVE_SECONDS:
            if current.walk.position == 0:
                current.began_at = self.now()
                current.found = self.comparer.foreign(Extent(collection)) + self._remint(collection, opened)
            found = self.comparer.next(Extent(collection), current.walk)
            opened |= self.healer.heal(collection, found)
            current.found += found.drift
            is_over = current.walk.is_over
            if is_over:
                current = self._conclude(collection, current)
            self.registry.save_progress(name, self.holder, current.to_progress())
            step("audit.progress-saved")
            if is_over:
                return True
            self.registry.claim_lease(name, self.holder, LEASE_SECONDS)
        return False

    def _remint(self, collection: Collection, opened: set[UUID]) -> Drift:
        found = Drift()
        for bot in self.registry.bots():
            if bot.collection.collection_id == collection.collection_id:
                lost = self.healer.remint(bot)
                found += lost
                if lost.missing:
                    opened.add(bot.bot_id)
        return found

    def _conclude(self, collection: Collection, finished: AuditPass) -> AuditPass:
        """Tell how the pass ended; returns the next one."""
        figures = asdict(finished.found)
        tell = logger().info if finished.found.is_clean and not finished.found.foreign else logger().warning
        tell("audit finished", collection=collection.name, **figures)
        record_drift(self.operations, collection.name, finished.found)
        ended = self.now()
        last = {**figures, "finished_at": ended, "seconds": round(ended - finished.began_at, 1)}
        return AuditPass(walk=Walk(width=finished.walk.width), last=last)


def audit_lease(collection: Collection) -> str:
    return f"audit:{collection.collection_id}"
