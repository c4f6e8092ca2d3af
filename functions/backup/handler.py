"""The door of backup: two timers. One takes the daily snapshot and goes on with it, the other lets a restore be drilled."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from functions.backup.build import TimeLeft, build_drill, build_snapshot
from shared import wiring
from shared.errors import LeasedError
from shared.telemetry import logger, logging_context, request_id_of


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Do the event's `task`: "snapshot" (the default) or "drill".

    The timer of snapshots comes several times a night: the first takes one, the others go on with it as long as it is not
    finished, and else do nothing.
    """

    def time_left() -> float:
        return float(context.get_remaining_time_in_millis()) / 1000

    try:
        with logging_context(request_id=request_id_of(context)):
            return _drill(time_left) if event.get("task") == "drill" else _take_snapshot(time_left)
    finally:
        wiring.emit_metrics()


def _drill(time_left: TimeLeft) -> dict[str, Any]:
    return asdict(build_drill(wiring.backups(), report=_log, time_left=time_left).run())


def _take_snapshot(time_left: TimeLeft) -> dict[str, Any]:
    snapshot = build_snapshot(wiring.backups(), report=_log, time_left=time_left)
    if not snapshot.is_due():
        return {"is_finished": True, "snapshot_id": None}
    try:
        manifest = snapshot.take()
    except LeasedError as error:  # the last invocation, or an operator, is still at it
        logger().info("no snapshot is begun", reason=str(error))
        return {"is_finished": False, "snapshot_id": None}
    return {"is_finished": manifest is not None, "snapshot_id": manifest.snapshot_id if manifest else None}


def _log(message: str) -> None:
    logger().info(message)
