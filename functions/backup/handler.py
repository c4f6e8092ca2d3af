"""The door of backup: the daily timer."""

from __future__ import annotations

from typing import Any

from functions.backup.snapshot import Snapshot
from functions.backup.tables import CatalogTables
from shared import wiring
from shared.telemetry import logger


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Take a snapshot of every bot."""
    snapshot = Snapshot(
        registry=wiring.registry(),
        tables=CatalogTables(wiring.direct_postgres()),
        index=wiring.index(),
        bucket=wiring.bucket(),
        backups=wiring.backups(),
        copies_objects=wiring.settings().backs_objects_up,
        report=lambda message: logger().info(message),
    )
    manifest = snapshot.take()
    return {"snapshot_id": manifest.snapshot_id, "bots": len(manifest.bots)}
