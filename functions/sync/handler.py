"""The door of sync: a timer, or a message that asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from functions.sync.pipeline import Sync
from functions.sync.progress import Progress, log_progress
from shared import wiring
from shared.delivery import RESERVE_SECONDS
from shared.telemetry import logging_context, request_id_of


def handler(event: Any, context: Any) -> dict[str, bool]:
    """Do what there is to do within the time of this invocation; ask for another one if something is left."""

    def time_left() -> float:
        return float(context.get_remaining_time_in_millis()) / 1000

    try:
        with logging_context(request_id=request_id_of(context)):
            is_finished = build_sync(time_left).run()
            wiring.tell_of_documents(wiring.registry().bots(), time_left)
    finally:
        wiring.emit_metrics(of_deployment=True)
    if not is_finished and time_left() < RESERVE_SECONDS:  # time ran out; what waits for its next attempt can wait
        wiring.hints().sync_wanted()
    return {"is_finished": is_finished}


def build_sync(time_left: Callable[[], float], progress: Progress = log_progress) -> Sync:
    """Sync on the stores that the settings name."""
    return Sync(
        registry=wiring.registry(),
        documents=wiring.documents(),
        catalog=wiring.delivery_catalog(),
        reading=wiring.reading(),
        index=wiring.index(),
        embedders=wiring.embedders(),
        changes=wiring.changes(),
        graph=wiring.graph(),
        operations=wiring.operations(),
        bucket=wiring.bucket(),
        hints=wiring.hints(),
        time_left=time_left,
        deletions=wiring.deletions(),
        ledger=wiring.ledger(),
        log_retention_days=wiring.settings().log_retention_days,
        progress=progress,
        backups=lambda: wiring.backups() if wiring.settings().backup_url else None,
    )
