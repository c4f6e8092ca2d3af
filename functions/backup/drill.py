"""The restore drill: brings a bot of the newest snapshot in as a scratch bot, proves it, and removes every trace of it.

The scratch bot's slug begins with a dot, which no other slug does; it is never active, so nothing lists it or answers from it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from functions.backup.lease import Lease
from functions.backup.restore import Restore
from functions.backup.restored_tables import NOT_IN_SCRATCH
from functions.backup.tables import TABLES
from shared.errors import LockstepError, NotFoundError
from shared.operations import record_drill
from shared.ports import ObjectStore, OperationsCatalog
from shared.snapshots import BotManifest, Manifest, owner_suffix, read_json, read_manifest, snapshots, write_json
from shared.steps import step
from shared.telemetry import logger

SCRATCH = ".drill-"
MOST_PASSAGES = 20_000  # a larger bot takes longer than an invocation lives
DUE_SECONDS = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class DrillResult:
    """How a drill went. `error` says what failed, and is empty if nothing did."""

    finished_at: str
    snapshot_id: str
    bot: str
    passages: int
    seconds: float
    error: str = ""

    @property
    def is_ok(self) -> bool:
        return not self.error


@dataclass(frozen=True, slots=True)
class Drill:
    """Proves a bot of the newest snapshot: another one each time, as far as they are small enough."""

    restore: Restore
    operations: OperationsCatalog
    deployment_id: UUID
    report: Callable[[str], None]

    @property
    def _backups(self) -> ObjectStore:
        return self.restore.backups

    def run(self) -> DrillResult:
        """Raises LeasedError while another drill runs. Whatever else goes wrong is the result."""
        with Lease(self.restore.registry, "drill", busy="A restore drill is under way: try again in a minute."):
            begin = time.monotonic()
            manifest: Manifest | None = None
            bot: BotManifest | None = None
            error = ""
            try:
                self._remove_leftovers()
                manifest = self._newest()
                bot = self._choose(manifest)
                self._prove(bot)
            except LockstepError as failure:
                error = f"{type(failure).__name__}: {failure}"
            result = DrillResult(
                finished_at=datetime.now(UTC).isoformat(),
                snapshot_id=manifest.snapshot_id if manifest else "",
                bot=bot.slug if bot else "",
                passages=bot.rows("passages") if bot else 0,
                seconds=round(time.monotonic() - begin, 1),
                error=error,
            )
            write_json(self._backups, result_key(self.deployment_id), asdict(result))
            step("drill.result-kept")
            record_drill(self.operations, result.snapshot_id, failure=error or None)
            logger().info("restore drill", **asdict(result))
            return result

    def _newest(self) -> Manifest:
        found = snapshots(self._backups, self.deployment_id)
        if not found:
            raise NotFoundError("There is no snapshot of this deployment yet: take one with `lockstep backup`.")
        return read_manifest(self._backups, found[-1])

    def _choose(self, manifest: Manifest) -> BotManifest:
        """The bot after the last one that was proven, among those that are small enough and need no embedding."""
        model = self.restore.embedder.model
        mine = [bot for bot in manifest.bots if (bot.model_id, bot.model_revision) == (model.model_id, model.revision)]
        if not mine:
            raise NotFoundError(f"The snapshot holds no bot that {model.model_id} ({model.revision}) embedded.")
        small = [bot for bot in mine if bot.rows("passages") <= MOST_PASSAGES]
        rotation = sorted(small, key=lambda bot: bot.slug) or [min(mine, key=lambda bot: bot.rows("passages"))]
        last = last_drill(self._backups, self.deployment_id)
        return next((bot for bot in rotation if last and bot.slug > last.bot), rotation[0])

    def _prove(self, bot: BotManifest) -> None:
        slug, bot_id = f"{SCRATCH}{secrets.token_hex(4)}", uuid4()
        self.report(f"{bot.slug}: {bot.rows('passages'):,} passages, restored as {slug}")
        try:
            for part in bot.objects:
                self.restore.check_part(part)
            tables: Sequence[str] = [table for table in TABLES if table not in NOT_IN_SCRATCH]
            self.restore.arrival(bot_id, slug).bring_in(bot, secrets.token_hex(16), tables)
            step("drill.proven")
        finally:
            self._remove_leftovers()

    def _remove_leftovers(self) -> None:
        """Of this drill, and of any that was killed: nobody else is at it while the lease is held."""
        for slug, bot_id in self.restore.tables.unfinished().items():
            if slug.startswith(SCRATCH):
                self.restore.arrival(bot_id, slug).remove()
                step("drill.scratch-removed")


def last_drill(store: ObjectStore, deployment_id: UUID) -> DrillResult | None:
    found: dict[str, Any] | None = read_json(store, result_key(deployment_id))
    return DrillResult(**found) if found else None


def is_drill_due(store: ObjectStore, deployment_id: UUID) -> bool:
    """Whether a week has passed since the last one, and there is something to prove."""
    if last := last_drill(store, deployment_id):
        return (datetime.now(UTC) - datetime.fromisoformat(last.finished_at)).total_seconds() > DUE_SECONDS
    return bool(snapshots(store, deployment_id))


def result_key(deployment_id: UUID) -> str:
    """Where it stands how the last drill of the deployment went."""
    return f"state/{owner_suffix(deployment_id)[1:]}/drill.json"
