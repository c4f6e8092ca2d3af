"""The port `OperationsCatalog` in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from shared.domain import Gauges, Outcome
from shared.testing.catalog.state import CatalogState, MarkerRow, atomic


class InMemoryOperations:
    """What an operator is shown."""

    def __init__(self, state: CatalogState) -> None:
        self._state = state

    @atomic
    def gauges(self) -> Gauges:
        bots = [rows for rows in self._state.bots.values() if rows.state != "deleted"]
        open_markers = [row for rows in bots for row in rows.markers.values() if row.state != "delivered"]
        now = self._state.clock()
        waiting = [now - row.due for row in open_markers if row.state == "pending"]
        documents = [document for rows in bots for document in rows.documents.values()]
        return Gauges(
            markers=Counter(map(_state_of, open_markers)),
            oldest_marker_seconds=max(0.0, *waiting) if waiting else 0.0,
            documents=Counter("deleting" if document.tombstone_id else document.state for document in documents),
            deployment_age_seconds=now - self._state.began,
        )

    @atomic
    def record_outcome(self, operation: str, subject: str, figures: Mapping[str, Any]) -> None:
        self._state.outcomes[operation, subject] = Outcome(operation, subject, dict(figures), datetime.now(UTC), 0.0)

    @atomic
    def outcomes(self) -> list[Outcome]:
        used = {rows.bot.collection.name for rows in self._state.bots.values() if rows.state == "active"}
        now = datetime.now(UTC)
        return [
            replace(outcome, age_seconds=(now - outcome.finished_at).total_seconds())
            for (operation, subject), outcome in sorted(self._state.outcomes.items())
            if operation != "audit" or subject in used
        ]


def _state_of(marker: MarkerRow) -> str:
    return "failed" if marker.state == "failed" else f"pending_{marker.wanted}"
