"""A change of embedder: builds a bot's next collection beside the one that answers, and moves the bot over.

From the first commit on, every passage that anybody writes gets a marker for both collections. What was there before is
marked here, a stretch at a time, and delivered with the new embedder; then one UPDATE moves the bot, if nothing is missing.
Killed anywhere and run again, it goes on where it stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from functions.sync.pipeline import SECOND_LOOK_SECONDS
from shared.delivery import LEASE_SECONDS, RESERVE_SECONDS, Delivery
from shared.domain import Bot, ChangeProgress, Collection
from shared.ports import DeliveryCatalog, Embedder, EmbedderChanges, Hints, Registry, VectorIndex
from shared.steps import step

MARKERS_AT_ONCE = 5_000
DOCUMENTS_AT_ONCE = 50
REPORT_SECONDS = 30.0
PATIENCE_SECONDS = LEASE_SECONDS + 10.0  # what a worker that was killed had claimed is free again after that
PAUSE_SECONDS = 2.0
FAILURES_TOLD = 5


@dataclass(frozen=True, slots=True)
class Reembed:
    """Moves bots into the collection of `embedder`."""

    registry: Registry
    changes: EmbedderChanges
    catalog: DeliveryCatalog
    index: VectorIndex
    embedder: Embedder
    hints: Hints
    report: Callable[[str], None]
    settled_seconds: float = SECOND_LOOK_SECONDS
    pause: Callable[[float], None] = time.sleep

    def move(self, bot: Bot, collection: Collection) -> bool:
        """Build what is missing, and let the bot answer from that collection; returns whether it does.

        Raises ConflictError while another change is not finished, and whatever a store raises: run it again then.
        """
        while self.build(bot, collection):
            if self.changes.move(bot):
                step("reembed.moved")
                self.report(f"{bot.slug}: moved, it answers with {collection.embedder} now")
                return True
            # Something was written since it was complete: once more round.
        return False

    def build(self, bot: Bot, collection: Collection) -> bool:
        """Build the bot's next collection; returns whether it is complete. The bot answers from its own meanwhile.

        Raises what `move` raises.
        """
        moving = self.changes.begin(bot, collection, settled_seconds=self.settled_seconds)
        step("reembed.begun")
        view = moving.within(collection)
        self.changes.retry(view, collection)
        while True:
            self._mark(view)
            progress = self._deliver(view)
            if progress.is_complete:
                return True
            if not progress.unmarked and progress == self.changes.progress(view, collection):
                self._tell_failures(view, progress)
                return False

    def _mark(self, view: Bot) -> None:
        after = UUID(int=0)
        while last := self.changes.add_markers(view, view.collection, after=after, limit=MARKERS_AT_ONCE):
            step("reembed.markers-added")
            after = last

    def _deliver(self, view: Bot) -> ChangeProgress:
        """Until nothing is left that can be delivered now. What another worker has claimed is waited for."""
        self._reopen_unproven(view)
        before, since = self._told_progress(view), time.monotonic()
        while not before.is_complete:
            self._deliver_once(view)
            now = self._told_progress(view)
            if now != before:
                before, since = now, time.monotonic()
            elif not now.leased or time.monotonic() - since > PATIENCE_SECONDS:
                return now
            else:
                self.pause(PAUSE_SECONDS)
        return before

    def _deliver_once(self, view: Bot) -> None:
        """What is due, for about as long as a person likes to wait for news."""
        delivery = self._delivery()
        done: set[UUID] = set()
        while delivery.time_left() > RESERVE_SECONDS:
            waiting = set(self.catalog.unfinished_documents(view, len(done) + DOCUMENTS_AT_ONCE)) - done
            if not waiting:
                return
            delivery.run(view, sorted(waiting))
            step("reembed.documents-delivered")
            done |= waiting

    def _reopen_unproven(self, view: Bot) -> None:
        """What was proven on a collection that was lost since is delivered again."""
        incarnation = self._delivery().ensure_collection(view)
        step("reembed.collection-created")
        while self.catalog.reopen_unproven(view, incarnation, MARKERS_AT_ONCE):
            step("reembed.markers-reopened")

    def _delivery(self) -> Delivery:
        return Delivery(
            registry=self.registry,
            catalog=self.catalog,
            index=self.index,
            embedder=self.embedder,
            hints=self.hints,
            time_left=_stopwatch(RESERVE_SECONDS + REPORT_SECONDS),
        )

    def _told_progress(self, view: Bot) -> ChangeProgress:
        progress = self.changes.progress(view, view.collection)
        self.report(f"{view.slug}: {progress.proven:,} of {progress.passages:,} passages")
        return progress

    def _tell_failures(self, view: Bot, progress: ChangeProgress) -> None:
        missing = progress.passages - progress.proven
        self.report(f"{view.slug}: {missing:,} passages are missing still, and it answers as before. Run this again.")
        for object_key, error in self.changes.failures(view, view.collection, FAILURES_TOLD):
            self.report(f"  {object_key}: {error}")


def _stopwatch(seconds: float) -> Callable[[], float]:
    deadline = time.monotonic() + seconds
    return lambda: deadline - time.monotonic()
