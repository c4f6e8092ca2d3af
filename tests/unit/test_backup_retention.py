"""Retention: snapshots go when their time is over, with every file that no other names, and nothing else goes."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from functions.backup import lease as leases
from functions.backup.lease import Lease
from functions.backup.retention import Retention
from shared.errors import LeasedError, SupersededError
from shared.snapshots import BotManifest, Manifest, Part, owner_suffix, snapshots, write_manifest
from shared.testing import InMemoryCatalog, InMemoryObjectStore

DEPLOYMENT = uuid4()


@pytest.fixture
def store() -> InMemoryObjectStore:
    return InMemoryObjectStore()


def take(store: InMemoryObjectStore, days_ago: int, keys: list[str], deployment: UUID = DEPLOYMENT) -> str:
    """A snapshot of so many days ago that names those files, which are there."""
    created = datetime.now(UTC) - timedelta(days=days_ago)
    parts = [Part(f"parts/{key}", "passages", 1, 1, "") for key in keys]
    for part in parts:
        store.contents[part.key] = b"x"
    bot = BotManifest(str(uuid4()), "library", "Library", {}, "m", "1", 4, "", {}, parts, [], [])
    snapshot_id = created.strftime("%Y%m%dT%H%M%S.%fZ") + owner_suffix(deployment)
    write_manifest(store, Manifest(snapshot_id, created.isoformat(), str(deployment), 7, [bot]))
    return snapshot_id


def collect(store: InMemoryObjectStore, retention: Retention, *, seconds: float = 900.0) -> int:
    with Lease(InMemoryCatalog().registry, "backup", busy="busy") as lease:
        return retention.collect(store, DEPLOYMENT, lease, lambda: seconds)


def files(store: InMemoryObjectStore) -> set[str]:
    return {key.removeprefix("parts/") for key in store.contents if key.startswith("parts/")}


def own(name: str, number: int = 1) -> str:
    return f"{number}{owner_suffix(DEPLOYMENT)}/{name}"


def test_what_is_old_goes_with_the_files_that_nobody_else_names(store: InMemoryObjectStore) -> None:
    take(store, 40, [own("a"), own("shared")])
    kept = [take(store, 20, [own("b"), own("shared")]), take(store, 1, [own("c"), own("shared")])]
    assert collect(store, Retention(days=30, minimum=1)) == 1
    assert snapshots(store) == kept
    assert files(store) == {own("b"), own("c"), own("shared")}


def test_the_newest_stay_however_old_they_are(store: InMemoryObjectStore) -> None:
    ids = [take(store, days, [own(str(days))]) for days in (400, 300, 200)]
    collect(store, Retention(days=30, minimum=2))
    assert snapshots(store) == ids[1:]
    assert files(store) == {own("300"), own("200")}


def test_files_that_no_manifest_names_go(store: InMemoryObjectStore) -> None:
    take(store, 1, [own("a")])
    store.contents[f"parts/{own('left over')}"] = b"x"
    collect(store, Retention())
    assert files(store) == {own("a")}


def test_another_deployment_s_snapshots_and_files_are_not_touched(store: InMemoryObjectStore) -> None:
    other = uuid4()
    theirs = f"1{owner_suffix(other)}/under way"
    old = take(store, 400, [f"1{owner_suffix(other)}/a"], other)
    store.contents[f"parts/{theirs}"] = b"x"
    newest = take(store, 1, [own("a")])
    collect(store, Retention(days=7, minimum=1))
    assert sorted(snapshots(store)) == sorted([old, newest])
    assert theirs in files(store)


def test_nothing_goes_while_a_manifest_cannot_be_read(store: InMemoryObjectStore) -> None:
    damaged = take(store, 3, [own("a")])
    take(store, 1, [own("b")])
    store.contents[f"parts/{own('left over')}"] = b"x"
    store.contents[f"snapshots/{damaged}.json"] = b"{"
    assert collect(store, Retention(days=30, minimum=1)) == 0
    assert files(store) == {own("a"), own("b"), own("left over")}


def test_without_time_it_stops_and_the_next_goes_on(store: InMemoryObjectStore) -> None:
    take(store, 1, [own("a")])
    store.contents[f"parts/{own('left over')}"] = b"x"
    assert collect(store, Retention(), seconds=10.0) == 0
    assert collect(store, Retention()) == 1


def test_a_lease_is_held_by_one_and_given_back() -> None:
    registry = InMemoryCatalog().registry
    with Lease(registry, "backup", busy="it is busy") as lease:
        lease.save({"done": 3})
        with pytest.raises(LeasedError, match="it is busy"), Lease(registry, "backup", busy="it is busy"):
            pass
    with Lease(registry, "backup", busy="it is busy") as lease:
        assert lease.progress == {"done": 3}


def test_a_lease_is_renewed_while_its_holder_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    catalog = InMemoryCatalog(lambda: now)
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.01)
    with Lease(catalog.registry, "backup", busy="busy") as lease:
        for _ in range(3):
            now += leases.LEASE_SECONDS - 1
            before = lease._renewed
            while lease._renewed == before:
                time.sleep(0.005)
            lease.check()
            with pytest.raises(LeasedError):
                Lease(catalog.registry, "backup", busy="busy").__enter__()


def test_who_stood_still_for_longer_than_the_lease_writes_nothing_more() -> None:
    registry = InMemoryCatalog().registry
    with Lease(registry, "backup", busy="busy") as lease:
        lease._renewed -= leases.LEASE_SECONDS
        with pytest.raises(SupersededError):
            lease.check()
        with pytest.raises(SupersededError):
            lease.save({"done": 4})
    with Lease(registry, "backup", busy="busy") as lease:
        assert lease.progress == {}


def test_a_lease_that_another_took_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.01)
    registry = InMemoryCatalog().registry
    with Lease(registry, "backup", busy="busy") as lease:
        monkeypatch.setattr(registry, "claim_lease", lambda *claimed: None)
        lease._thread.join(10.0)
        with pytest.raises(SupersededError):
            lease.check()
