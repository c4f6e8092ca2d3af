"""Tells of documents that went live, were rejected or failed, after that is committed: at least once, and never in its way.

What was told stands beside the document. So a process that dies between flip and notice, or a receiver that is away, only
delays the notice to the next run of ingest or sync on the bot.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

from shared.delivery import RESERVE_SECONDS
from shared.domain import Bot
from shared.errors import LockstepError
from shared.ports import Notifier, OperationsCatalog, Registry
from shared.telemetry import count, logger

NOTICES_AT_ONCE = 100
LEASE_SECONDS = 120.0
NEWS_SECONDS = 24 * 3600.0  # what is older is no news: a receiver that was away for a day reads the API


def tell_of_documents(
    bot: Bot,
    *,
    registry: Registry,
    catalog: OperationsCatalog,
    notifier: Callable[[], Notifier],
    time_left: Callable[[], float],
) -> None:
    """Send every notice that is due; the first that fails ends it, until the next time. Raises nothing."""
    name, holder = f"notices:{bot.bot_id}", uuid4()
    try:
        if registry.claim_lease(name, holder, LEASE_SECONDS) is None:
            return  # another worker tells of them
        try:
            _tell(bot, catalog, notifier(), time_left)
        finally:
            registry.release_lease(name, holder)
    except LockstepError as error:
        count("notices", outcome="failed")
        logger().warning("a notice could not be sent", bot=bot.slug, error=f"{type(error).__name__}: {error}")


def _tell(bot: Bot, catalog: OperationsCatalog, notifier: Notifier, time_left: Callable[[], float]) -> None:
    while notices := catalog.untold(bot, NEWS_SECONDS, NOTICES_AT_ONCE):
        for notice in notices:
            if time_left() < RESERVE_SECONDS:
                return
            notifier.notify(notice)
            catalog.mark_told(bot, notice)
            count("notices", outcome="sent")
