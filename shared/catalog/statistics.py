"""Keeps the planner's statistics in step with tables that grow in bursts.

A new partition has none, and autovacuum comes a minute later: until then the planner takes thousands of rows for one and
compares each with each. A table is analysed when it has doubled, so that all of it together costs a share of the writing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from shared.postgres import Transaction


def refresh_statistics(tx: Transaction, bot_id: UUID) -> None:
    """Analyse what has outgrown its statistics of the bot's partitions and the markers. Blocks no reader or writer."""
    names = [str(row["name"]) for row in tx.rows("outgrown_tables", suffix=f"_{bot_id.hex}")]
    if names:
        tx.script(f"analyze (skip_locked) {', '.join(names)}")
