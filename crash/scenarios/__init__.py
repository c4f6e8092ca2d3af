"""The operations that are interrupted. A further one is a few lines: what was before, and what a worker then does."""

from __future__ import annotations

from crash.scenarios import amendments, backups, documents, drift, embedders, exports, ledger
from crash.scenarios.scenario import Scenario

SCENARIOS: tuple[Scenario, ...] = (
    *documents.SCENARIOS,
    *backups.SCENARIOS,
    *exports.SCENARIOS,
    *drift.SCENARIOS,
    *amendments.SCENARIOS,
    *embedders.SCENARIOS,
    *ledger.SCENARIOS,
)

__all__ = ["SCENARIOS", "Scenario"]
