"""Carries out the exports that were asked for over the API, and forgets them when their time is over.

Each is written anew when it was broken off. What can never succeed becomes `failed`, with the reason.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from functions.backup.export import Export, ExportedBot
from functions.backup.export_files import MissingPackageError
from functions.backup.lease import Lease
from functions.backup.vectors import OutOfTimeError
from shared.catalog.exporting import PostgresExport
from shared.domain import Bot
from shared.errors import LeasedError, LockstepError, NotFoundError, SupersededError
from shared.ports import ObjectStore, Registry, VectorIndex
from shared.requested_exports import (
    REQUEST,
    ExportFile,
    ExportKey,
    ExportManifest,
    ExportRequest,
    StoredExport,
    delete_export,
    read_request,
    stored_exports,
    write_failure,
    write_manifest,
)
from shared.steps import step
from shared.telemetry import logger

BATCH_SIZE = 500
BEGIN_SECONDS = 60.0  # with less time left, an export is left to the next invocation
FULL_SECONDS = 600.0  # what does not get through with so much time will not with the next invocation's either
RESERVE_SECONDS = 30.0
MOST_ATTEMPTS = 3  # that ended without a word, as they do when memory or time is used up
ON_A_MACHINE = "Export it with `lockstep export` on a machine, where nothing bounds it."


@dataclass(frozen=True, slots=True)
class CarriedOut:
    """How many exports came to an end, and how many are still to be done because a store was away."""

    finished: int = 0
    failed: int = 0
    put_off: int = 0


@dataclass(frozen=True, slots=True)
class RequestedExports:
    """What is asked for in `store`, of the bots of this deployment."""

    registry: Registry
    reader: PostgresExport
    index: VectorIndex
    store: ObjectStore
    time_left: Callable[[], float]

    def run(self, first: str = "") -> CarriedOut:
        """Carry out what waits, as far as time allows: the request of the key `first` first, then the oldest."""
        states = self.registry.bot_states()  # what is of no bot of ours is another deployment's
        ours = [stored for stored in stored_exports(self.store) if stored.key.bot_id in states]
        for stored in ours:
            if states[stored.key.bot_id] in ("deleting", "deleted") or _is_over(stored):
                delete_export(self.store, stored.key)
                step("export.forgotten")
        waiting = [it for it in ours if it.is_waiting and states[it.key.bot_id] == "active" and not _is_over(it)]
        waiting.sort(key=lambda it: (not first.endswith(f"{it.key.prefix}{REQUEST}"), it.key.requested_at))
        ends = [self._carry_out(stored.key) for stored in waiting]
        return CarriedOut(*(ends.count(end) for end in ("finished", "failed", "put off")))

    def _carry_out(self, key: ExportKey) -> str:
        """Returns what came of it; empty if somebody else is at it, or there is too little time to begin."""
        if self.time_left() < BEGIN_SECONDS:
            return ""
        try:
            with Lease(self.registry, f"export-{key.export_id}", busy="Another is at it.") as lease:
                return self._begin(key, lease)
        except (LeasedError, SupersededError):
            return ""
        except LockstepError as error:
            logger().error("an export is put off", export=str(key.export_id), error=f"{type(error).__name__}: {error}")
        except Exception:
            logger().exception("an export is put off", export=str(key.export_id))
        return "put off"  # the others have their turn

    def _begin(self, key: ExportKey, lease: Lease) -> str:
        """Raises LockstepError for what passes."""
        (stored,) = stored_exports(self.store, key.bot_id, key.export_id) or [StoredExport(key, {})]
        if not stored.is_waiting:  # another was quicker, or it was deleted
            lease.end_with_this()
            return ""
        attempts = int(lease.progress.get("attempts", 0))
        if attempts >= MOST_ATTEMPTS:
            return self._fail(key, lease, f"It was begun {attempts} times and never came to an end. {ON_A_MACHINE}")
        lease.save({"attempts": attempts + 1})
        try:
            return self._attempt(stored, lease)
        except LockstepError:
            lease.save({"attempts": attempts})  # a store was away: that is nothing against the export
            raise

    def _attempt(self, stored: StoredExport, lease: Lease) -> str:
        key, time_given = stored.key, self.time_left()
        try:
            self._write(key, read_request(self.store, stored), lease)
        except OutOfTimeError:
            if time_given < FULL_SECONDS:
                return ""
            return self._fail(key, lease, f"It was not finished within {time_given:.0f} seconds. {ON_A_MACHINE}")
        except MissingPackageError as error:
            return self._fail(key, lease, f"{error}, on a machine of your own, and run `lockstep export` there.")
        except NotFoundError:
            lease.end_with_this()
            return ""
        except LockstepError as error:
            if error.retryable or isinstance(error, SupersededError):
                raise
            return self._fail(key, lease, str(error))
        except OSError as error:
            logger().exception("an export failed", export=str(key.export_id))
            return self._fail(key, lease, f"It could not be written ({error.strerror}). {ON_A_MACHINE}")
        lease.end_with_this()
        return "finished"

    def _write(self, key: ExportKey, request: ExportRequest, lease: Lease) -> None:
        """Raises NotFoundError if the bot or the request is deleted meanwhile, OutOfTimeError, SupersededError."""

        def go_on() -> None:
            lease.check()
            if self.time_left() < RESERVE_SECONDS:
                raise OutOfTimeError()

        bot = self._bot(key.bot_id)
        export = Export(
            registry=self.registry,
            reader=self.reader,
            index=self.index,
            since=datetime.fromisoformat(request.since) if request.since else None,
            batch_size=BATCH_SIZE,
            includes_embeddings=request.include_embeddings,
            report=lambda message: logger().info(message),
            go_on=go_on,
        )
        with tempfile.TemporaryDirectory(prefix="lockstep-requested-") as aside:
            folder = Path(aside) / "export"
            (exported,) = export.to_folder(folder, request.format, [bot])
            files = self._store_files(key, exported, folder, go_on)
        step("export.files-stored")
        lease.check()
        self._check_is_wanted(key)
        manifest = ExportManifest(
            as_of=exported.as_of,
            finished_at=datetime.now(UTC).isoformat(),
            records=exported.records,
            missing_embeddings=exported.missing_embeddings,
            files=files,
        )
        write_manifest(self.store, key, manifest)
        step("export.manifest-written")
        logger().info("export finished", bot=bot.slug, export=str(key.export_id), records=dict(exported.records))
        try:
            self._check_is_wanted(key)
        except NotFoundError:
            delete_export(self.store, key)
            raise

    def _store_files(
        self, key: ExportKey, exported: ExportedBot, folder: Path, go_on: Callable[[], None]
    ) -> list[ExportFile]:
        """Under names of this attempt's own: one that had stood still alters nothing of what another has written.

        What an attempt that was broken off has left is not removed before the whole export is, for the same reason.
        """
        attempt = secrets.token_hex(4)
        files = []
        for file in exported.files:
            go_on()
            name = Path(file.path).name
            with (folder / file.path).open("rb") as content:
                self.store.put(f"{key.prefix}{attempt}/{name}", content)
            files.append(ExportFile(name, f"{key.prefix}{attempt}/{name}", file.bytes, file.sha256))
        return files

    def _check_is_wanted(self, key: ExportKey) -> None:
        """Raises NotFoundError if the bot or the request is deleted."""
        self._bot(key.bot_id)
        if self.store.head(f"{key.prefix}{REQUEST}") is None:
            raise NotFoundError(f"The export {key.export_id} was deleted.")

    def _bot(self, bot_id: UUID) -> Bot:
        return self.registry.bot(self.registry.bot_by_id(bot_id).slug)  # by its slug only one that is active is found

    def _fail(self, key: ExportKey, lease: Lease, reason: str) -> str:
        with suppress(NotFoundError):
            self._check_is_wanted(key)
            write_failure(self.store, key, reason)
            step("export.failure-written")
            logger().warning("export failed", export=str(key.export_id), reason=reason)
        lease.end_with_this()
        return "failed"


def _is_over(stored: StoredExport) -> bool:
    """It is old, or a file of an attempt came behind its deletion."""
    return stored.key.expires_at < datetime.now(UTC) or REQUEST not in stored.objects
