"""Exports that are asked for, as objects in the store of snapshots: over a folder, and over memory."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from functions.backup.export_files import FILE_WRITERS
from shared.errors import ConflictError, InvalidInputError, NotFoundError
from shared.folder import FolderObjectStore
from shared.ports import ObjectStore
from shared.requested_exports import (
    FORMATS,
    KEPT_DAYS,
    MOST_OF_A_BOT,
    ExportFile,
    ExportKey,
    ExportManifest,
    ExportRequest,
    delete_export,
    export_of,
    exports_of,
    new_export_id,
    request_export,
    stored_exports,
    write_failure,
    write_manifest,
)
from shared.snapshots import snapshots
from shared.testing import InMemoryObjectStore
from tests.worlds import World, memory_world

WANTED = ExportRequest("csv", "2026-01-02T00:00:00+00:00", True)


@pytest.fixture(params=["memory", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    return InMemoryObjectStore() if request.param == "memory" else FolderObjectStore(tmp_path)


@pytest.fixture
def world() -> World:
    return memory_world()


def test_what_was_asked_for_is_found_as_it_was_asked_for(store: ObjectStore, world: World) -> None:
    asked = request_export(store, world.bot, WANTED)
    assert asked.state == "requested"
    assert export_of(store, world.bot, asked.key.export_id) == asked
    assert exports_of(store, world.bot) == [asked]
    assert exports_of(store, world.register("other")) == []


def test_a_manifest_finishes_it_and_a_failure_has_its_reason(store: ObjectStore, world: World) -> None:
    first, second = (request_export(store, world.bot, WANTED) for _ in range(2))
    manifest = ExportManifest("then", "now", {"pairs": 3}, 1, [ExportFile("pairs.csv", "k", 5, "f" * 64)])
    write_manifest(store, first.key, manifest)
    write_failure(store, second.key, "It is too large.")
    finished, failed = (export_of(store, world.bot, each.key.export_id) for each in (first, second))
    assert (finished.state, finished.manifest, finished.failure) == ("finished", manifest, None)
    assert (failed.state, failed.manifest, failed.failure) == ("failed", None, "It is too large.")


def test_another_bot_s_export_is_not_there(store: ObjectStore, world: World) -> None:
    asked = request_export(store, world.bot, WANTED)
    with pytest.raises(NotFoundError, match=f"'other' has no export {asked.key.export_id}"):
        export_of(store, world.register("other"), asked.key.export_id)


def test_a_deleted_one_is_gone_with_its_files(store: ObjectStore, world: World) -> None:
    asked, kept = (request_export(store, world.bot, WANTED) for _ in range(2))
    store.put(f"{asked.key.prefix}0123/pairs.csv", b"x")
    assert delete_export(store, asked.key) == 2
    assert [stored.key for stored in stored_exports(store)] == [kept.key]


def test_no_more_are_kept_of_a_bot_than_can_be_looked_at(store: ObjectStore, world: World) -> None:
    exports = [request_export(store, world.bot, WANTED) for _ in range(MOST_OF_A_BOT)]
    with pytest.raises(ConflictError, match="delete one first"):
        request_export(store, world.bot, WANTED)
    request_export(store, world.register("other"), WANTED)
    delete_export(store, exports[0].key)
    request_export(store, world.bot, WANTED)


def test_ids_are_of_version_7_and_tell_when_and_in_which_order(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = []
    for moment in (1_000_000_000.0, 1_000_000_000.002, 2_000_000_000.0):
        monkeypatch.setattr("shared.requested_exports.time.time", lambda now=moment: now)
        ids.append(new_export_id())
    assert {(each.version, each.variant) for each in ids} == {(7, UUID(int=0x8000 << 48).variant)}
    assert ids == sorted(ids, key=str)
    assert ExportKey(uuid4(), ids[2]).requested_at == datetime.fromtimestamp(2_000_000_000, UTC)
    assert (ExportKey(uuid4(), ids[0]).expires_at - ExportKey(uuid4(), ids[0]).requested_at).days == KEPT_DAYS


def test_whatever_else_lies_there_is_left_out(store: ObjectStore, world: World) -> None:
    for key in ("exports/readme.txt", f"exports/{uuid4()}/x/request.json", "exports/a/b/request.json", "parts/x/y"):
        store.put(key, b"x")
    odd = ExportKey(world.bot.bot_id, UUID(int=(1 << 128) - 1))
    store.put(f"{odd.prefix}other.txt", b"x")
    assert [stored.key for stored in stored_exports(store)] == [odd]
    assert odd.expires_at > datetime.now(UTC)
    assert exports_of(store, world.bot) == []
    assert snapshots(store) == []


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b"{}", b'{"format": "doc", "since": null, "include_embeddings": false}']
)
def test_a_damaged_request_is_said_to_be(store: ObjectStore, world: World, content: bytes) -> None:
    key = ExportKey(world.bot.bot_id, new_export_id())
    store.put(f"{key.prefix}request.json", content)
    with pytest.raises(InvalidInputError):
        export_of(store, world.bot, key.export_id)


def test_every_format_that_can_be_written_can_be_asked_for() -> None:
    assert tuple(FILE_WRITERS) == FORMATS
