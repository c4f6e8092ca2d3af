"""What a snapshot consists of, and how it is read: its table of contents, and its parts with their checksums.

snapshots/<id>.json          the manifest, written last: without it there is no snapshot
parts/<id>/<bot>/…           the files that this snapshot was the first to write; later ones may name them too
state/<deployment>/…         which snapshot is under way, and how the last restore drill went
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO
from uuid import UUID

from shared.domain import sha256_of_file
from shared.errors import InvalidInputError, LockstepError, NotFoundError, ObjectChangedError
from shared.ports import ObjectStore

FORMAT = 2
MANIFESTS = "snapshots/"
PARTS = "parts/"


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a snapshot: what it is, how much of it, and the sha256 of its bytes."""

    key: str
    kind: str  # a table's name, "vectors", "keys" or "object"
    rows: int
    bytes: int
    sha256: str
    name: str | None = None  # of an object: its key in the bucket
    version: str | None = None  # of an object: the ETag that it had there


@dataclass(frozen=True, slots=True)
class VectorPart:
    """Vectors, and in the same order the keys by which they are found without reading them."""

    vectors: Part
    keys: Part


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
    copied_at: str
    fingerprints: dict[str, str]  # of the rows that the tables were copied from
    tables: list[Part]
    vector_parts: list[VectorPart]
    objects: list[Part]

    @property
    def parts(self) -> list[Part]:
        vectors = [part for pair in self.vector_parts for part in (pair.vectors, pair.keys)]
        return [*self.tables, *vectors, *self.objects]

    @property
    def vectors(self) -> int:
        """Fewer than passages where the index had lost some: those are embedded anew."""
        return sum(part.vectors.rows for part in self.vector_parts)

    @property
    def bytes(self) -> int:
        return sum(part.bytes for part in self.parts)

    def rows(self, table: str) -> int:
        """How many rows of a table there are; 0 of one that the snapshot does not know."""
        return sum(part.rows for part in self.tables if part.kind == table)


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
        return manifest_key(self.snapshot_id)

    @property
    def age_seconds(self) -> float:
        return (datetime.now(UTC) - datetime.fromisoformat(self.created_at)).total_seconds()

    def bot(self, bot_id: UUID) -> BotManifest | None:
        return next((bot for bot in self.bots if bot.bot_id == str(bot_id)), None)


def manifest_key(snapshot_id: str) -> str:
    return f"{MANIFESTS}{snapshot_id}.json"


def owner_suffix(deployment_id: UUID | str) -> str:
    """What the ids of a deployment's snapshots end with: several may share a place, and none touches another's."""
    return f"-{UUID(str(deployment_id)).hex[:8]}"


def new_snapshot_id(deployment_id: UUID) -> str:
    """Sorts by time."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ") + owner_suffix(deployment_id)


def snapshots(store: ObjectStore, deployment_id: UUID | None = None) -> list[str]:
    """The ids of the snapshots that have a manifest, oldest first; of that deployment, or of all."""
    suffix = f"{owner_suffix(deployment_id) if deployment_id else ''}.json"
    keys = (version.key for version in store.list(MANIFESTS))
    return [key[len(MANIFESTS) : -len(".json")] for key in keys if key.endswith(suffix) and key.count("/") == 1]


def newest_snapshot(store: ObjectStore, deployment_id: UUID) -> Manifest | None:
    """The newest one of that deployment. Raises InvalidInputError, LockstepError if its manifest cannot be read."""
    found = snapshots(store, deployment_id)
    return read_manifest(store, found[-1]) if found else None


def read_manifest(store: ObjectStore, snapshot_id: str | None = None) -> Manifest:
    """The manifest of that snapshot, or of the newest. Raises NotFoundError, InvalidInputError."""
    if snapshot_id is None:
        found = snapshots(store)
        if not found:
            raise NotFoundError("There is no complete snapshot here: one without a manifest is not restored.")
        snapshot_id = found[-1]
    fields = read_json(store, manifest_key(snapshot_id))
    if fields is None:
        raise NotFoundError(f"There is no complete snapshot {snapshot_id!r} here.")
    if fields.get("format") != FORMAT:
        raise InvalidInputError(
            f"The snapshot {snapshot_id} has format {fields.get('format')}, this Lockstep reads {FORMAT}."
        )
    try:
        return Manifest(**fields | {"bots": [bot_manifest_from(bot) for bot in fields["bots"]]})
    except (KeyError, TypeError) as error:
        raise InvalidInputError(f"The manifest of the snapshot {snapshot_id} is damaged ({error}).") from error


def bot_manifest_from(fields: Mapping[str, Any]) -> BotManifest:
    return BotManifest(
        **{
            **fields,
            "tables": [Part(**part) for part in fields["tables"]],
            "vector_parts": [vector_part_from(pair) for pair in fields["vector_parts"]],
            "objects": [Part(**part) for part in fields["objects"]],
        }
    )


def vector_part_from(fields: Mapping[str, Any]) -> VectorPart:
    return VectorPart(Part(**fields["vectors"]), Part(**fields["keys"]))


def write_manifest(store: ObjectStore, manifest: Manifest) -> None:
    write_json(store, manifest.key, asdict(manifest))


def write_json(store: ObjectStore, key: str, content: Mapping[str, Any]) -> None:
    store.put(key, json.dumps(content, ensure_ascii=False).encode())


def read_json(store: ObjectStore, key: str) -> dict[str, Any] | None:
    """None if there is no such object. Raises InvalidInputError if it is not JSON."""
    version = store.head(key)
    if version is None:
        return None
    try:
        with store.open(version) as file:
            content: dict[str, Any] = json.load(file)
    except NotFoundError:
        return None
    except ValueError as error:
        raise InvalidInputError(f"{key} is damaged: it is not JSON.") from error
    return content


def has_part(store: ObjectStore, part: Part) -> bool:
    """Whether the part is there in its size; its content is not looked at."""
    version = store.head(part.key)
    return version is not None and version.size == part.bytes


@contextmanager
def open_part(store: ObjectStore, part: Part) -> Iterator[BinaryIO]:
    """The content of a part, checked against the manifest before anything of it is used. Raises LockstepError."""
    version = store.head(part.key)
    if version is None:
        raise NotFoundError(f"The snapshot's part {part.key} is missing.")
    try:
        opened = store.open(version)
        with opened as file:
            if sha256_of_file(file) != part.sha256:
                raise LockstepError(f"The snapshot's part {part.key} is damaged: its sha256 is not the manifest's.")
            file.seek(0)
            yield file
    except ObjectChangedError as error:
        raise LockstepError(f"The snapshot's part {part.key} changed while it was read.") from error
