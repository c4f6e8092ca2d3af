"""What there is in a deployment, and what is not finished, at a glance."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from infra.cli.output import span
from shared.domain import Outcome
from shared.ports import OperationsCatalog, Registry, VectorIndex
from shared.postgres import PostgresClient

OPERATIONS = ("snapshot", "audit", "drill")


def overview(
    client: PostgresClient, registry: Registry, operations: OperationsCatalog, index: VectorIndex
) -> dict[str, Any]:
    """The parts and whether they answer, one line per bot, and how the last operations ended (None: none yet)."""
    checks: dict[str, Callable[[], Any]] = {
        "catalog": lambda: client.transact(lambda tx: tx.value("ping"), read_only=True),
        "index": lambda: index.ping(registry.collections()),
    }
    parts = {name: _answer(check) for name, check in checks.items()}
    has_catalog = parts["catalog"] == "ok"
    return {
        "parts": parts,
        "bots": client.transact(lambda tx: tx.rows("overview"), read_only=True) if has_catalog else [],
        "last": _last(operations.outcomes() if has_catalog else []),
    }


def is_well(found: dict[str, Any]) -> bool:
    """Whether everything answers, no document has failed, and the last audits and the last drill found nothing wrong."""
    last = found["last"]
    return (
        all(answer == "ok" for answer in found["parts"].values())
        and not any(bot["failed"] for bot in found["bots"])
        and not any(last["audit"] and last["audit"][kind] for kind in ("missing", "orphaned", "corrupt"))
        and not (last["drill"] and last["drill"]["failure"])
    )


def told(operation: str, last: dict[str, Any] | None) -> str:
    """One line for people."""
    if last is None:
        return "none yet"
    ago = f"{span(last['age_seconds'])} ago"
    if operation == "snapshot":
        return f"{ago}: {last['snapshot_id']}, {last['bytes'] / 1e6:,.1f} MB"
    if operation == "drill":
        return f"{ago}: {last['failure'] or 'the snapshot proved good'} ({last['snapshot_id']})"
    drift = ", ".join(f"{last[kind]:,} {kind}" for kind in ("missing", "orphaned", "corrupt", "foreign") if last[kind])
    return f"{ago}: {last['checked']:,} rows, {drift or 'no drift'}"


def _last(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    """Of several collections the sum, as old as the oldest."""
    last: dict[str, Any] = dict.fromkeys(OPERATIONS)
    for outcome in sorted(outcomes, key=lambda outcome: outcome.age_seconds):
        figures = dict(outcome.figures) | {"finished_at": outcome.finished_at, "age_seconds": outcome.age_seconds}
        before = last[outcome.operation]
        if before:
            figures |= {name: before[name] + value for name, value in outcome.figures.items()}
        last[outcome.operation] = figures
    return last


def _answer(check: Callable[[], Any]) -> str:
    try:
        check()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "ok"
