"""What there is in a deployment, and what is not finished, at a glance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from functions.sync.audit import AuditPass
from shared.ports import VectorIndex
from shared.postgres import PostgresClient
from shared.settings import Settings


def overview(client: PostgresClient, settings: Settings, index: VectorIndex) -> dict[str, Any]:
    """The parts and whether they answer, one line per bot, and how the last audit of each collection ended."""
    checks: dict[str, Callable[[], Any]] = {
        "catalog": lambda: client.transact(lambda tx: tx.value("ping"), read_only=True),
        "index": index.ping,
    }
    parts = {name: _answer(check) for name, check in checks.items()}
    if parts["catalog"] != "ok":
        return {"parts": parts, "bots": [], "audits": []}
    bots = client.transact(lambda tx: tx.rows("overview"), read_only=True)
    audits = client.transact(lambda tx: tx.rows("audits"), read_only=True)
    return {"parts": parts, "bots": bots, "audits": [_audit(row) for row in audits]}


def _audit(row: Mapping[str, Any]) -> dict[str, Any]:
    current = AuditPass.from_progress(row["progress"] or {})
    return {"collection": row["collection"], "last": current.last, "share": current.walk.share}


def _answer(check: Callable[[], Any]) -> str:
    try:
        check()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "ok"
