"""Restores a snapshot: rows with new passage ids, vectors copied rather than embedded, proven like any other delivery.

A bot that is being restored answers nothing; it becomes active by one update, once it is whole and verified. Whatever was
broken off goes on when the same restore is started again.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from functions.backup.arrival import Arrival
from functions.backup.lease import Lease
from functions.backup.restored_tables import RestoredTables
from shared.catalog.registry import SLUG
from shared.domain import Bot, Collection, Deletion
from shared.errors import ConflictError, InvalidInputError, LeasedError, NotFoundError
from shared.ledger import DeletionLedger
from shared.ports import DeliveryCatalog, Embedder, ObjectStore, Registry, VectorIndex
from shared.snapshots import BotManifest, Manifest, Part, open_part
from shared.steps import step

TELL_EVERY_SECONDS = 5.0

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Job:
    """One bot on its way in: the ids are kept, so that another process can go on with it."""

    snapshot_id: str
    from_bot_id: str
    bot_id: UUID
    restore_id: str

    @classmethod
    def new(cls, snapshot_id: str, manifest: BotManifest) -> Job:
        return cls(snapshot_id, manifest.bot_id, uuid4(), secrets.token_hex(16))

    @classmethod
    def from_progress(cls, progress: Mapping[str, Any]) -> Job | None:
        return cls(**{**progress, "bot_id": UUID(progress["bot_id"])}) if progress else None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a restore would do with a bot."""

    slug: str
    source: BotManifest
    problem: str  # why it would be refused; empty if it would not
    embeds_anew: bool


