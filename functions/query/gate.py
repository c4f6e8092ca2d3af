"""Lets a request through to a bot only if the catalog knows every delete that the ledger has of it.

A catalog that was restored, or set back in time, would answer with what was deleted since. So a process compares the two
when it first meets a bot, whenever it had to connect to the catalog anew, and now and then.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from shared.domain import Bot
from shared.errors import StoreUnavailableError
from shared.ledger import DeletionLedger
from shared.ports import DeletionCatalog, Registry
from shared.telemetry import logger

CHECK_SECONDS = 30.0
TRUST_SECONDS = 600.0  # how long the last check counts while the bucket is away, on the same connections
DELETES_AT_ONCE = 20  # that a request makes again itself; with more missing it is refused, and the next goes on


@dataclass(frozen=True, slots=True)
class _Check:
    at: float
    connections: int


@dataclass(frozen=True, slots=True)
class Gate:
    """Safe for threads: two that check at once do the same thing twice."""

    registry: Registry
    deletions: DeletionCatalog
    ledger: Callable[[], DeletionLedger]
    clock: Callable[[], float] = time.monotonic
    checks: dict[UUID, _Check] = field(default_factory=dict)

    def bot(self, slug: str) -> Bot:
        """Raises NotFoundError, BehindError while deletes are being made again, StoreUnavailableError."""
        bot = self.registry.bot(slug)
        last, now, connections = self.checks.get(bot.bot_id), self.clock(), self.deletions.connections
        is_same = last is not None and last.connections == connections
        if last is not None and is_same and now - last.at < CHECK_SECONDS:
            return bot
        try:
            missing = self.ledger().catch_up(bot, at_most=DELETES_AT_ONCE)
        except StoreUnavailableError as error:
            if last is None or not is_same or now - last.at > TRUST_SECONDS:
                raise
            logger().warning("the deletion ledger cannot be read: the last look at it counts", error=str(error))
            return bot
        self.checks[bot.bot_id] = _Check(now, connections)
        return self.registry.bot(slug) if missing else bot
