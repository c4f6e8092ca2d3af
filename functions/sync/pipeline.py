"""What the timer does: make deletes again that the catalog lost, deliver what is pending, flip what is ready, sweep what is
dead, finish deletes; audit a stretch of each collection; compare the bucket with the catalog; forget old questions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
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
from functions.sync.second_looks import SecondLook
from shared.comparing import Comparing
from shared.delivery import RESERVE_SECONDS, Delivery, KnownVectors
from shared.domain import Bot, Collection
from shared.embedders import Embedders
from shared.errors import BehindError, LockstepError, NotFoundError
from shared.ledger import DeletionLedger
from shared.linking import Linking
from shared.ports import (
    DeletionCatalog,
    DeliveryCatalog,
    DocumentCatalog,
    EmbedderChanges,
    GraphCatalog,
    Hints,
    ObjectStore,
    OperationsCatalog,
    ReadingCatalog,
    Registry,
    VectorIndex,
)
from shared.requested_exports import delete_exports_of
from shared.snapshot_vectors import LostVectors
from shared.steps import step
from shared.telemetry import logger

T = TypeVar("T", Bot, Collection)

DOCUMENTS_AT_ONCE = 50
REOPEN_BATCH = 5_000
SECOND_LOOK_SECONDS = 20 * 60.0  # longer than any function lives
RECEIPTS_AT_ONCE = 100
CORRECTIONS_AT_ONCE = 500
FORGET_ABSENT_SECONDS = 24 * 3600.0
AUDIT_SHARE = 0.5  # of the time that is left: the bucket must have its turn
COMPARING_SECONDS = 60.0  # of one bot's pairs
DELETES_AT_ONCE = 100  # that are made again between two looks at the clock
PASSAGES_AT_ONCE = 500  # whose terms are found anew in one transaction
LOGS_AT_ONCE = 5_000  # that are forgotten in one transaction


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
    graph: GraphCatalog
    operations: OperationsCatalog
    bucket: ObjectStore
    hints: Hints
    time_left: Callable[[], float]
    deletions: DeletionCatalog
    ledger: DeletionLedger
    log_retention_days: int
    second_look_seconds: float = SECOND_LOOK_SECONDS
    progress: Progress = log_progress
    backups: Callable[[], ObjectStore | None] = lambda: None  # whose newest snapshot has the vectors of a lost index

    def run(self) -> bool:
        """Returns whether everything that could be done was done."""
        is_finished = True
        # Nothing is done for a bot whose catalog may not know what was deleted of it.
        current = {bot.bot_id for bot in self.registry.bots() if self._survives(bot, self._catch_up)}
        for bot in self.registry.deleting_bots():
            is_finished &= self._survives(bot, self._remove_bot)
        active = self.registry.bots()
        bots = [bot for bot in active if bot.bot_id in current]
        is_finished &= len(bots) == len(active)
        for bot in bots:
            is_finished &= self._survives(bot, self.deliver)
            is_finished &= self._survives(bot, self._refresh_terms)
            is_finished &= self._survives(bot, self._remove_abandoned_corrections)
            is_finished &= self._survives(bot, Linking(self.graph, self.time_left).run)
        self._take_second_looks()
        opened: set[UUID] = set()
        for collection in self.registry.collections():
            is_finished &= self._survives(collection, partial(self._audit, opened=opened))
        for bot in bots:
            if bot.bot_id in opened:
                is_finished &= self._survives(bot, self.deliver)
        for bot in bots:
            is_finished &= self._survives(bot, self._scan)
            is_finished &= self._survives(bot, self._forget_logs)
        for bot in bots:  # last: nobody waits for it
            is_finished &= self._survives(bot, self._compare)
        return is_finished

    def comparer(self) -> Comparer:
        return Comparer(self.registry, self.catalog, self.index)

    def healer(self) -> Healer:
        return Healer(self.catalog, self.index)

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
        with closing(LostVectors(bot, self.backups)) as lost_vectors:
            return self._deliver_all(bot, lost_vectors.known_vectors)

    def _deliver_all(self, bot: Bot, known_vectors: KnownVectors) -> bool:
        delivered: set[UUID] = set()
        while self.time_left() > RESERVE_SECONDS:
            unfinished = set(self.catalog.unfinished_documents(bot, len(delivered) + DOCUMENTS_AT_ONCE)) - delivered
            if not unfinished:
                return not delivered or not self.catalog.unfinished(bot, sorted(delivered))
            self._delivery(bot, known_vectors).run(bot, sorted(unfinished))
            delivered |= unfinished
        return False

    def _reopen_unproven(self, bot: Bot) -> None:
        """Find out if the collection was lost or made anew since; then everything is delivered again."""
        incarnation = self.index.incarnation(bot.collection)
        if incarnation is None or incarnation != bot.collection.incarnation:
            incarnation = self._delivery(bot).ensure_collection(bot)
        while reopened := self.catalog.reopen_unproven(bot, incarnation, REOPEN_BATCH):
            step("sync.markers-reopened")
            logger().warning("rows were proven on a collection that is gone", bot=bot.slug, passages=reopened)

    def _delivery(self, bot: Bot, known_vectors: KnownVectors | None = None) -> Delivery:
        return Delivery(
            registry=self.registry,
            catalog=self.catalog,
            index=self.index,
            embedder=self.embedders.of(bot.collection),
            hints=self.hints,
            time_left=self.time_left,
            carried=DeliveryProgress(bot, self.catalog, self.progress).carried,
            known_vectors=known_vectors,
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

    def _remove_abandoned_corrections(self, bot: Bot) -> bool:
        """What corrects a document that was deleted holds something of it, and goes with it."""
        keys = self.documents.abandoned_corrections(bot, CORRECTIONS_AT_ONCE)
        if keys:
            check_bucket(self.bucket, bot.collection.deployment_id)
        for key in keys:
            self.bucket.delete(key)
            step("correct.abandoned-removed")
            self.hints.object_changed(key)
        return len(keys) < CORRECTIONS_AT_ONCE

    def _refresh_terms(self, bot: Bot) -> bool:
        while self.time_left() > RESERVE_SECONDS:
            if not self.reading.refresh_terms(bot, PASSAGES_AT_ONCE):
                return True
            step("sync.terms-refreshed")
        return False

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

    def _compare(self, bot: Bot) -> bool:
        """For a while; what was asked for meanwhile comes first, then the rest."""
        kept = max(0.0, self.time_left() - COMPARING_SECONDS - RESERVE_SECONDS)
        is_finished = Comparing(self.graph, self.index, lambda: self.time_left() - kept).run(bot)
        if not is_finished:
            self.hints.sync_wanted()
        return is_finished

    def _forget_logs(self, bot: Bot) -> bool:
        while self.time_left() > RESERVE_SECONDS:
            forgotten = self.reading.forget_logs(bot, days=self.log_retention_days, limit=LOGS_AT_ONCE)
            step("delete.old-logs-forgotten")
            if forgotten < LOGS_AT_ONCE:
                return True
        return False

    def _remove_bot(self, bot: Bot) -> bool:
        if bucket_deployment(self.bucket) is not None:  # what lies in another deployment's bucket is not ours to remove
            check_bucket(self.bucket, bot.collection.deployment_id)
        for version in self.bucket.list(f"{bot.slug}/"):
            if self.time_left() < RESERVE_SECONDS:
                return False
            self.bucket.delete(version.key)
        step("bot-deletion.objects-removed")
        if not self._empty_index(bot):
            return False
        step("bot-deletion.index-emptied")
        self._remove_exports(bot)
        step("bot-deletion.exports-removed")
        self.registry.drop_bot(bot)
        step("bot-deletion.finished")
        return True

    def _remove_exports(self, bot: Bot) -> int:
        """Returns how many objects of its exports there were."""
        backups = self.backups()
        return delete_exports_of(backups, bot.bot_id) if backups else 0

    def _empty_index(self, bot: Bot) -> bool:
        collections = (bot.collection, *bot.other_collections)
        return all(remove_rows(bot, collection, self.index) for collection in collections)

    def _take_second_looks(self) -> None:
        second_look = SecondLook(self.catalog, self.deletions, self.index, self._remove_exports)
        for receipt in self.catalog.receipts_to_finish(RECEIPTS_AT_ONCE, self.second_look_seconds):
            self._survives(self.registry.bot_by_id(receipt["bot_id"]), partial(second_look.finish, receipt))
