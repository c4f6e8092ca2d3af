"""Heals what a comparison found. What is live stays live meanwhile, and no answer can be wrong by it.

Readers take content from the catalog, so that a missing or corrupt row can at worst rank wrongly until it is written anew,
and an orphan is never vouched for.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from uuid import UUID

from functions.sync.comparison import Comparison
from shared.domain import Bot, Collection, Drift
from shared.ports import DeliveryCatalog, VectorIndex
from shared.steps import step
from shared.telemetry import logger

DELETED_AT_ONCE = 500
NAMED_IN_LOG = 5


@dataclass(frozen=True, slots=True)
class Healer:
    """Removes orphans; opens the markers of what is missing or corrupt again, so that delivery does the rest."""

    catalog: DeliveryCatalog
    index: VectorIndex

    def heal(self, collection: Collection, found: Comparison) -> set[UUID]:
        """Returns the bots that have something to deliver by it."""
        self._remove_orphans(collection, found)
        return self._reopen(collection, found)

    def remint(self, bot: Bot) -> Drift:
        """Mint passages anew that a live generation holds although no marker wants them."""
        minted = sum(self.catalog.remint(bot, document_id) for document_id in self.catalog.unmarked_members(bot))
        if minted:
            step("audit.passages-minted-anew")
            logger().warning("markers were gone: passages are delivered under new ids", bot=bot.slug, passages=minted)
        return Drift(checked=minted, missing=minted)

    def _remove_orphans(self, collection: Collection, found: Comparison) -> None:
        by_bot: dict[UUID, list[str]] = defaultdict(list)
        for row in found.orphaned:
            assert row.bot_id is not None
            by_bot[row.bot_id].append(row.key)
        for bot_id, keys in by_bot.items():
            for begin in range(0, len(keys), DELETED_AT_ONCE):
                self.index.delete(collection, bot_id, keys[begin : begin + DELETED_AT_ONCE])
            step("audit.orphans-removed")
            logger().warning(
                "orphaned rows removed from the index", bot_id=str(bot_id), rows=len(keys), keys=keys[:NAMED_IN_LOG]
            )

    def _reopen(self, collection: Collection, found: Comparison) -> set[UUID]:
        by_bot: dict[UUID, list[UUID]] = defaultdict(list)
        for marker in (*found.missing, *found.corrupt):
            by_bot[marker.bot_id].append(marker.passage_id)
        opened = set()
        for bot_id, passage_ids in by_bot.items():
            count = self.catalog.reopen(collection, bot_id, passage_ids)
            step("audit.markers-reopened")
            logger().warning(
                "passages are missing from the index or differ from what was proven: they are delivered again",
                bot_id=str(bot_id),
                passages=count,
                passage_ids=[str(passage_id) for passage_id in passage_ids[:NAMED_IN_LOG]],
            )
            if count < len(passage_ids):
                logger().error(
                    "passages differ whose content the catalog does not have",
                    bot_id=str(bot_id),
                    passages=len(passage_ids) - count,
                )
            if count:
                opened.add(bot_id)
        return opened
