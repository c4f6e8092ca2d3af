"""Brings one bot in: its rows, its vectors, and the proof that both are what the manifest says. Nobody sees it meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import md5
from typing import TYPE_CHECKING
from uuid import UUID

from functions.backup.tables import TABLES
from shared.delivery import RESERVE_SECONDS, Delivery, KnownVectors
from shared.domain import Bot, Marker, Vectors
from shared.errors import CollectionMissingError, LockstepError, StoreUnavailableError
from shared.hints import NoHints
from shared.snapshot_vectors import VectorFiles
from shared.snapshots import BotManifest
from shared.steps import step

if TYPE_CHECKING:
    from functions.backup.restore import Restore

DOCUMENTS_AT_ONCE = 200
SLICE_SECONDS = 10.0  # of delivering, until progress is told
WAIT_SECONDS = 1.0


class Arrival:
    """A bot on its way in, by the ids that it will have."""

    def __init__(self, bot_id: UUID, slug: str, restore: Restore) -> None:
        self._bot_id = bot_id
        self._slug = slug
        self._ports = restore

    def bring_in(
        self,
        manifest: BotManifest,
        restore_id: str,
        tables: Sequence[str] = TABLES,
        follow: Callable[[Bot], None] = lambda bot: None,
    ) -> Bot:
        """Copy, `follow` what happened since, deliver, verify. It may be repeated.

        Raises LockstepError if the outcome is not what was saved.
        """
        ports = self._ports
        if ports.tables.state(self._bot_id) is None:
            ports.tables.copy_in(
                manifest,
                ports.backups,
                ports.collection(),
                bot_id=self._bot_id,
                slug=self._slug,
                restore_id=restore_id,
                tables=tables,
            )
            step("restore.rows-copied")
        bot = ports.registry.bot_by_id(self._bot_id)
        follow(bot)
        self._deliver(bot, manifest, restore_id)
        self._verify()
        return bot

    def remove(self) -> None:
        """Remove every trace of it from both stores: the index first, and looked at again; the bot itself last."""
        bot = self._ports.registry.bot_by_id(self._bot_id)
        try:
            self._ports.index.delete_bot(bot.collection, self._bot_id)
            if not self._ports.index.is_empty(bot.collection, self._bot_id):
                raise StoreUnavailableError(f"The index still holds rows of {self._slug!r} after deleting them.")
        except CollectionMissingError:
            pass  # then nothing of it is there
        step("restore.index-emptied")
        self._ports.tables.drop(self._bot_id)
        step("restore.removed")

    def _deliver(self, bot: Bot, manifest: BotManifest, restore_id: str) -> None:
        vectors = self._vectors(bot, manifest, restore_id)
        try:
            before: tuple[object, ...] = ()
            while batch := self._ports.catalog.unfinished_documents(bot, DOCUMENTS_AT_ONCE):
                self._check_time()
                self._deliver_slice(bot, batch, vectors)
                waiting = self._ports.catalog.known_passages(bot)
                total = manifest.rows("passages")
                self._ports.report(f"{self._slug}: {total - waiting:,} of {total:,} passages are proven in the index")
                if before == (batch, waiting):
                    time.sleep(WAIT_SECONDS)  # under the lease of an attempt that was broken off, or to be tried again
                before = (batch, waiting)
        finally:
            if vectors:
                vectors.close()

    def _deliver_slice(self, bot: Bot, batch: Sequence[UUID], vectors: VectorFiles | None) -> None:
        slice_ends = time.monotonic() + SLICE_SECONDS
        self._ports.catalog.fail_exhausted(bot)
        delivery = Delivery(
            registry=self._ports.registry,
            catalog=self._ports.catalog,
            index=self._ports.index,
            embedder=self._ports.embedder,
            hints=NoHints(),
            time_left=lambda: min(self._ports.time_left(), RESERVE_SECONDS + slice_ends - time.monotonic()),
            known_vectors=_told_at_once(vectors) if vectors else None,
        )
        delivery.run(bot, batch)
        step("restore.slice-delivered")

    def _check_time(self) -> None:
        if self._ports.time_left() < 2 * RESERVE_SECONDS:
            raise LockstepError(f"There was not enough time to restore {self._slug!r}: started again, it goes on.")

    def _vectors(self, bot: Bot, manifest: BotManifest, restore_id: str) -> VectorFiles | None:
        """None if they were made by another embedder: then the passages are embedded anew."""
        collection = bot.collection
        if (manifest.model_id, manifest.model_revision) != (collection.model_id, collection.model_revision):
            self._ports.report(
                f"{self._slug}: saved with {manifest.model_id}, embedding anew with {collection.model_id}"
            )
            return None
        return VectorFiles(manifest, self._ports.backups, lambda passage_id: restored_id(restore_id, passage_id))

    def _verify(self) -> None:
        passages, proven = self._ports.tables.proven(self._bot_id)
        if proven != passages:
            raise LockstepError(
                f"Of {passages:,} passages of {self._slug!r} {proven:,} are proven in the index, and it answers nothing. "
                f"`lockstep restore --discard {self._slug}` removes it."
            )
        self._ports.report(
            f"{self._slug}: verified: every file by its checksum, every table by its rows, all {proven:,} passages read "
            "back from the index"
        )


def _told_at_once(files: VectorFiles) -> KnownVectors:
    """A damaged part ends the restore: delivery would blame the passages, and try each of them again and again."""

    def known_vectors(markers: Sequence[Marker]) -> Mapping[UUID, Vectors]:
        try:
            return files.known_vectors(markers)
        except StoreUnavailableError:
            raise
        except LockstepError as error:
            raise StoreUnavailableError(str(error)) from error

    return known_vectors


def restored_id(restore_id: str, passage_id: UUID) -> UUID:
    """The new id of a passage, as the catalog computes it too."""
    return UUID(md5(f"{restore_id}{passage_id}".encode(), usedforsecurity=False).hexdigest())
