"""The door of backup: two timers, and exports that are asked for over the API.

One timer takes the daily snapshot and goes on with it, the other lets a restore be drilled. A store that can tell of its
objects tells of a request at once; whatever waits, with or without having been told of, is done after a timer's own task.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from functions.backup.build import TimeLeft, build_drill, build_requested_exports, build_snapshot
from shared import wiring
from shared.errors import LeasedError, LockstepError, StoreUnavailableError
from shared.telemetry import logger, logging_context, request_id_of


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Do the event's `task`: "snapshot" (the default), "drill" or "exports"; or what S3 tells of, a request for an export.

    The timer of snapshots comes several times a night: the first takes one, the others go on with it as long as it is not
    finished, and else do nothing.
    """

    def time_left() -> float:
        return float(context.get_remaining_time_in_millis()) / 1000

    try:
        with logging_context(request_id=request_id_of(context)):
            if event.get("source") == "aws.s3":
                return _export(time_left, first=str(event["detail"]["object"]["key"]))
            if event.get("task") == "exports":
                return _export(time_left)
            try:
                return _drill(time_left) if event.get("task") == "drill" else _take_snapshot(time_left)
            finally:
                _export_what_waits(time_left)
    finally:
        wiring.emit_metrics()


def _export(time_left: TimeLeft, first: str = "") -> dict[str, Any]:
    """Raises StoreUnavailableError if a store was away, so that whoever told of it tells again."""
    done = build_requested_exports(time_left=time_left).run(first)
    if first and done.put_off:
        raise StoreUnavailableError(f"{done.put_off} exports are put off: the log says why.")
    return asdict(done)


def _export_what_waits(time_left: TimeLeft) -> None:
    try:
        _export(time_left)
    except LockstepError as error:
        logger().error("exports wait for the next timer", error=f"{type(error).__name__}: {error}")


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
