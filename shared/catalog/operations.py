"""What an operator is shown: figures of the whole deployment, and how the last operations ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared.catalog.mapping import to_json
from shared.domain import Bot, Gauges, Notice, Outcome

if TYPE_CHECKING:
    from shared.postgres import PostgresClient


class PostgresOperations:
    """The port `OperationsCatalog`."""

    def __init__(self, client: PostgresClient) -> None:
        self._client = client

    def gauges(self) -> Gauges:
        rows = self._client.transact(lambda tx: tx.rows("gauges"), read_only=True)
        markers = {row["state"]: row for row in rows if row["what"] == "markers"}
        waiting = [float(row["seconds"]) for state, row in markers.items() if state != "failed"]
        return Gauges(
            markers={state: row["number"] for state, row in markers.items()},
            oldest_marker_seconds=max(0.0, *waiting) if waiting else 0.0,
            documents={row["state"]: row["number"] for row in rows if row["what"] == "documents"},
            deployment_age_seconds=next((float(row["seconds"]) for row in rows if row["what"] == "deployment"), 0.0),
        )

    def record_outcome(self, operation: str, subject: str, figures: Mapping[str, Any]) -> None:
        self._client.transact(
            lambda tx: tx.execute("record_outcome", operation=operation, subject=subject, figures=to_json(figures))
        )

    def outcomes(self) -> list[Outcome]:
        rows = self._client.transact(lambda tx: tx.rows("outcomes"), read_only=True)
        return [Outcome(**row | {"age_seconds": float(row["age_seconds"])}) for row in rows]

    def untold(self, bot: Bot, age_seconds: float, limit: int) -> list[Notice]:
        rows = self._client.transact(
            lambda tx: tx.rows("untold_documents", bot_id=bot.bot_id, age_seconds=age_seconds, limit=limit),
            read_only=True,
        )
        return [Notice(bot=bot.slug, **row) for row in rows]

    def mark_told(self, bot: Bot, notice: Notice) -> None:
        self._client.transact(
            lambda tx: tx.execute("mark_told", bot_id=bot.bot_id, document_id=notice.document_id, news=notice.news)
        )
