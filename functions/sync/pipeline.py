"""What the timer does: deliver what is pending, flip what is ready, sweep what is dead, finish deletes; then audit a
stretch of each collection; then compare the bucket with the catalog."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from uuid import UUID, uuid4

from functions.sync.audit import Audit
from functions.sync.bucket_scan import BucketScan, bucket_deployment, check_bucket
from functions.sync.comparison import Comparer
from functions.sync.former import leave_former, remove_rows
from functions.sync.healing import Healer
from functions.sync.progress import DeliveryProgress, Progress, log_progress
from shared.delivery import RESERVE_SECONDS, Delivery
from shared.domain import Bot, Collection
from shared.embedders import Embedders
from shared.errors import LockstepError
from shared.ports import (
    DeliveryCatalog,
    DocumentCatalog,
    EmbedderChanges,
    Hints,
    ObjectStore,
    OperationsCatalog,
    ReadingCatalog,
    Registry,
    VectorIndex,
)
from shared.telemetry import logger

T = TypeVar("T", Bot, Collection)

DOCUMENTS_AT_ONCE = 50
REOPEN_BATCH = 5_000
SECOND_LOOK_SECONDS = 20 * 60.0  # longer than any function lives
RECEIPTS_AT_ONCE = 100
FORGET_ABSENT_SECONDS = 24 * 3600.0
AUDIT_SHARE = 0.5  # of the time that is left: the bucket must have its turn


@dataclass(frozen=True, slots=True)
class Sync:
    """One run of the timer. Whatever is not finished in time is taken up by the next."""

    registry: Registry
    documents: DocumentCatalog
    catalog: DeliveryCatalog
    reading: ReadingCatalog
    index: VectorIndex
    embedders: Embedders  # opened only when there is something to embed or to check
    changes: EmbedderChanges
    operations: OperationsCatalog
    bucket: ObjectStore
    hints: Hints
    time_left: Callable[[], float]
    second_look_seconds: float = SECOND_LOOK_SECONDS
    progress: Progress = log_progress

    def run(self) -> bool:
        """Returns whether everything that could be done was done."""
        is_finished = True
        for bot in self.registry.deleting_bots():
            is_finished &= self._survives(bot, self._remove_bot)
        bots = self.registry.bots()
        for bot in bots:
            is_finished &= self._survives(bot, self.deliver)
        self._take_second_looks()
        opened: set[UUID] = set()
        for collection in self.registry.collections():
            is_finished &= self._survives(collection, partial(self._audit, opened=opened))
        for bot in bots:
            if bot.bot_id in opened:
                is_finished &= self._survives(bot, self.deliver)
        for bot in bots:
            is_finished &= self._survives(bot, self._scan)
        return is_finished

    def comparer(self) -> Comparer:
        return Comparer(self.registry, self.catalog, self.index)

    def healer(self) -> Healer:
        return Healer(self.catalog, self.index)

    def _survives(self, subject: T, work: Callable[[T], bool]) -> bool:
        """One bot's trouble must not keep the others waiting."""
        whose: dict[str, Any] = {"bot": subject.slug} if isinstance(subject, Bot) else {"collection": subject.name}
        try:
            return self.time_left() > RESERVE_SECONDS and work(subject)
        except LockstepError as error:
            logger().error("sync failed", **whose, error=f"{type(error).__name__}: {error}")
        except Exception:
            logger().exception("sync failed", **whose)
        return False

    def deliver(self, bot: Bot) -> bool:
        """Bring everything of the bot as far as time allows; returns whether nothing was left to do."""
        self.catalog.fail_exhausted(bot)
        self.catalog.forget_old_absent(bot, FORGET_ABSENT_SECONDS)
        self.reading.roll_up_analytics(bot)
        is_finished = True
        for view in self.embedders.views(bot):
            is_finished &= self._deliver(view)
        leave_former(bot, self.registry, self.changes, self.index, settled_seconds=self.second_look_seconds)
        return is_finished

    def _deliver(self, bot: Bot) -> bool:
        self._reopen_unproven(bot)
        delivered: set[UUID] = set()
        while self.time_left() > RESERVE_SECONDS:
            unfinished = set(self.catalog.unfinished_documents(bot, len(delivered) + DOCUMENTS_AT_ONCE)) - delivered
            if not unfinished:
                return not delivered or not self.catalog.unfinished(bot, sorted(delivered))
            self._delivery(bot).run(bot, sorted(unfinished))
            delivered |= unfinished
        return False

    def _reopen_unproven(self, bot: Bot) -> None:
        """Find out if the collection was lost or made anew since; then everything is delivered again."""
        incarnation = self.index.incarnation(bot.collection)
        if incarnation is None or incarnation != bot.collection.incarnation:
            incarnation = self._delivery(bot).ensure_collection(bot)
        while reopened := self.catalog.reopen_unproven(bot, incarnation, REOPEN_BATCH):
            logger().warning("rows were proven on a collection that is gone", bot=bot.slug, passages=reopened)

    def _delivery(self, bot: Bot) -> Delivery:
        return Delivery(
            registry=self.registry,
            catalog=self.catalog,
            index=self.index,
            embedder=self.embedders.of(bot.collection),
            hints=self.hints,
            time_left=self.time_left,
            carried=DeliveryProgress(bot, self.catalog, self.progress).carried,
        )

    def _audit(self, collection: Collection, opened: set[UUID]) -> bool:
        reserved = self.time_left() * (1 - AUDIT_SHARE)
        audit = Audit(
            registry=self.registry,
            comparer=self.comparer(),
            healer=self.healer(),
            operations=self.operations,
            time_left=lambda: self.time_left() - reserved,
            holder=uuid4(),
        )
        return audit.audit_collection(collection, opened)

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

    def _remove_bot(self, bot: Bot) -> bool:
        if bucket_deployment(self.bucket) is not None:  # what lies in another deployment's bucket is not ours to remove
            check_bucket(self.bucket, bot.collection.deployment_id)
        for version in self.bucket.list(f"{bot.slug}/"):
            if self.time_left() < RESERVE_SECONDS:
                return False
            self.bucket.delete(version.key)
        if not self._empty_index(bot):
            return False
        self.registry.drop_bot(bot)
        return True

    def _empty_index(self, bot: Bot) -> bool:
        collections = (bot.collection, *bot.other_collections)
        return all(remove_rows(bot, collection, self.index) for collection in collections)

    def _take_second_looks(self) -> None:
        """Look again behind every delete, now that no worker is alive which could still write for it."""
        for receipt in self.catalog.receipts_to_finish(RECEIPTS_AT_ONCE, self.second_look_seconds):
            if self.time_left() < RESERVE_SECONDS:
                return
            bot = self.registry.bot_by_id(receipt["bot_id"])
            if self._is_gone(bot, receipt):
                self.catalog.finish_receipt(receipt["tombstone_id"])

    def _is_gone(self, bot: Bot, receipt: Mapping[str, Any]) -> bool:
        if receipt["kind"] == "bot":
            return self._empty_index(bot)
        passage_ids = self.catalog.absent_passages(bot.bot_id, receipt["document_id"])
        collections = (bot.collection, *bot.other_collections)
        return all(self._are_gone(bot.within(collection), passage_ids) for collection in collections)

    def _are_gone(self, bot: Bot, passage_ids: Sequence[UUID]) -> bool:
        for begin in range(0, len(passage_ids), DOCUMENTS_AT_ONCE):
            batch = passage_ids[begin : begin + DOCUMENTS_AT_ONCE]
            if back := self.index.present(bot.collection, bot.bot_id, batch):
                logger().error("a deleted passage had come back", bot=bot.slug, passages=len(back))
                self.index.delete(bot.collection, bot.bot_id, sorted(back))
                return False
        return True
