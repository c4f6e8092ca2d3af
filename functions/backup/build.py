"""Puts a snapshot, a restore or a drill together from the process's ports, for the timer and for the command line."""

from __future__ import annotations

from collections.abc import Callable

from functions.backup.drill import Drill
from functions.backup.restore import Restore
from functions.backup.restored_tables import RestoredTables
from functions.backup.retention import Retention
from functions.backup.snapshot import Report, Snapshot
from functions.backup.tables import CatalogTables
from shared import wiring
from shared.milvus_schema import INDEX_PROFILES
from shared.ports import ObjectStore

TimeLeft = Callable[[], float]


def forever() -> float:
    """For an operator, who has all the time in the world."""
    return 24 * 3600.0


def build_snapshot(backups: ObjectStore, *, report: Report, time_left: TimeLeft = forever) -> Snapshot:
    settings = wiring.settings()
    return Snapshot(
        registry=wiring.registry(),
        tables=CatalogTables(wiring.direct_postgres()),
        index=wiring.index(),
        bucket=wiring.bucket(),
        backups=backups,
        copies_objects=settings.backs_objects_up,
        report=report,
        retention=Retention(days=settings.backup_days, minimum=settings.backup_minimum),
        time_left=time_left,
    )


def build_restore(backups: ObjectStore, *, report: Report, time_left: TimeLeft = forever) -> Restore:
    index_type, index_params = INDEX_PROFILES[wiring.settings().index_profile]
    return Restore(
        registry=wiring.registry(),
        catalog=wiring.delivery_catalog(),
        tables=RestoredTables(wiring.direct_postgres()),
        index=wiring.index(),
        embedder=wiring.embedder(),
        bucket=wiring.bucket(),
        backups=backups,
        collection=lambda: wiring.registry().ensure_collection(
            wiring.embedder().model,
            metric=wiring.settings().index_metric,
            index_type=index_type,
            index_params=index_params,
        ),
        time_left=time_left,
        report=report,
    )


def build_drill(backups: ObjectStore, *, report: Report, time_left: TimeLeft = forever) -> Drill:
    restore = build_restore(backups, report=report, time_left=time_left)
    return Drill(restore, wiring.registry().deployment_id(), report)
