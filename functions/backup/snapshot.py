"""Takes a snapshot of both stores while they are in use.

A bot's catalog rows are copied as of one moment. Its vectors follow, because rows of the index never change, and only those
that no earlier snapshot holds; one that was removed meanwhile is left out and will be embedded anew. The manifest is written
last. When time runs out, the next invocation goes on with what is there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from functions.backup.lease import Lease
from functions.backup.parts import BotParts
from functions.backup.retention import Retention
from functions.backup.tables import DIGESTS, READ_VIEW_SECONDS, CatalogTables, Earlier, read_digests
from functions.backup.vectors import OutOfTimeError, VectorCopy
from shared.domain import Bot, ObjectVersion
from shared.errors import LockstepError, NotFoundError, ObjectChangedError
from shared.operations import record_snapshot
from shared.ports import ObjectStore, OperationsCatalog, Registry, VectorIndex, pin_name
from shared.snapshots import (
    BotManifest,
    Manifest,
    Part,
    VectorPart,
    bot_manifest_from,
    has_part,
    manifest_key,
    new_snapshot_id,
    newest_snapshot,
    owner_suffix,
    read_json,
    snapshots,
    write_json,
    write_manifest,
)
from shared.steps import step
from shared.telemetry import logger

PIN_SECONDS = 20 * 60.0  # longer than an invocation: the next one renews it
RESERVE_SECONDS = 30.0  # what storing a part and its note may still need
TABLES_SECONDS = 300.0  # with less time left, a bot's tables are left to an invocation that begins with them
DUE_SECONDS = 20 * 3600.0  # daily, whenever the timer comes
ABANDONED_SECONDS = 3 * 24 * 3600.0  # what has been under way for so long is begun anew
OBJECTS_AT_ONCE = 200
TELL_EVERY_SECONDS = 5.0

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Copies every bot. `report` is told of progress; `copies_objects` adds the uploaded files themselves."""

    registry: Registry
    operations: OperationsCatalog
    tables: CatalogTables
    index: VectorIndex
    bucket: ObjectStore
    backups: ObjectStore
    copies_objects: bool
    report: Report
    retention: Retention = field(default_factory=Retention)
    time_left: Callable[[], float] = lambda: 24 * 3600.0

    def is_due(self) -> bool:
        """Whether the timer has something to do: a day has passed, or a snapshot is under way."""
        deployment_id = self.registry.deployment_id()
        if read_json(self.backups, under_way_key(deployment_id)):
            return True
        found = snapshots(self.backups, deployment_id)
        return not found or _age_seconds(found[-1]) > DUE_SECONDS

    def take(self) -> Manifest | None:
        """The finished snapshot, or None if time ran out: then call again. Raises LeasedError while another is taken."""
        busy = "A snapshot is being taken, or one was broken off less than a minute ago: try again in a minute."
        with Lease(self.registry, "backup", busy=busy) as lease:
            try:
                manifest = _Run(self, lease).run()
            except OutOfTimeError:
                self.report("Time is up: the next run goes on from here.")
                logger().info("snapshot goes on in the next invocation")
                return None
            record_snapshot(
                self.operations,
                manifest.snapshot_id,
                size_bytes=sum(bot.bytes for bot in manifest.bots),
                bots=len(manifest.bots),
            )
            self.retention.collect(self.backups, self.registry.deployment_id(), lease, self.time_left)
            return manifest


