"""Keeps statistics in step with tables that grow in bursts: the planner's, and those of ranking by words.

A new partition has none, and autovacuum comes a minute later: until then the planner takes thousands of rows for one and
compares each with each. A table is analysed when it has doubled, so that all of it together costs a share of the writing.
How common a term is may be known a little late, too: the terms of a bot are counted when its passages are a fifth more or
fewer than when they were counted last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from shared.postgres import Row, Transaction

COUNTED_PASSAGES = 50_000  # of a larger bot a sample of so many is counted: seconds
SMALL_BYTES = 512 * 1024  # a bot with less is counted at every change: milliseconds


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


def count_terms_if_grown(tx: Transaction, bot_id: UUID) -> bool:
    """Count in how many passages each term occurs, if the bot's passages are many more or fewer than when it was done last."""
    due = tx.row("miscounted_terms", bot_id=bot_id, partition=bot_id.hex, small_bytes=SMALL_BYTES)
    return _count_terms(tx, bot_id, due)


def count_terms_if_outdated(tx: Transaction, bot_id: UUID) -> bool:
    """The same if something was deleted since, of which no word may stay, or once a day if anything has changed."""
    due = tx.row("outdated_terms", bot_id=bot_id, partition=bot_id.hex)
    return _count_terms(tx, bot_id, due)


def _count_terms(tx: Transaction, bot_id: UUID, due: Row | None) -> bool:
    if due is None or not tx.value("lock_term_statistics", bot_id=bot_id):
        return False
    passages = int(tx.value("count_passages", bot_id=bot_id))
    share = min(100.0, 100.0 * COUNTED_PASSAGES / max(1, passages))
    tx.execute("forget_terms", bot_id=bot_id)
    tx.execute("count_terms", bot_id=bot_id, share=share, passages=passages, table_bytes=due["table_bytes"])
    return True
