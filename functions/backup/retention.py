"""Forgets snapshots that are old enough, and collects what no snapshot names any more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from functions.backup.lease import Lease
from shared.errors import LockstepError
from shared.ports import ObjectStore
from shared.snapshots import PARTS, manifest_key, owner_suffix, read_manifest, snapshots
from shared.steps import step
from shared.telemetry import logger

DAY_SECONDS = 24 * 3600.0
RESERVE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days a snapshot is kept, and how many of the newest are kept however old they are."""

    days: float = 30.0
    minimum: int = 3

    def collect(self, store: ObjectStore, deployment_id: UUID, lease: Lease, time_left: Callable[[], float]) -> int:
        """Returns how many files went. What is left for want of time is found by the next run.

        Only those of this deployment, and only while nobody takes a snapshot: `lease` is that of the backup. Nothing goes
        while a manifest cannot be read, for nobody knows then what it names.
        """
        try:
            named = self._forget_old(store, deployment_id, lease)
        except LockstepError as error:
            logger().error("nothing is collected: a snapshot's manifest cannot be read", error=str(error))
            return 0
        collected = 0
        for version in list(store.list(PARTS)):
            snapshot_id = version.key[len(PARTS) :].partition("/")[0]
            if not snapshot_id.endswith(owner_suffix(deployment_id)) or version.key in named:
                continue
            lease.check()
            if time_left() < RESERVE_SECONDS:
                break
            store.delete(version.key)
            collected += 1
        step("snapshot.parts-collected")
        return collected

    def _forget_old(self, store: ObjectStore, deployment_id: UUID, lease: Lease) -> set[str]:
        """Delete the manifests whose time is over; returns the keys of all parts that the others name."""
        found = snapshots(store, deployment_id)
        named: set[str] = set()
        for place, snapshot_id in enumerate(found):
            manifest = read_manifest(store, snapshot_id)
            if manifest.age_seconds <= self.days * DAY_SECONDS or place >= len(found) - self.minimum:
                named |= {part.key for bot in manifest.bots for part in bot.parts}
                continue
            lease.check()
            store.delete(manifest_key(snapshot_id))
            step("snapshot.old-forgotten")
            logger().info("snapshot forgotten", snapshot=snapshot_id)
        return named
