"""Puts what went live into the graph of its bot. It comes after the proof of delivery, and nothing waits for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.delivery import RESERVE_SECONDS
from shared.domain import Bot
from shared.ports import GraphCatalog
from shared.steps import step

PAIRS_AT_ONCE = 50  # in one transaction


@dataclass(frozen=True, slots=True)
class Linking:
    """Links contents of pairs a batch at a time. Another worker may go on after any of them."""

    graph: GraphCatalog
    time_left: Callable[[], float]

    def run(self, bot: Bot, document_ids: Sequence[UUID] | None = None) -> bool:
        """Link what those documents have that is not linked yet, by default all of the bot's; returns whether that was all.

        Raises StoreUnavailableError; nothing is lost by that.
        """
        while self.time_left() > RESERVE_SECONDS:
            linked = self.graph.link(bot, limit=PAIRS_AT_ONCE, document_ids=document_ids)
            if linked:
                step("graph.pairs-linked")
            if linked < PAIRS_AT_ONCE:
                return True
        return False