class _Run:
    """One invocation's share of a snapshot."""

    def __init__(self, snapshot: Snapshot, lease: Lease) -> None:
        self._snapshot = snapshot
        self._lease = lease
        self._registry, self._backups = snapshot.registry, snapshot.backups
        self._deployment_id = snapshot.registry.deployment_id()
        self._earlier = self._newest()
        self._snapshot_id = self._begin()
        self._has_copied = False

    def run(self) -> Manifest:
        copied = [self._copy_bot(bot) for bot in self._registry.bots()]
        left = {str(bot.bot_id) for bot in self._registry.bots()}  # what was deleted meanwhile is left out
        manifest = Manifest(
            snapshot_id=self._snapshot_id,
            created_at=datetime.now(UTC).isoformat(),
            deployment_id=str(self._deployment_id),
            schema_version=self._snapshot.tables.schema_version(),
            bots=[bot for bot in copied if bot.bot_id in left],
        )
        self._lease.check()
        write_manifest(self._backups, manifest)
        step("snapshot.manifest-written")
        self._backups.delete(under_way_key(self._deployment_id))
        logger().info("snapshot taken", snapshot=self._snapshot_id, bots=len(manifest.bots))
        return manifest

    def _newest(self) -> Manifest | None:
        try:
            return newest_snapshot(self._backups, self._deployment_id)
        except LockstepError as error:
            logger().error("the newest snapshot cannot be built upon: everything is copied", error=str(error))
            return None

    def _begin(self) -> str:
        """The id of the snapshot that is under way, or of a new one."""
        found = read_json(self._backups, under_way_key(self._deployment_id))
        snapshot_id = str(found["snapshot_id"]) if found else ""
        if (
            found
            and not self._backups.head(manifest_key(snapshot_id))
            and _age_seconds(snapshot_id) < ABANDONED_SECONDS
        ):
            return snapshot_id
        snapshot_id = new_snapshot_id(self._deployment_id)
        write_json(self._backups, under_way_key(self._deployment_id), {"snapshot_id": snapshot_id})
        step("snapshot.begun")
        return snapshot_id

    def _copy_bot(self, bot: Bot) -> BotManifest:
        parts = BotParts(self._backups, self._snapshot_id, str(bot.bot_id))
        if done := parts.read_note("bot"):
            return bot_manifest_from(done)
        earlier = self._earlier.bot(bot.bot_id) if self._earlier else None
        self._pin(bot)
        tables = self._copy_tables(bot, parts, earlier)
        manifest = BotManifest(
            bot_id=str(bot.bot_id),
            slug=bot.slug,
            name=bot.name,
            settings=asdict(bot.settings),
            model_id=bot.collection.model_id,
            model_revision=bot.collection.model_revision,
            dimension=bot.collection.dimension,
            copied_at=tables["copied_at"],
            fingerprints=tables["fingerprints"],
            tables=tables["parts"],
            vector_parts=self._copy_vectors(bot, parts, tables["parts"], earlier),
            objects=self._copy_objects(bot, parts, earlier) if self._snapshot.copies_objects else [],
        )
        self._go_on()
        parts.note("bot", asdict(manifest))
        step("snapshot.bot-finished")
        self._registry.release_lease(pin_name(bot), _pin_holder(bot))
        return manifest

    def _copy_tables(self, bot: Bot, parts: BotParts, earlier: BotManifest | None) -> dict[str, Any]:
        if note := parts.read_note("tables"):
            return note | {"parts": [Part(**part) for part in note["parts"]]}
        time_left = self._snapshot.time_left()
        if self._has_copied and time_left < TABLES_SECONDS:
            raise OutOfTimeError()
        self._snapshot.report(f"{bot.slug}: catalog")
        copied_at = datetime.now(UTC).isoformat()
        is_same_schema = self._earlier and self._earlier.schema_version == self._snapshot.tables.schema_version()
        found = self._snapshot.tables.copy_out(
            bot,
            parts,
            Earlier(earlier, self._backups) if earlier and is_same_schema else None,
            seconds=max(RESERVE_SECONDS, min(READ_VIEW_SECONDS, time_left - RESERVE_SECONDS)),
        )
        self._lease.check()
        tables = {"copied_at": copied_at, "fingerprints": found.fingerprints}
        parts.note("tables", tables | {"parts": [asdict(part) for part in found.parts]})
        self._has_copied = True
        step("snapshot.tables-copied")
        return tables | {"parts": found.parts}

    def _copy_vectors(
        self, bot: Bot, parts: BotParts, tables: list[Part], earlier: BotManifest | None
    ) -> list[VectorPart]:
        digests = next(part for part in tables if part.kind == DIGESTS)
        if earlier and digests in earlier.tables and earlier.vectors == digests.rows:
            pairs = earlier.vector_parts
            if all(has_part(self._backups, part) for pair in pairs for part in (pair.vectors, pair.keys)):
                return pairs  # nothing has changed since
        told = [time.monotonic()]

        def go_on(copied: int) -> None:
            if time.monotonic() - told[0] > TELL_EVERY_SECONDS:
                self._snapshot.report(f"{bot.slug}: {copied:,} of {digests.rows:,} vectors")
                self._pin(bot)
                told[0] = time.monotonic()
            self._has_copied = True
            self._go_on()

        copying = VectorCopy(
            bot,
            lambda: read_digests(self._backups, digests),
            digests.rows,
            index=self._snapshot.index,
            store=self._backups,
            parts=parts,
            go_on=go_on,
        )
        return copying.run(_reusable(bot, earlier))

    def _copy_objects(self, bot: Bot, parts: BotParts, earlier: BotManifest | None) -> list[Part]:
        known = {(part.name, part.version): part for part in (earlier.objects if earlier else [])}
        notes = list(parts.numbered_notes("objects"))
        copied = [Part(**part) for note in notes for part in note["parts"]]
        noted, number = len(copied), len(notes)

        def note(after: str) -> None:
            nonlocal noted, number
            parts.note(f"objects-{number}", {"after": after, "parts": [asdict(part) for part in copied[noted:]]})
            noted, number = len(copied), number + 1
            step("snapshot.objects-copied")

        for version in self._snapshot.bucket.list(f"{bot.slug}/", after=notes[-1]["after"] if notes else ""):
            part = known.get((version.key, version.etag))
            if part is None or not has_part(self._backups, part):
                part = self._copy_object(version, parts, f"object-{len(copied)}")
            copied += [part] if part else []
            if len(copied) - noted >= OBJECTS_AT_ONCE or self._snapshot.time_left() < RESERVE_SECONDS:
                note(version.key)
            self._go_on()
        return copied

    def _copy_object(self, version: ObjectVersion, parts: BotParts, name: str) -> Part | None:
        try:
            with self._snapshot.bucket.open(version) as content:
                return parts.put(name, "object", content, rows=1, object_key=version.key, version=version.etag)
        except (ObjectChangedError, NotFoundError):
            logger().info("an object changed while it was copied: the next snapshot has it", key=version.key)
            return None

    def _go_on(self) -> None:
        """Raises OutOfTimeError, SupersededError."""
        self._lease.check()
        if self._snapshot.time_left() < RESERVE_SECONDS:
            raise OutOfTimeError()

    def _pin(self, bot: Bot) -> None:
        self._registry.claim_lease(pin_name(bot), _pin_holder(bot), PIN_SECONDS)


def under_way_key(deployment_id: UUID) -> str:
    """Where it stands which snapshot of the deployment is under way."""
    return f"state/{owner_suffix(deployment_id)[1:]}/under-way.json"


def _pin_holder(bot: Bot) -> UUID:
    return uuid5(bot.bot_id, "snapshot")  # always the same: the next invocation renews the pin of the last


def _reusable(bot: Bot, earlier: BotManifest | None) -> list[VectorPart]:
    """Vectors of an earlier snapshot, if the embedder is still the same."""
    made_by = (bot.collection.model_id, bot.collection.model_revision, bot.collection.dimension)
    if earlier is None or (earlier.model_id, earlier.model_revision, earlier.dimension) != made_by:
        return []
    return earlier.vector_parts


def _age_seconds(snapshot_id: str) -> float:
    taken = datetime.strptime(snapshot_id.partition("Z")[0], "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC)
    return (datetime.now(UTC) - taken) / timedelta(seconds=1)
