"""What the timer does: deliver what is pending, flip what is ready, sweep what is dead, finish deletes, scan the bucket."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from functions.sync.bucket_scan import BucketScan, bucket_deployment, check_bucket
from shared.delivery import RESERVE_SECONDS, Delivery, KnownVectors
from shared.domain import Bot
from shared.errors import CollectionMissingError, LockstepError
from shared.ports import (
    DeliveryCatalog,
    DocumentCatalog,
    Embedder,
    Hints,
    ObjectStore,
    ReadingCatalog,
    Registry,
    VectorIndex,
)
from shared.snapshot_vectors import LostVectors
from shared.telemetry import logger

DOCUMENTS_AT_ONCE = 50
REOPEN_BATCH = 5_000
SECOND_LOOK_SECONDS = 20 * 60.0  # longer than any function lives
RECEIPTS_AT_ONCE = 100
FORGET_ABSENT_SECONDS = 24 * 3600.0


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
    second_look_seconds: float = SECOND_LOOK_SECONDS
    backups: Callable[[], ObjectStore | None] = lambda: None  # whose newest snapshot has the vectors of a lost index

    def run(self) -> bool:
        """Returns whether everything that could be done was done."""
        is_finished = True
        for bot in self.registry.deleting_bots():
            is_finished &= self._survives(bot, self._remove_bot)
        for bot in self.registry.bots():
            is_finished &= self._survives(bot, self._deliver)
            is_finished &= self._survives(bot, self._scan)
        self._take_second_looks()
        return is_finished

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
        with closing(LostVectors(bot, self.backups)) as lost_vectors:
            return self._deliver_all(bot, self._delivery(lost_vectors.known_vectors))

    def _deliver_all(self, bot: Bot, delivery: Delivery) -> bool:
        delivered: set[UUID] = set()
        while self.time_left() > RESERVE_SECONDS:
            unfinished = set(self.catalog.unfinished_documents(bot, len(delivered) + DOCUMENTS_AT_ONCE)) - delivered
            if not unfinished:
                return not delivered or not self.catalog.unfinished(bot, sorted(delivered))
            delivery.run(bot, sorted(unfinished))
            delivered |= unfinished
        return False

    def _reopen_unproven(self, bot: Bot) -> None:
        """Find out if the collection was lost or made anew since; then everything is delivered again."""
        incarnation = self.index.incarnation(bot.collection)
        if incarnation is None or incarnation != bot.collection.incarnation:
            incarnation = self._delivery().ensure_collection(bot)
        while reopened := self.catalog.reopen_unproven(bot, incarnation, REOPEN_BATCH):
            logger().warning("rows were proven on a collection that is gone", bot=bot.slug, passages=reopened)

    def _delivery(self, known_vectors: KnownVectors | None = None) -> Delivery:
        return Delivery(
            registry=self.registry,
            catalog=self.catalog,
            index=self.index,
            embedder=self.embedder(),
            hints=self.hints,
            time_left=self.time_left,
            known_vectors=known_vectors,
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
        try:
            self.index.delete_bot(bot.collection, bot.bot_id)
            return self.index.is_empty(bot.collection, bot.bot_id)
        except CollectionMissingError:
            return True

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
        for begin in range(0, len(passage_ids), DOCUMENTS_AT_ONCE):
            batch = passage_ids[begin : begin + DOCUMENTS_AT_ONCE]
            if back := self.index.present(bot.collection, bot.bot_id, batch):
                logger().error("a deleted passage had come back", bot=bot.slug, passages=len(back))
                self.index.delete(bot.collection, bot.bot_id, sorted(back))
                return False
        return True
