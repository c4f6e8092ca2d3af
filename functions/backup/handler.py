"""The door of backup: the daily timer."""

from __future__ import annotations

from typing import Any

from functions.backup.build import build_snapshot
from shared import wiring
from shared.telemetry import logger, logging_context, request_id_of


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Take a snapshot of every bot."""
    try:
        with logging_context(request_id=request_id_of(context)):
            manifest = build_snapshot(wiring.backups(), report=lambda message: logger().info(message)).take()
    finally:
        wiring.emit_metrics()
    return {"snapshot_id": manifest.snapshot_id, "bots": len(manifest.bots)}
