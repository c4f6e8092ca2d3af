"""Keeps how audits, snapshots and restore drills ended, and turns that and the catalog's own figures into gauges.

They are kept in the catalog, because the process that ends an operation is rarely the one that is asked about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from shared.domain import Drift, Outcome
from shared.errors import LockstepError
from shared.ports import OperationsCatalog
from shared.telemetry import Meter, logger

DRIFT_KINDS = ("missing", "orphaned", "corrupt", "foreign")
MARKER_STATES = ("pending_present", "pending_absent", "failed")
DOCUMENT_STATES = ("observing", "building", "live", "rejected", "failed", "deleting")


def record_drift(catalog: OperationsCatalog, collection: str, found: Drift) -> None:
    """Keep what an audit of a whole collection found. Never raises for a store: the audit is done, whoever hears of it."""
    if not found.is_clean:
        logger().error("drift found", collection=collection, **asdict(found))
    _record(catalog, "audit", collection, asdict(found))


def record_snapshot(catalog: OperationsCatalog, snapshot_id: str, *, size_bytes: int, bots: int) -> None:
    """Keep that a snapshot has its manifest; `size_bytes` is of all that it names. Never raises for a store."""
    _record(catalog, "snapshot", "", {"snapshot_id": snapshot_id, "bytes": size_bytes, "bots": bots})


def record_drill(catalog: OperationsCatalog, snapshot_id: str, *, failure: str | None) -> None:
    """Keep how a restore drill ended; `failure` is None if the snapshot proved good. Never raises for a store."""
    if failure:
        logger().error("the restore drill failed", snapshot=snapshot_id, error=failure)
    _record(catalog, "drill", "", {"snapshot_id": snapshot_id, "failure": failure})


def _record(catalog: OperationsCatalog, operation: str, subject: str, figures: Mapping[str, Any]) -> None:
    try:
        catalog.record_outcome(operation, subject, figures)
    except LockstepError as error:
        logger().warning("the outcome was not kept", operation=operation, error=f"{type(error).__name__}: {error}")


def measure_deployment(catalog: OperationsCatalog, meter: Meter) -> None:
    """Set every gauge as the catalog has it now. Raises StoreUnavailableError."""
    gauges = catalog.gauges()
    for state in MARKER_STATES:
        meter.measure("markers", gauges.markers.get(state, 0), state=state)
    meter.measure("oldest_marker_seconds", gauges.oldest_marker_seconds)
    for state in DOCUMENT_STATES:
        meter.measure("documents", gauges.documents.get(state, 0), state=state)
    # A deployment that never had a snapshot is as badly off as one whose last is that old.
    meter.measure("snapshot_age_seconds", gauges.deployment_age_seconds)
    _measure_outcomes(catalog.outcomes(), meter)


def _measure_outcomes(outcomes: Iterable[Outcome], meter: Meter) -> None:
    by_operation: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_operation.setdefault(outcome.operation, []).append(outcome)
    if audits := by_operation.get("audit"):
        for kind in DRIFT_KINDS:
            meter.measure("drift", sum(audit.figures.get(kind, 0) for audit in audits), kind=kind)
        meter.measure("audit_age_seconds", max(audit.age_seconds for audit in audits))
    for snapshot in by_operation.get("snapshot", ()):
        meter.measure("snapshot_age_seconds", snapshot.age_seconds)
        meter.measure("snapshot_bytes", snapshot.figures["bytes"])
    for drill in by_operation.get("drill", ()):
        meter.measure("drill_failed", float(bool(drill.figures["failure"])))
        meter.measure("drill_age_seconds", drill.age_seconds)
