"""Tells every few seconds how far a delivery has come: a lost index takes a while to be built anew."""

from __future__ import annotations

import time
from collections.abc import Callable

from shared.domain import Bot
from shared.ports import DeliveryCatalog
from shared.telemetry import logger

INTERVAL_SECONDS = 10.0

Progress = Callable[[Bot, int, int], None]  # passages carried out so far, passages that still wait


def log_progress(bot: Bot, carried: int, waiting: int) -> None:
    logger().info("delivering", bot=bot.slug, carried=carried, waiting=waiting)


class DeliveryProgress:
    """Hears of every batch of one bot, and tells of them now and then."""

    def __init__(self, bot: Bot, catalog: DeliveryCatalog, progress: Progress) -> None:
        self._bot = bot
        self._catalog = catalog
        self._progress = progress
        self._carried = 0
        self._told_at = time.monotonic()

    def carried(self, passages: int) -> None:
        self._carried += passages
        if time.monotonic() - self._told_at >= INTERVAL_SECONDS:
            self._progress(self._bot, self._carried, self._catalog.known_passages(self._bot))
            self._told_at = time.monotonic()
