"""The table of contents of a snapshot. A snapshot without one does not exist."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, BinaryIO, cast

from shared.domain import sha256_of_file
from shared.errors import InvalidInputError, LockstepError, NotFoundError
from shared.ports import ObjectStore
from shared.steps import step

FORMAT = 1
PREFIX = "snapshots/"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a snapshot: what it is, how much of it, and the sha256 of its bytes."""

    key: str
    kind: str  # a table's name, "vectors" or "object"
    rows: int
    bytes: int
    sha256: str
    name: str | None = None  # of an object: its key in the bucket


@dataclass(frozen=True, slots=True)
class BotManifest:
    """What a snapshot holds of one bot, as of one moment."""

    bot_id: str
    slug: str
    name: str
    settings: dict[str, Any]
    model_id: str
    model_revision: str
    dimension: int
    parts: list[Part]
    documents: int
    pairs: int
    passages: int
    vectors: int  # fewer than passages where the index had lost some: those are embedded anew


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that a snapshot consists of."""

    snapshot_id: str
    created_at: str
    deployment_id: str
    schema_version: int
    bots: list[BotManifest]
    format: int = FORMAT

    @property
    def key(self) -> str:
        return f"{PREFIX}{self.snapshot_id}/manifest.json"


@dataclass(slots=True)
class PartWriter:
    """Writes a part through a temporary file, counting and hashing."""

    store: ObjectStore
    parts: list[Part] = field(default_factory=list)

    def put(self, key: str, kind: str, file: BinaryIO, *, rows: int, name: str | None = None) -> Part:
        file.seek(0)
        digest = sha256_of_file(file)
        size = file.tell()
        file.seek(0)
        self.store.put(key, file)
        step("snapshot.part-written")
        part = Part(key, kind, rows, size, digest, name)
        self.parts.append(part)
        return part


def new_snapshot_id() -> str:
    """Sorts by time."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")


def write_manifest(store: ObjectStore, manifest: Manifest) -> None:
    store.put(manifest.key, json.dumps(asdict(manifest), indent=1, ensure_ascii=False).encode())
    step("snapshot.manifest-written")


def snapshots(store: ObjectStore) -> list[str]:
    """The ids of the snapshots that have a manifest, oldest first."""
    keys = (version.key for version in store.list(PREFIX))
    return [key.split("/")[1] for key in keys if key.endswith("/manifest.json")]


def read_manifest(store: ObjectStore, snapshot_id: str | None = None) -> Manifest:
    """The manifest of that snapshot, or of the newest. Raises NotFoundError, InvalidInputError."""
    if snapshot_id is None:
        found = snapshots(store)
        if not found:
            raise NotFoundError("There is no complete snapshot here: one without a manifest is not restored.")
        snapshot_id = found[-1]
    version = store.head(f"{PREFIX}{snapshot_id}/manifest.json")
    if version is None:
        raise NotFoundError(f"There is no complete snapshot {snapshot_id!r} here.")
    with store.open(version) as file:
        return _manifest_from(json.load(file))


def _manifest_from(fields: dict[str, Any]) -> Manifest:
    if fields.get("format") != FORMAT:
        raise InvalidInputError(f"The snapshot has format {fields.get('format')}, this Lockstep reads {FORMAT}.")
    bots = [BotManifest(**bot | {"parts": [Part(**part) for part in bot["parts"]]}) for bot in fields["bots"]]
    return Manifest(**fields | {"bots": bots})


@contextmanager
def open_part(store: ObjectStore, part: Part) -> Iterator[BinaryIO]:
    """The content of a part, checked against the manifest before anything of it is used. Raises LockstepError."""
    version = store.head(part.key)
    if version is None:
        raise NotFoundError(f"The snapshot's part {part.key} is missing.")
    with store.open(version) as file:
        if sha256_of_file(file) != part.sha256:
            raise LockstepError(f"The snapshot's part {part.key} is damaged: its sha256 is not the manifest's.")
        file.seek(0)
        yield file


@contextmanager
def compressed_file() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """A temporary file, and a gzip writer into it that must be closed before the file is read."""
    with tempfile.TemporaryFile() as file:
        # No name and no time, so that the same rows give the same bytes.
        yield file, cast(BinaryIO, gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=3, mtime=0))
