"""Looks again behind every delete, once no worker is alive that could still write for it; then its receipt is final."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.domain import Bot
from shared.errors import CollectionMissingError
from shared.ports import DeletionCatalog, DeliveryCatalog, VectorIndex
from shared.steps import step
from shared.telemetry import logger

ROWS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class SecondLook:
    """Makes receipts final."""

    catalog: DeliveryCatalog
    deletions: DeletionCatalog
    index: VectorIndex
    remove_exports: Callable[[Bot], int]  # and say how many objects there were

    def finish(self, receipt: Mapping[str, Any], bot: Bot) -> bool:
        """Make a receipt final if nothing is left in either store. What had come back goes, and is looked for again."""
        in_index = sum(
            self._back_in_index(bot.within(each), receipt) for each in (bot.collection, *bot.other_collections)
        )
        in_catalog = self.deletions.remains(receipt)
        if in_catalog.get("query_logs"):  # an answer that was on its way when the document went
            self.deletions.scrub_logs(receipt)
            step("delete.late-logs-scrubbed")
        exported = self.remove_exports(bot) if receipt["kind"] == "bot" else 0  # one that was being written then
        if in_index or exported or any(in_catalog.values()):
            found = {**in_catalog, "index": in_index, "objects of exports": exported}
            remains = {name: rows for name, rows in found.items() if rows}
            logger().error(
                "something was left behind a delete",
                bot=bot.slug,
                tombstone_id=str(receipt["tombstone_id"]),
                kind=receipt["kind"],
                remains=remains,
            )
            return False
        verified: dict[str, Any] = {"catalog": in_catalog, "index": {"rows": in_index}}
        if receipt["kind"] == "bot":
            verified["exports"] = {"objects": exported}
        self.catalog.finish_receipt(receipt["tombstone_id"], verified)
        step("receipt.final")
        return True

    def _back_in_index(self, bot: Bot, receipt: Mapping[str, Any]) -> int:
        """How many rows of what was deleted the bot's collection had; they are deleted."""
        try:
            return self._rows_of_bot(bot) if receipt["kind"] == "bot" else self._rows_of_document(bot, receipt)
        except CollectionMissingError:
            return 0

    def _rows_of_bot(self, bot: Bot) -> int:
        found = self.index.count(bot.collection, bot.bot_id)
        if found:
            self.index.delete_bot(bot.collection, bot.bot_id)
        return found

    def _rows_of_document(self, bot: Bot, receipt: Mapping[str, Any]) -> int:
        passage_ids = self.catalog.absent_passages(bot.bot_id, receipt["document_id"])
        found = 0
        for begin in range(0, len(passage_ids), ROWS_AT_ONCE):
            batch = passage_ids[begin : begin + ROWS_AT_ONCE]
            if back := self.index.present(bot.collection, bot.bot_id, batch):
                self.index.delete(bot.collection, bot.bot_id, sorted(back))
                found += len(back)
        return found
