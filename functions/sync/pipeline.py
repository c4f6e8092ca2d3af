"""What the timer does: make deletes again that the catalog lost, deliver what is pending, flip what is ready, sweep what is
dead, finish deletes, scan the bucket, forget old questions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from functions.sync.bucket_scan import BucketScan, bucket_deployment, check_bucket
from shared.delivery import RESERVE_SECONDS, Delivery
from shared.domain import Bot
from shared.errors import BehindError, CollectionMissingError, LockstepError, NotFoundError
from shared.ledger import DeletionLedger
from shared.ports import (
    DeletionCatalog,
    DeliveryCatalog,
    DocumentCatalog,
    Embedder,
    Hints,
    ObjectStore,
    ReadingCatalog,
    Registry,
    VectorIndex,
)
from shared.steps import step
from shared.telemetry import logger

DOCUMENTS_AT_ONCE = 50
REOPEN_BATCH = 5_000
SECOND_LOOK_SECONDS = 20 * 60.0  # longer than any function lives
RECEIPTS_AT_ONCE = 100
FORGET_ABSENT_SECONDS = 24 * 3600.0
DELETES_AT_ONCE = 100  # that are made again between two looks at the clock
LOGS_AT_ONCE = 5_000  # that are forgotten in one transaction


@dataclass(frozen=True, slots=True)
class Sync:
    """One run of the timer. Whatever is not finished in time is taken up by the next."""

    registry: Registry
    documents: DocumentCatalog
    catalog: DeliveryCatalog
    reading: ReadingCatalog
    index: VectorIndex
    embedder: Callable[[], Embedder]  # loaded only when there is something to embed or to check
    bucket: ObjectStore
    hints: Hints
    time_left: Callable[[], float]
    deletions: DeletionCatalog
    ledger: DeletionLedger
    log_retention_days: int
    second_look_seconds: float = SECOND_LOOK_SECONDS

    def run(self) -> bool:
        """Returns whether everything that could be done was done."""
        is_finished = True
        # Nothing is done for a bot whose catalog may not know what was deleted of it.
        current = {bot.bot_id for bot in self.registry.bots() if self._survives(bot, self._catch_up)}
        for bot in self.registry.deleting_bots():
            is_finished &= self._survives(bot, self._remove_bot)
        for bot in self.registry.bots():
            if bot.bot_id not in current:
                is_finished = False
                continue
            is_finished &= self._survives(bot, self._deliver)
            is_finished &= self._survives(bot, self._scan)
            is_finished &= self._survives(bot, self._forget_logs)
        self._take_second_looks()
        return is_finished

    def _catch_up(self, bot: Bot) -> bool:
        while self.time_left() > RESERVE_SECONDS:
            try:
                self.ledger.catch_up(bot, at_most=DELETES_AT_ONCE)
            except BehindError:
                continue
            except NotFoundError:  # the bot itself is deleted again
                return True
            self.ledger.settle(bot)
            return True
        return False

    def _survives(self, bot: Bot, work: Callable[[Bot], bool]) -> bool:
        """One bot's trouble must not keep the others waiting."""
        try:
            return self.time_left() > RESERVE_SECONDS and work(bot)
        except LockstepError as error:
            logger().error("sync failed for a bot", bot=bot.slug, error=f"{type(error).__name__}: {error}")
        except Exception:
            logger().exception("sync failed for a bot", bot=bot.slug)
        return False

    def _deliver(self, bot: Bot) -> bool:
        self.catalog.fail_exhausted(bot)
        self.catalog.forget_old_absent(bot, FORGET_ABSENT_SECONDS)
        self.reading.roll_up_analytics(bot)
        self._reopen_unproven(bot)
        delivered: set[UUID] = set()
        while self.time_left() > RESERVE_SECONDS:
            unfinished = set(self.catalog.unfinished_documents(bot, len(delivered) + DOCUMENTS_AT_ONCE)) - delivered
            if not unfinished:
                return not delivered or not self.catalog.unfinished(bot, sorted(delivered))
            self._delivery().run(bot, sorted(unfinished))
            delivered |= unfinished
        return False

    def _reopen_unproven(self, bot: Bot) -> None:
        """Find out if the collection was lost or made anew since; then everything is delivered again."""
        incarnation = self.index.incarnation(bot.collection)
        if incarnation is None or incarnation != bot.collection.incarnation:
            incarnation = self._delivery().ensure_collection(bot)
        while reopened := self.catalog.reopen_unproven(bot, incarnation, REOPEN_BATCH):
            logger().warning("rows were proven on a collection that is gone", bot=bot.slug, passages=reopened)

    def _delivery(self) -> Delivery:
        return Delivery(
            registry=self.registry,
            catalog=self.catalog,
            index=self.index,
            embedder=self.embedder(),
            hints=self.hints,
            time_left=self.time_left,
        )

    def _scan(self, bot: Bot) -> bool:
        check_bucket(self.bucket, bot.collection.deployment_id)
        scan = BucketScan(
            registry=self.registry,
            documents=self.documents,
            bucket=self.bucket,
            hints=self.hints,
            time_left=self.time_left,
            holder=uuid4(),
        )
        return scan.scan(bot)

    def _forget_logs(self, bot: Bot) -> bool:
        while self.time_left() > RESERVE_SECONDS:
            forgotten = self.reading.forget_logs(bot, days=self.log_retention_days, limit=LOGS_AT_ONCE)
            if forgotten < LOGS_AT_ONCE:
                return True
            step("delete.old-logs-forgotten")
        return False

    def _remove_bot(self, bot: Bot) -> bool:
        if bucket_deployment(self.bucket) is not None:  # what lies in another deployment's bucket is not ours to remove
            check_bucket(self.bucket, bot.collection.deployment_id)
        for version in self.bucket.list(f"{bot.slug}/"):
            if self.time_left() < RESERVE_SECONDS:
                return False
            self.bucket.delete(version.key)
        step("delete.objects-removed")
        if not self._empty_index(bot):
            return False
        step("delete.index-emptied")
        self.registry.drop_bot(bot)
        step("receipt.provisional-given-for-bot")
        return True

    def _empty_index(self, bot: Bot) -> bool:
        try:
            self.index.delete_bot(bot.collection, bot.bot_id)
            return self.index.is_empty(bot.collection, bot.bot_id)
        except CollectionMissingError:
            return True

    def _take_second_looks(self) -> None:
        """Look again behind every delete, now that no worker is alive which could still write for it."""
        for receipt in self.catalog.receipts_to_finish(RECEIPTS_AT_ONCE, self.second_look_seconds):
            self._survives(self.registry.bot_by_id(receipt["bot_id"]), partial(self._finish, receipt))

    def _finish(self, receipt: Mapping[str, Any], bot: Bot) -> bool:
        """Make a receipt final if nothing is left in either store. What had come back goes, and is looked for again."""
        in_index = self._back_in_index(bot, receipt)
        in_catalog = self.deletions.remains(receipt)
        if in_catalog.get("query_logs"):  # an answer that was on its way when the document went
            self.deletions.scrub_logs(receipt)
            step("delete.late-logs-scrubbed")
        if in_index or any(in_catalog.values()):
            remains = {name: rows for name, rows in {**in_catalog, "index": in_index}.items() if rows}
            logger().error(
                "something was left behind a delete",
                bot=bot.slug,
                tombstone_id=str(receipt["tombstone_id"]),
                kind=receipt["kind"],
                remains=remains,
            )
            return False
        verified = {"catalog": in_catalog, "index": {"rows": in_index}}
        self.catalog.finish_receipt(receipt["tombstone_id"], verified)
        step("receipt.final")
        return True

    def _back_in_index(self, bot: Bot, receipt: Mapping[str, Any]) -> int:
        """How many rows of what was deleted the index had; they are deleted."""
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
        for begin in range(0, len(passage_ids), DOCUMENTS_AT_ONCE):
            batch = passage_ids[begin : begin + DOCUMENTS_AT_ONCE]
            if back := self.index.present(bot.collection, bot.bot_id, batch):
                self.index.delete(bot.collection, bot.bot_id, sorted(back))
                found += len(back)
        return found
