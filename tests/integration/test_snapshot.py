"""Snapshots: over many invocations, incremental, and without what was deleted."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import pytest

from functions.backup import snapshot as snapshots_module
from functions.backup import vectors
from functions.backup.retention import Retention
from functions.backup.snapshot import OBJECTS_AT_ONCE, RESERVE_SECONDS, TABLES_SECONDS
from functions.backup.tables import ALWAYS_COPIED, DIGESTS, LOGS, TABLES
from shared import snapshot_vectors, steps
from shared.domain import QueryLog
from shared.errors import LeasedError
from shared.snapshots import Manifest, read_json, snapshots
from tests.integration.deployments import RECORDS, Deployment, Deployments


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_vectors, "PART_BYTES", 8_000)  # ten vectors of the tests' embedder
    monkeypatch.setattr(vectors, "FETCHED_AT_ONCE", 5)
    assert OBJECTS_AT_ONCE > 1
    monkeypatch.setattr(snapshots_module, "OBJECTS_AT_ONCE", 1)


@pytest.fixture
def fetched(source: Deployment, monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """What was read of the index."""
    read: list[UUID] = []
    fetch = source.world.index.fetch

    def recorded(collection: Any, bot_id: UUID, passage_ids: Sequence[UUID]) -> Any:
        read.extend(passage_ids)
        return fetch(collection, bot_id, passage_ids)

    monkeypatch.setattr(source.world.index, "fetch", recorded)
    return read


def test_a_snapshot_that_runs_out_of_time_again_and_again_is_one_snapshot_in_the_end(
    deployments: Deployments, source: Deployment, fetched: list[UUID]
) -> None:
    manifest = None
    invocations = 0
    while manifest is None:
        invocations += 1
        looks = count()
        # Each invocation has time for a few looks at its clock.
        manifest = source.snapshotting(
            time_left=lambda looks=looks: TABLES_SECONDS + 1 if next(looks) < 5 else RESERVE_SECONDS - 1  # type: ignore[misc]
        ).take()
        if manifest is None:
            assert snapshots(source.backups) == []
            assert source.snapshotting().is_due()
        assert invocations < 30
    assert invocations > 2
    assert len(fetched) == len(set(fetched)) == manifest.bots[0].rows("passages") == manifest.bots[0].vectors
    target = deployments.empty()
    assert target.restore(manifest) == ["library"]
    assert target.world.search("What is number 17?").hits[0].evidence.pair.external_id == "17"
    assert sorted(version.key for version in target.world.objects.list("")) == [
        "library/guide.md",
        "library/records.jsonl",
    ]


@pytest.mark.parametrize(
    "place",
    [
        "snapshot.begun",
        "snapshot.tables-copied",
        "snapshot.vectors-written",
        "snapshot.objects-copied",
        "snapshot.bot-finished",
        "snapshot.manifest-written",
        "snapshot.parts-collected",
    ],
)
def test_a_snapshot_that_dies_anywhere_is_finished_by_the_next(source: Deployment, place: str) -> None:
    with pytest.raises(_DiedError), _dying_at(place):
        source.snapshot()
    before = snapshots(source.backups)
    assert len(before) == (place in ("snapshot.manifest-written", "snapshot.parts-collected"))
    manifest = source.snapshot()
    assert snapshots(source.backups)[-1] == manifest.snapshot_id
    assert manifest.bots[0].vectors == manifest.bots[0].rows("passages") == 31
    assert source.restoring().check_parts(manifest.bots[0]) == len(manifest.bots[0].parts)
    assert _files(source) == _named(source, manifest, *before)


def test_the_second_snapshot_copies_only_what_is_new(source: Deployment, fetched: list[UUID]) -> None:
    first = source.snapshot()
    fetched.clear()
    assert not source.snapshotting().is_due()
    second = source.snapshot()
    assert fetched == []
    assert second.bots[0].vector_parts == first.bots[0].vector_parts
    assert second.bots[0].objects == first.bots[0].objects
    again = {part.kind for part in second.bots[0].tables if part in first.bots[0].tables}
    assert again == {*TABLES, DIGESTS} - {*ALWAYS_COPIED}
    source.world.reading.log(source.world.bot, QueryLog(uuid4(), "another", "answer", False, 5), [])
    logged = source.snapshot()
    assert {part.kind for part in logged.bots[0].tables if part in second.bots[0].tables} == again - {LOGS}
    assert logged.bots[0].rows(LOGS) == 2
    source.world.put("new.txt", "Something new.")
    fetched.clear()
    third = source.snapshot()
    assert len(fetched) == 1
    assert third.bots[0].vectors == first.bots[0].vectors + 1
    assert set(first.bots[0].objects) < set(third.bots[0].objects)


def test_what_was_deleted_leaves_with_the_last_snapshot_that_was_taken_before(source: Deployment) -> None:
    world = source.world
    first = source.snapshot()
    (passage_id,) = {hit.evidence.passage_id for hit in world.search("find the way", top_k=1).hits}
    assert _holds(source, passage_id.bytes) and _holds(source, b"How to find the way")
    world.remove("guide.md")
    second = source.snapshotting(retention=Retention(days=30, minimum=1)).take()
    assert second is not None
    named = {part.key for part in second.bots[0].parts}
    assert not any(passage_id.bytes in _content(source, key) for key in named)
    assert first.snapshot_id in snapshots(source.backups)
    source.snapshotting(retention=Retention(days=1e-9, minimum=1)).take()
    assert len(snapshots(source.backups)) == 1
    assert not _holds(source, passage_id.bytes) and not _holds(source, b"How to find the way")


def test_a_bot_that_is_deleted_meanwhile_is_left_out(source: Deployment) -> None:
    source.world.register("other")

    def delete(name: str) -> None:
        if name == "snapshot.bot-finished":
            steps.listen(None)
            source.world.registry.delete_bot("library")

    steps.listen(delete)
    try:
        manifest = source.snapshot()
    finally:
        steps.listen(None)
    assert [bot.slug for bot in manifest.bots] == ["other"]


def test_a_newest_manifest_that_is_damaged_is_not_built_upon_and_nothing_is_collected(source: Deployment) -> None:
    first = source.snapshot()
    source.backups.put(first.key, b"{")
    second = source.snapshot()
    assert not {part.key for part in first.bots[0].parts} & {part.key for part in second.bots[0].parts}
    assert all(source.backups.head(part.key) for part in first.bots[0].parts)


def test_superseded_passages_wait_while_their_vectors_are_copied(source: Deployment) -> None:
    world = source.world

    def supersede(name: str) -> None:
        if name == "snapshot.tables-copied":
            steps.listen(None)
            for number in range(2):
                world.put("records.jsonl", RECORDS.replace("nothing", f"nothing {number}"))

    steps.listen(supersede)
    try:
        manifest = source.snapshot()
    finally:
        steps.listen(None)
    assert manifest.bots[0].vectors == manifest.bots[0].rows("passages") == 31
    world.sync()  # the pin has ended with the bot's copy
    assert world.index.count(world.bot.collection, world.bot.bot_id) == 30 + 30 + 1


def test_one_snapshot_is_taken_at_a_time(source: Deployment) -> None:
    source.world.registry.claim_lease("backup", uuid4(), 60)
    with pytest.raises(LeasedError, match="try again in a minute"):
        source.snapshot()


class _DiedError(Exception):
    """What a kill is within a process."""


class _dying_at:  # noqa: N801  # reads as what it does
    def __init__(self, place: str) -> None:
        self._place = place

    def __enter__(self) -> None:
        def listener(name: str) -> None:
            if name == self._place:
                raise _DiedError

        steps.listen(listener)

    def __exit__(self, *failure: object) -> None:
        steps.listen(None)


def _content(source: Deployment, key: str) -> bytes:
    version = source.backups.head(key)
    assert version is not None
    with source.backups.open(version) as file:
        return file.read()


def _holds(source: Deployment, wanted: bytes) -> bool:
    return any(wanted in _content(source, version.key) for version in source.backups.list("parts/"))


def _files(source: Deployment) -> set[str]:
    return {version.key for version in source.backups.list("parts/")}


def _named(source: Deployment, manifest: Manifest, *others: str) -> set[str]:
    found = {part.key for bot in manifest.bots for part in bot.parts}
    for snapshot_id in others:
        fields = read_json(source.backups, f"snapshots/{snapshot_id}.json")
        assert fields is not None
        for bot in fields["bots"]:
            found |= {part["key"] for part in (*bot["tables"], *bot["objects"])}
            found |= {part["key"] for pair in bot["vector_parts"] for part in pair.values()}
    return found
