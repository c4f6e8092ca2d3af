"""The port `OperationsCatalog` in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.domain import Bot, Gauges, Notice, Outcome
from shared.testing.catalog.state import CatalogState, DocumentRow, MarkerRow, atomic


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

    @atomic
    def untold(self, bot: Bot, age_seconds: float, limit: int) -> list[Notice]:
        since = datetime.now(UTC) - timedelta(seconds=age_seconds)
        due = [
            document
            for document in self._state.rows(bot).documents.values()
            if document.state in ("live", "rejected", "failed") and not document.tombstone_id
            if document.updated_at >= since and document.told != _news_of(document)
        ]
        return [
            Notice(
                bot.slug,
                document.document_id,
                document.object_key,
                document.state,
                document.reason,
                document.seen_version,
                document.updated_at,
                _news_of(document),
            )
            for document in sorted(due, key=lambda document: document.updated_at)[:limit]
        ]

    @atomic
    def mark_told(self, bot: Bot, notice: Notice) -> None:
        self._state.rows(bot).documents[notice.document_id].told = notice.news


def _news_of(document: DocumentRow) -> str:
    what = document.live if document.state == "live" else f"{document.seen_version or ''}/{document.last_generation}"
    return f"{document.state}/{what}"


def _state_of(marker: MarkerRow) -> str:
    return "failed" if marker.state == "failed" else f"pending_{marker.wanted}"