@dataclass(frozen=True, slots=True)
class Restore:
    """Restores bots that the deployment does not have: an empty one gets them all."""

    registry: Registry
    catalog: DeliveryCatalog
    tables: RestoredTables
    index: VectorIndex
    embedder: Embedder
    bucket: ObjectStore
    backups: ObjectStore
    collection: Callable[[], Collection]
    time_left: Callable[[], float]
    report: Report
    ledger: DeletionLedger
    brings_back_deleted_bots: bool = False

    def run(self, manifest: Manifest, only: Sequence[str] | None = None, new_slug: str | None = None) -> list[Bot]:
        """Restore the bots `only`, or all; a single one under `new_slug` if it is given.

        What was deleted after the snapshot stays deleted. Raises ConflictError for bots that are there, or that were
        deleted since and are not to be brought back, NotFoundError for some that the snapshot has not, LockstepError if
        what was restored is not what was saved: it then answers nothing.
        """
        plans = self.plan(manifest, only, new_slug)
        if problems := [plan.problem for plan in plans if plan.problem]:
            raise ConflictError(" ".join(problems))
        return [self._restore_bot(manifest.snapshot_id, plan) for plan in plans]

    def plan(self, manifest: Manifest, only: Sequence[str] | None = None, new_slug: str | None = None) -> list[Plan]:
        """What `run` would do. Raises NotFoundError, InvalidInputError, LeasedError."""
        schema_version = self.tables.schema_version()
        if manifest.schema_version > schema_version:
            raise InvalidInputError(
                f"The snapshot is of schema {manifest.schema_version}, this catalog has {schema_version}: take a newer "
                "Lockstep, run `lockstep migrate`, and restore then."
            )
        chosen = [bot for bot in manifest.bots if not only or bot.slug in only]
        if missing := set(only or ()) - {bot.slug for bot in chosen}:
            raise NotFoundError(f"The snapshot has no bot {', '.join(sorted(missing))}.")
        if new_slug is not None:
            if len(chosen) != 1:
                raise InvalidInputError("Another slug is for one bot: name it with --bot.")
            if not SLUG.fullmatch(new_slug):
                raise InvalidInputError(f"{new_slug!r} is not a slug: use lower-case letters, digits and hyphens.")
        return [self._plan_bot(manifest.snapshot_id, bot, new_slug or bot.slug) for bot in chosen]

    def check_parts(self, manifest: BotManifest) -> int:
        """Read every part and compare its checksum; returns how many there are. Raises LockstepError for a damaged one."""
        told = time.monotonic()
        for number, part in enumerate(manifest.parts):
            self.check_part(part)
            if time.monotonic() - told > TELL_EVERY_SECONDS:
                self.report(f"{manifest.slug}: {number + 1:,} of {len(manifest.parts):,} files are intact")
                told = time.monotonic()
        return len(manifest.parts)

    def check_part(self, part: Part) -> None:
        """Raises LockstepError if it is missing or damaged."""
        with open_part(self.backups, part):
            """Opening compares."""

    def discard(self, slug: str) -> None:
        """Remove what a restore that was broken off has left, so that another one can begin. Raises NotFoundError."""
        bot_id = self.tables.unfinished().get(slug)
        if bot_id is None:
            raise NotFoundError(f"No restore of {slug!r} was broken off.")
        with Lease(self.registry, lease_name(slug), busy=_busy(slug)) as lease:
            lease.save({})  # first: the ids that it minted are never used again
            step("restore.given-up")
            self.arrival(bot_id, slug).remove()

    def arrival(self, bot_id: UUID, slug: str) -> Arrival:
        return Arrival(bot_id, slug, self)

    def _plan_bot(self, snapshot_id: str, manifest: BotManifest, slug: str) -> Plan:
        model = self.embedder.model
        made_by = (manifest.model_id, manifest.model_revision, manifest.dimension)
        embeds_anew = made_by != (model.model_id, model.revision, model.dimension)
        return Plan(slug, manifest, self._problem(snapshot_id, manifest, slug), embeds_anew)

    def _problem(self, snapshot_id: str, manifest: BotManifest, slug: str) -> str:
        job = Job.from_progress(self._peek(slug))
        is_same = job is not None and (job.snapshot_id, job.from_bot_id) == (snapshot_id, manifest.bot_id)
        state = self.tables.state(job.bot_id) if job else None
        if is_same and state in ("restoring", "active"):
            return ""
        if not self.brings_back_deleted_bots and (deleted := self._deleted(manifest)):
            return (
                f"{manifest.slug!r} was deleted at {deleted.deleted_at:%Y-%m-%d %H:%M:%S}, after this snapshot, and what is "
                "deleted stays deleted. To have it again nevertheless, restore with --bring-back-deleted-bots."
            )
        if slug in self.tables.unfinished():
            other = f" (`lockstep restore {job.snapshot_id}`)" if job else ""
            return (
                f"A restore of {slug} from another snapshot was broken off: finish it{other}, or remove what it left with "
                f"`lockstep restore --discard {slug}`."
            )
        if slug in {bot.slug for bot in (*self.registry.bots(), *self.registry.deleting_bots())}:
            return (
                f"{slug} is here already, and nothing is overwritten; its slug would not be given out again if it were "
                "deleted either. Restore it beside under another slug (--bot, --as), only other bots (--bot), or into an "
                "empty deployment (a new state folder: lockstep up --state FOLDER --restore URL)."
            )
        return ""

    def _deleted(self, manifest: BotManifest) -> Deletion | None:
        """The entry of the bot's own delete, if somebody deleted it after it was copied."""
        return next((entry for entry in self._deletions(manifest) if entry.kind == "bot"), None)

    def _deletions(self, manifest: BotManifest) -> list[Deletion]:
        return self.ledger.deletions(manifest.slug, since=datetime.fromisoformat(manifest.copied_at))

    def _peek(self, slug: str) -> Mapping[str, Any]:
        holder = uuid4()
        progress = self.registry.claim_lease(lease_name(slug), holder, 1.0)
        if progress is None:
            raise LeasedError(_busy(slug))
        self.registry.release_lease(lease_name(slug), holder)
        return progress

    def _restore_bot(self, snapshot_id: str, plan: Plan) -> Bot:
        manifest, slug = plan.source, plan.slug
        with Lease(self.registry, lease_name(slug), busy=_busy(slug)) as lease:
            job = Job.from_progress(lease.progress)
            if job is None or (job.snapshot_id, job.from_bot_id) != (snapshot_id, manifest.bot_id):
                job = Job.new(snapshot_id, manifest)
                lease.save(asdict(job) | {"bot_id": str(job.bot_id)})
                step("restore.begun")
            if self.tables.state(job.bot_id) == "active":
                self.report(f"{slug}: was restored from this snapshot already")
                return self.registry.bot(slug)
            self.report(f"{slug}: {manifest.rows('documents'):,} documents, {manifest.rows('passages'):,} passages")
            self.arrival(job.bot_id, slug).bring_in(
                manifest, job.restore_id, follow=lambda bot: self._delete_again(bot, manifest)
            )
            self._restore_objects(manifest, slug)
            lease.check()
            self.tables.activate(job.bot_id)
            step("restore.activated")
            return self.registry.bot(slug)

    def _delete_again(self, bot: Bot, manifest: BotManifest) -> None:
        """What the snapshot held and was deleted after it, by the ledger of the bot that was saved."""
        deleted = self.ledger.catch_up(replace(bot, slug=manifest.slug))
        step("restore.ledger-followed")
        if deleted:
            self.report(f"{bot.slug}: {deleted:,} deletes since are followed, and what they name stays deleted")

    def _restore_objects(self, manifest: BotManifest, slug: str) -> None:
        # What lies under a key becomes a new document, which the ledger does not know.
        deleted = {entry.object_key for entry in self._deletions(manifest) if entry.kind == "document"}
        told = time.monotonic()
        for number, part in enumerate(manifest.objects):
            if part.name in deleted:
                continue
            key = f"{slug}/{(part.name or '').partition('/')[2]}"
            if self.bucket.head(key) is None:
                with open_part(self.backups, part) as content:
                    self.bucket.put(key, content)
                step("restore.object-restored")
            if time.monotonic() - told > TELL_EVERY_SECONDS:
                self.report(f"{slug}: {number + 1:,} of {len(manifest.objects):,} files")
                told = time.monotonic()


def lease_name(slug: str) -> str:
    return f"restore:{slug}"


def _busy(slug: str) -> str:
    return f"{slug!r} is being restored, or was until less than a minute ago: try again in a minute."
