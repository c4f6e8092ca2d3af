"""What there is in a deployment, and what is not finished, at a glance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shared.ports import VectorIndex
from shared.postgres import PostgresClient
from shared.settings import Settings


def overview(client: PostgresClient, settings: Settings, index: VectorIndex) -> dict[str, Any]:
    """The parts and whether they answer, and one line per bot."""
    checks: dict[str, Callable[[], Any]] = {
        "catalog": lambda: client.transact(lambda tx: tx.value("ping"), read_only=True),
        "index": index.ping,
    }
    parts = {name: _answer(check) for name, check in checks.items()}
    bots = client.transact(lambda tx: tx.rows("overview"), read_only=True) if parts["catalog"] == "ok" else []
    return {"parts": parts, "bots": bots}


def _answer(check: Callable[[], Any]) -> str:
    try:
        check()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "ok"
