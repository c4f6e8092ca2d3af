"""How the backups of a deployment stand: what an operator looks at, and what is measured."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from functions.backup.drill import last_drill
from functions.backup.snapshot import under_way_key
from shared.ports import ObjectStore
from shared.snapshots import Manifest, newest_snapshot, read_json


@dataclass(frozen=True, slots=True)
class SnapshotLine:
    """One snapshot in a list. `bytes` is all that it names; what it shares with others is counted in each."""

    snapshot_id: str
    created_at: str
    age_seconds: float
    bytes: int
    bots: list[str]
    deployment_id: str

    @classmethod
    def of(cls, manifest: Manifest) -> SnapshotLine:
        return cls(
            snapshot_id=manifest.snapshot_id,
            created_at=manifest.created_at,
            age_seconds=round(manifest.age_seconds, 1),
            bytes=sum(bot.bytes for bot in manifest.bots),
            bots=[bot.slug for bot in manifest.bots],
            deployment_id=manifest.deployment_id,
        )


def standing(store: ObjectStore, deployment_id: UUID) -> dict[str, Any]:
    """The newest snapshot, whether one is under way, and how the last restore drill went; None for what there is not."""
    newest, drill = newest_snapshot(store, deployment_id), last_drill(store, deployment_id)
    return {
        "snapshot": asdict(SnapshotLine.of(newest)) if newest else None,
        "is_under_way": read_json(store, under_way_key(deployment_id)) is not None,
        "drill": asdict(drill) | {"is_ok": drill.is_ok} if drill else None,
    }
