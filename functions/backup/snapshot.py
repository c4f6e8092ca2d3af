"""Takes a snapshot of both stores while they are in use.

A bot's catalog rows are copied as of one moment. Vectors follow, because rows of the index never change; one that was
removed meanwhile is left out and will be embedded anew. The manifest is written last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

from functions.backup.manifest import (
    BotManifest,
    Manifest,
    Part,
    PartWriter,
    new_snapshot_id,
    open_part,
    write_manifest,
)
from functions.backup.tables import CatalogTables, read_records
from functions.backup.vectors import copy_vectors
from shared.domain import Bot
from shared.errors import LeasedError, NotFoundError, ObjectChangedError
from shared.operations import record_snapshot
from shared.ports import ObjectStore, OperationsCatalog, Registry, VectorIndex
from shared.telemetry import logger

LEASE_SECONDS = 15 * 60.0
DIGESTS_AT_ONCE = 2_000

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

    def take(self) -> Manifest:
        """Raises LeasedError while another snapshot is being taken."""
        holder = uuid4()
        if self.registry.claim_lease("backup", holder, LEASE_SECONDS) is None:
            raise LeasedError("Another snapshot is being taken.")
        try:
            return self._take()
        finally:
            self.registry.release_lease("backup", holder)

    def _take(self) -> Manifest:
        snapshot_id = new_snapshot_id()
        manifest = Manifest(
            snapshot_id=snapshot_id,
            created_at=datetime.now(UTC).isoformat(),
            deployment_id=str(self.registry.deployment_id()),
            schema_version=self.tables.schema_version(),
            bots=[self._copy_bot(bot, f"snapshots/{snapshot_id}/{bot.slug}") for bot in self.registry.bots()],
        )
        write_manifest(self.backups, manifest)
        size = sum(part.bytes for bot in manifest.bots for part in bot.parts)
        record_snapshot(self.operations, snapshot_id, size_bytes=size, bots=len(manifest.bots))
        logger().info("snapshot taken", snapshot=snapshot_id, bots=len(manifest.bots))
        return manifest

    def _copy_bot(self, bot: Bot, prefix: str) -> BotManifest:
        self.report(f"{bot.slug}: catalog")
        writer = PartWriter(self.backups)
        tables = self.tables.copy_out(bot, prefix, writer)
        self.report(f"{bot.slug}: vectors of {tables['passages'].rows:,} passages")
        digests = self._digests(bot, tables["passages"])
        vectors = copy_vectors(bot, digests, index=self.index, prefix=prefix, writer=writer)
        if self.copies_objects:
            self.report(f"{bot.slug}: objects")
            self._copy_objects(bot, prefix, writer)
        return BotManifest(
            bot_id=str(bot.bot_id),
            slug=bot.slug,
            name=bot.name,
            settings=asdict(bot.settings),
            model_id=bot.collection.model_id,
            model_revision=bot.collection.model_revision,
            dimension=bot.collection.dimension,
            parts=writer.parts,
            documents=tables["documents"].rows,
            pairs=tables["qa_pairs"].rows,
            passages=tables["passages"].rows,
            vectors=vectors,
        )

    def _digests(self, bot: Bot, passages: Part) -> Iterator[tuple[UUID, str]]:
        """Each copied passage with the digest of its vectors, a stretch at a time."""
        with open_part(self.backups, passages) as file:
            stretch: list[UUID] = []
            for record in read_records(file):
                stretch.append(UUID(record["passage_id"]))
                if len(stretch) == DIGESTS_AT_ONCE:
                    yield from self.tables.proven_digests(bot, stretch).items()
                    stretch = []
            yield from self.tables.proven_digests(bot, stretch).items()

    def _copy_objects(self, bot: Bot, prefix: str, writer: PartWriter) -> None:
        for number, version in enumerate(self.bucket.list(f"{bot.slug}/")):
            try:
                with self.bucket.open(version) as content:
                    writer.put(f"{prefix}/objects/{number:08}", "object", content, rows=1, name=version.key)
            except (ObjectChangedError, NotFoundError):
                logger().info("an object changed while it was copied: the next snapshot has it", key=version.key)
