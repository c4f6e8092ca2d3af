"""Exports that are asked for over the API: where the request, the files and the outcome lie in the store of snapshots.

exports/<bot id>/<export id>/request.json    what is wanted, written first
exports/<bot id>/<export id>/<attempt>/…     the files
exports/<bot id>/<export id>/export.json     the manifest, written last: it names the files, with the sha256 of each
exports/<bot id>/<export id>/failed.json     in its place: why there are none

They go by the bot's id and not by its slug: several deployments may share a place, and may have bots of the same slug.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from shared.domain import Bot, ObjectVersion
from shared.errors import ConflictError, InvalidInputError, NotFoundError
from shared.ports import ObjectStore

EXPORTS = "exports/"
REQUEST, MANIFEST, FAILURE = "request.json", "export.json", "failed.json"
FORMATS = ("jsonl", "csv", "sql", "xlsx", "parquet")
KEPT_DAYS = 7  # the rule of the backups bucket in infra/resources/buckets.yml says the same
MOST_OF_A_BOT = 50
LATEST_MILLISECONDS = 250_000_000_000_000  # a moment that a datetime can hold: an id that is not ours may say anything

_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_KEY = re.compile(f"{EXPORTS}({_UUID})/({_UUID})/(.+)")

State = Literal["requested", "finished", "failed"]


@dataclass(frozen=True, slots=True)
class ExportKey:
    """Which export of which bot."""

    bot_id: UUID
    export_id: UUID

    @property
    def prefix(self) -> str:
        return f"{EXPORTS}{self.bot_id}/{self.export_id}/"

    @property
    def requested_at(self) -> datetime:
        return datetime.fromtimestamp(min(self.export_id.int >> 80, LATEST_MILLISECONDS) / 1000, UTC)

    @property
    def expires_at(self) -> datetime:
        return self.requested_at + timedelta(days=KEPT_DAYS)


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What is wanted. `since` leaves out pairs and logs that are older."""

    format: str
    since: str | None
    include_embeddings: bool


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One finished file: what to call it, and where it lies."""

    name: str
    key: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ExportManifest:
    """What was written, as of one moment."""

    as_of: str
    finished_at: str
    records: Mapping[str, int]
    missing_embeddings: int
    files: Sequence[ExportFile]


@dataclass(frozen=True, slots=True)
class RequestedExport:
    """A request, and what has come of it so far: a manifest, or the reason why there will be none."""

    key: ExportKey
    request: ExportRequest
    manifest: ExportManifest | None
    failure: str | None

    @property
    def state(self) -> State:
        if self.manifest:
            return "finished"
        return "requested" if self.failure is None else "failed"


@dataclass(frozen=True, slots=True)
class StoredExport:
    """The objects of an export, by their name below its prefix."""

    key: ExportKey
    objects: Mapping[str, ObjectVersion]

    @property
    def is_waiting(self) -> bool:
        return REQUEST in self.objects and not {MANIFEST, FAILURE} & self.objects.keys()


# Asking, and looking what came of it


def request_export(store: ObjectStore, bot: Bot, request: ExportRequest) -> RequestedExport:
    """Ask for an export; backup carries it out. Raises ConflictError if too many of the bot are kept."""
    if len(stored_exports(store, bot.bot_id)) >= MOST_OF_A_BOT:
        raise ConflictError(
            f"{MOST_OF_A_BOT} exports of {bot.slug!r} are kept: delete one first, or wait. Each goes after {KEPT_DAYS} days."
        )
    key = ExportKey(bot.bot_id, new_export_id())
    _write(store, f"{key.prefix}{REQUEST}", asdict(request))
    return RequestedExport(key, request, None, None)


def exports_of(store: ObjectStore, bot: Bot) -> list[RequestedExport]:
    """The newest first."""
    found = (_read(store, stored) for stored in reversed(stored_exports(store, bot.bot_id)))
    return [export for export in found if export]


def export_of(store: ObjectStore, bot: Bot, export_id: UUID) -> RequestedExport:
    """Raises NotFoundError."""
    export = next((_read(store, stored) for stored in stored_exports(store, bot.bot_id, export_id)), None)
    if export is None:
        raise NotFoundError(f"The bot {bot.slug!r} has no export {export_id}; one is kept for {KEPT_DAYS} days.")
    return export


def delete_export(store: ObjectStore, key: ExportKey) -> int:
    """Delete what there is of it; returns how many objects went."""
    return _delete(store, key.prefix)


def delete_exports_of(store: ObjectStore, bot_id: UUID) -> int:
    """Delete whatever lies there of a bot; returns how many objects went."""
    return _delete(store, f"{EXPORTS}{bot_id}/")


def _delete(store: ObjectStore, prefix: str) -> int:
    """Requests first, so that nobody goes on with them."""
    keys = [version.key for version in store.list(prefix)]
    for key in sorted(keys, key=lambda key: not key.endswith(f"/{REQUEST}")):
        store.delete(key)
    return len(keys)


# Carrying out


def stored_exports(store: ObjectStore, bot_id: UUID | None = None, export_id: UUID | None = None) -> list[StoredExport]:
    """What lies there, of all bots or of that one: bot by bot, the oldest first. What else lies there is left out."""
    prefix = EXPORTS + (f"{bot_id}/" if bot_id else "") + (f"{export_id}/" if export_id else "")
    found: dict[ExportKey, dict[str, ObjectVersion]] = {}
    for version in store.list(prefix):
        if match := _KEY.fullmatch(version.key):
            found.setdefault(ExportKey(UUID(match[1]), UUID(match[2])), {})[match[3]] = version
    return [StoredExport(key, objects) for key, objects in found.items()]


def read_request(store: ObjectStore, stored: StoredExport) -> ExportRequest:
    """Raises NotFoundError if it was deleted meanwhile, InvalidInputError if it is damaged."""
    content = _read_json(store, stored.objects[REQUEST])
    try:
        request = ExportRequest(**content)
    except TypeError as error:
        raise InvalidInputError("The request is damaged.") from error
    if request.format not in FORMATS:
        raise InvalidInputError(f"There is no format {request.format!r}: use {', '.join(FORMATS)}.")
    return request


def write_manifest(store: ObjectStore, key: ExportKey, manifest: ExportManifest) -> None:
    _write(store, f"{key.prefix}{MANIFEST}", asdict(manifest))


def write_failure(store: ObjectStore, key: ExportKey, reason: str) -> None:
    _write(store, f"{key.prefix}{FAILURE}", {"reason": reason, "failed_at": datetime.now(UTC).isoformat()})


def new_export_id() -> UUID:
    """Its first 48 bits are the time in milliseconds (RFC 9562, version 7): what is old is known by its name."""
    milliseconds = int(time.time() * 1000)
    return UUID(int=milliseconds << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62))


def _read(store: ObjectStore, stored: StoredExport) -> RequestedExport | None:
    """None if it was deleted."""
    try:
        request = read_request(store, stored)
        manifest = _read_json(store, stored.objects[MANIFEST]) if MANIFEST in stored.objects else None
        failure = _read_json(store, stored.objects[FAILURE])["reason"] if FAILURE in stored.objects else None
    except (KeyError, NotFoundError):
        return None
    return RequestedExport(stored.key, request, _manifest_from(manifest) if manifest else None, failure)


def _manifest_from(fields: Mapping[str, Any]) -> ExportManifest:
    try:
        return ExportManifest(**{**fields, "files": [ExportFile(**file) for file in fields["files"]]})
    except (KeyError, TypeError) as error:
        raise InvalidInputError(f"The manifest of the export is damaged ({error}).") from error


def _read_json(store: ObjectStore, version: ObjectVersion) -> dict[str, Any]:
    try:
        with store.open(version) as file:
            content = json.load(file)
    except ValueError as error:
        raise InvalidInputError(f"{version.key} is damaged: it is not JSON.") from error
    if not isinstance(content, dict):
        raise InvalidInputError(f"{version.key} is damaged: it is not an object.")
    return content


def _write(store: ObjectStore, key: str, content: Mapping[str, Any]) -> None:
    store.put(key, json.dumps(content, ensure_ascii=False).encode(), content_type="application/json")
