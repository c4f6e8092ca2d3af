"""Keeps the planner's statistics in step with tables that grow in bursts.

A new partition has none, and autovacuum comes a minute later: until then the planner takes thousands of rows for one and
compares each with each. A table is analysed when it has doubled, so that all of it together costs a share of the writing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from shared.postgres import Transaction


def refresh_statistics(tx: Transaction, bot_id: UUID, *, has_new_markers: bool = False) -> bool:
    """Analyse what has outgrown its statistics; returns whether anything had. Blocks no reader or writer.

    The markers are in one table for all bots. A bot that came after they were analysed, or a collection whose markers did, is
    unknown to the planner, however large the table: it would compare each of those rows with each. Who writes markers where
    there were few says so, and they are analysed.
    """
    rows = tx.rows("outgrown_tables", suffix=f"_{bot_id.hex}", has_new_markers=has_new_markers)
    if rows:
        tx.script(f"analyze (skip_locked) {', '.join(str(row['name']) for row in rows)}")
    return bool(rows)
