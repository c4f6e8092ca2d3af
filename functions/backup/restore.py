"""Restores a snapshot: rows with new passage ids, vectors copied rather than embedded, flipped like any generation."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from functions.backup.manifest import BotManifest, Manifest, open_part
from functions.backup.snapshot import Report
from functions.backup.tables import CatalogTables
from functions.backup.vectors import VectorFiles
from shared.delivery import Delivery
from shared.domain import Bot, Buried, Collection
from shared.errors import ConflictError, LockstepError, NotFoundError
from shared.hints import NoHints
from shared.ledger import DeletionLedger
from shared.ports import DeliveryCatalog, DocumentCatalog, Embedder, ObjectStore, Registry, VectorIndex
from shared.steps import step

DOCUMENTS_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Restore:
    """Restores bots that the deployment does not have: an empty one gets them all."""

    registry: Registry
    documents: DocumentCatalog
    catalog: DeliveryCatalog
    tables: CatalogTables
    index: VectorIndex
    embedder: Embedder
    bucket: ObjectStore
    backups: ObjectStore
    collection: Callable[[], Collection]
    time_left: Callable[[], float]
    report: Report
    ledger: DeletionLedger
    brings_back_deleted_bots: bool = False

    def run(self, manifest: Manifest, only: Sequence[str] | None = None) -> list[Bot]:
        """Raises ConflictError for bots that are there, LockstepError if what was restored is not what was saved."""
        chosen = [bot for bot in manifest.bots if not only or bot.slug in only]
        if missing := set(only or ()) - {bot.slug for bot in chosen}:
            raise NotFoundError(f"The snapshot has no bot {', '.join(sorted(missing))}.")
        there = {bot.slug for bot in (*self.registry.bots(), *self.registry.deleting_bots())}
        if taken := sorted(there & {bot.slug for bot in chosen}):
            raise ConflictError(
                f"{', '.join(taken)} is here already, and nothing is overwritten. Restore other bots with --bot, or into "
                "an empty deployment (a new state folder: lockstep up --state FOLDER --restore URL)."
            )
        created_at = datetime.fromisoformat(manifest.created_at)
        if not self.brings_back_deleted_bots:
            self._refuse_deleted(chosen, created_at)
        return [self._restore_bot(bot, created_at) for bot in chosen]

    def _refuse_deleted(self, chosen: Sequence[BotManifest], created_at: datetime) -> None:
        """Raises ConflictError for a bot that somebody deleted after the snapshot."""
        for bot in chosen:
            since = self.ledger.deletions(bot.slug, since=created_at)
            if deleted := next((deletion for deletion in since if deletion.kind == "bot"), None):
                raise ConflictError(
                    f"{bot.slug!r} was deleted at {deleted.deleted_at:%Y-%m-%d %H:%M:%S}, after this snapshot, and what is "
                    "deleted stays deleted. To have it again nevertheless, restore with --bring-back-deleted-bots."
                )

    def _restore_bot(self, manifest: BotManifest, created_at: datetime) -> Bot:
        self.report(f"{manifest.slug}: {manifest.documents:,} documents, {manifest.passages:,} passages")
        restore_id = secrets.token_hex(16)
        self.tables.copy_in(manifest, self.backups, self.collection(), restore_id)
        step("restore.rows-copied")
        bot = self.registry.bot(manifest.slug)
        deleted = self._delete_again(bot)  # before anything of it can answer
        self._deliver(bot, manifest, restore_id)
        self._verify(bot, manifest, deleted)
        self._restore_objects(bot, manifest, self._deleted_objects(bot, deleted, created_at))
        return bot

    def _delete_again(self, bot: Bot) -> Sequence[Buried]:
        """What the snapshot held and was deleted after it."""
        self.ledger.catch_up(bot)
        step("restore.ledger-followed")
        deleted = self.ledger.catalog.buried(bot)
        if deleted:
            self.report(f"{bot.slug}: {len(deleted):,} were deleted since, and stay deleted")
        return deleted

    def _deleted_objects(self, bot: Bot, deleted: Sequence[Buried], created_at: datetime) -> set[str]:
        """Keys that must not be filled again: what lies under one becomes a new document, which the ledger does not know."""
        since = self.ledger.deletions(bot.slug, since=created_at)
        keys = {deletion.object_key for deletion in since if deletion.kind == "document"}
        return {key for key in keys | {each.object_key for each in deleted if each.kind == "document"} if key}

    def _deliver(self, bot: Bot, manifest: BotManifest, restore_id: str) -> None:
        vectors = self._vectors(bot, manifest, restore_id)
        delivery = Delivery(
            registry=self.registry,
            catalog=self.catalog,
            index=self.index,
            embedder=self.embedder,
            hints=NoHints(),
            time_left=self.time_left,
            known_vectors=vectors.known_vectors if vectors else None,
        )
        done: set[UUID] = set()
        try:
            while batch := self.catalog.unfinished_documents(bot, DOCUMENTS_AT_ONCE):
                if set(batch) <= done:
                    raise LockstepError(
                        f"{len(batch)} documents of {bot.slug!r} could not be delivered: see `lockstep documents`."
                    )
                delivery.run(bot, batch)
                done |= set(batch)
                self.report(f"{bot.slug}: {len(done):,} documents delivered")
        finally:
            if vectors:
                vectors.close()

    def _vectors(self, bot: Bot, manifest: BotManifest, restore_id: str) -> VectorFiles | None:
        """None if they were made by another embedder: then the passages are embedded anew."""
        collection = bot.collection
        if (manifest.model_id, manifest.model_revision) != (collection.model_id, collection.model_revision):
            self.report(f"{bot.slug}: saved with {manifest.model_id}, embedding anew with {collection.model_id}")
            return None
        parts = [part for part in manifest.parts if part.kind == "vectors"]
        return VectorFiles(parts, self.backups, dimension=manifest.dimension, restore_id=restore_id)

    def _verify(self, bot: Bot, manifest: BotManifest, deleted: Sequence[Buried]) -> None:
        documents = passages = 0
        after = ""
        while page := self.documents.documents(bot, after=after, limit=500):
            documents += sum(status.state == "live" for status in page)  # a correction may be live and out of date
            passages += sum(status.passages for status in page)
            after = page[-1].object_key
        expected_documents = manifest.documents - sum(each.kind == "document" for each in deleted)
        expected_passages = manifest.passages - sum(each.passages for each in deleted)
        if (documents, passages) != (expected_documents, expected_passages):
            raise LockstepError(
                f"{bot.slug!r} has {documents:,} live documents with {passages:,} passages after the restore; by the "
                f"manifest and the deletes since, it should have {expected_documents:,} with {expected_passages:,}."
            )
        self.report(f"{bot.slug}: verified, {documents:,} documents with {passages:,} passages are live")

    def _restore_objects(self, bot: Bot, manifest: BotManifest, deleted: set[str]) -> None:
        for part in manifest.parts:
            if part.kind != "object" or not part.name or part.name in deleted:
                continue
            if self.bucket.head(part.name) is None:
                with open_part(self.backups, part) as content:
                    self.bucket.put(part.name, content)
