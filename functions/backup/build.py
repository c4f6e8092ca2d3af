"""Puts a snapshot, a restore, a drill or an export together from the process's ports, for timers and the command line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from functions.backup.drill import Drill
from functions.backup.export import Export
from functions.backup.requested_exports import RequestedExports
from functions.backup.restore import Restore
from functions.backup.restored_tables import RestoredTables
from functions.backup.retention import Retention
from functions.backup.snapshot import Report, Snapshot
from functions.backup.tables import CatalogTables
from shared import wiring
from shared.catalog.exporting import PostgresExport
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
        operations=wiring.operations(),
        tables=CatalogTables(wiring.direct_postgres()),
        index=wiring.index(),
        bucket=wiring.bucket(),
        backups=backups,
        copies_objects=settings.backs_objects_up,
        report=report,
        retention=Retention(days=settings.backup_days, minimum=settings.backup_minimum),
        time_left=time_left,
    )


def build_restore(
    backups: ObjectStore, *, report: Report, time_left: TimeLeft = forever, brings_back_deleted_bots: bool = False
) -> Restore:
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
        ledger=wiring.ledger(),
        brings_back_deleted_bots=brings_back_deleted_bots,
    )


def build_export(
    *, since: datetime | None, batch_size: int, includes_embeddings: bool, report: Callable[[str], None]
) -> Export:
    return Export(
        registry=wiring.registry(),
        reader=PostgresExport(wiring.direct_postgres()),
        index=wiring.index(),
        since=since,
        batch_size=batch_size,
        includes_embeddings=includes_embeddings,
        report=report,
    )


def build_requested_exports(*, time_left: TimeLeft = forever) -> RequestedExports:
    return RequestedExports(
        registry=wiring.registry(),
        reader=PostgresExport(wiring.direct_postgres()),
        index=wiring.index(),
        store=wiring.backups(),
        time_left=time_left,
    )


def build_drill(backups: ObjectStore, *, report: Report, time_left: TimeLeft = forever) -> Drill:
    restore = build_restore(backups, report=report, time_left=time_left)
    return Drill(restore, wiring.operations(), wiring.registry().deployment_id(), report)
