"""The bucket scan: what looks different is hinted, what a mistake of somebody's made vanish is not, and it resumes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.sync import bucket_scan
from functions.sync.bucket_scan import (
    ALWAYS_CREDIBLE,
    IDENTITY_KEY,
    RESERVE_SECONDS,
    BucketScan,
    bucket_deployment,
    check_bucket,
    claim_bucket,
)
from shared.domain import Bot, SeenObject
from shared.errors import MismatchError, StoreUnavailableError
from shared.testing import InMemoryCatalog, InMemoryObjectStore, RecordingHints
from shared.testing.catalog.documents import InMemoryDocuments
from tests.worlds import memory_world

BOT = memory_world().bot


class Documents(InMemoryDocuments):
    """Knows objects by the version that was seen last."""

    def __init__(self, seen: Mapping[str, str | None]) -> None:
        super().__init__(InMemoryCatalog().state)
        self.seen = dict(seen)

    def seen_objects(self, bot: Bot, *, after: str, limit: int) -> list[SeenObject]:
        keys = sorted((key for key in self.seen if key.encode() > after.encode()), key=str.encode)
        return [SeenObject(key, self.seen[key]) for key in keys[:limit]]


class Setting:
    """A bucket, what the catalog knows of it, and as much time as it is given."""

    def __init__(self, objects: Mapping[str, str], seen: Mapping[str, str | None]) -> None:
        self.bucket = InMemoryObjectStore()
        self.registry = InMemoryCatalog().registry
        self.hints = RecordingHints()
        self.time_left: Callable[[], float] = lambda: 3600.0
        for key, content in objects.items():
            self.bucket.put(key, content.encode())
        self.documents = Documents({key: self.etag(content) if content else None for key, content in seen.items()})

    @staticmethod
    def etag(content: str) -> str:
        return InMemoryObjectStore().put("", content.encode()).etag

    def scan(self) -> bool:
        scan = BucketScan(self.registry, self.documents, self.bucket, self.hints, self.time_left, uuid4())
        return scan.scan(BOT)


def turns(number: int) -> Callable[[], float]:
    """Time enough for that many slices."""
    left: Iterator[float] = iter([RESERVE_SECONDS + 1] * number)
    return lambda: next(left, 0.0)


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_scan, "SLICE", 2)


def keys(number: int) -> list[str]:
    return [f"library/{n:03}.txt" for n in range(number)]


# What is hinted


def test_a_bucket_that_is_as_it_was_seen_raises_nothing() -> None:
    same = dict.fromkeys(keys(7), "same")
    setting = Setting(same, same)
    assert setting.scan()
    assert setting.hints.keys == []


def test_what_is_new_changed_or_gone_is_hinted() -> None:
    same = dict.fromkeys(keys(7), "same")
    setting = Setting(
        same | {"library/changed": "new", "library/new": "x"}, same | {"library/changed": "old", "library/gone": "x"}
    )
    assert setting.scan()
    assert sorted(setting.hints.keys) == ["library/changed", "library/gone", "library/new"]


def test_what_was_never_seen_as_an_object_does_not_vanish() -> None:
    setting = Setting({"library/a": "x"}, {"library/a": "x", "library/restored": None})
    assert setting.scan()
    assert setting.hints.keys == []


def test_other_bots_and_hidden_objects_are_not_looked_at() -> None:
    setting = Setting({"library2/a": "x", "other/b": "x", IDENTITY_KEY: "{}", "library/a": "x"}, {"library/a": "x"})
    assert setting.scan()
    assert setting.hints.keys == []


KEYS = st.text(st.sampled_from("a/é한😀\u2028"), min_size=1, max_size=3).map(lambda name: f"library/{name}")
CONTENTS = st.sampled_from(["one", "two"])


@settings(deadline=None)
@given(
    objects=st.dictionaries(KEYS, CONTENTS, max_size=30),
    seen=st.dictionaries(KEYS, CONTENTS | st.none(), max_size=30),
    slice_size=st.integers(1, 5),
    slices_per_run=st.integers(1, 4),
)
def test_however_it_is_sliced_and_interrupted_each_difference_is_hinted_once(
    objects: dict[str, str], seen: dict[str, str | None], slice_size: int, slices_per_run: int
) -> None:
    setting = Setting(objects, seen)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(bucket_scan, "SLICE", slice_size)
        for _ in range(100):
            setting.time_left = turns(slices_per_run)
            if setting.scan():
                break
        else:
            pytest.fail("the scan never came to its end")
    different = [key for key, content in objects.items() if seen.get(key) != content]
    vanished = [key for key, content in seen.items() if content and key not in objects]
    is_credible = len(vanished) <= max(ALWAYS_CREDIBLE, len(seen) / 10)
    assert sorted(setting.hints.keys) == sorted(different + (vanished if is_credible else []))


# What is not believed


@pytest.mark.parametrize(
    ("there", "gone", "is_believed"),
    [(1, 10, True), (1, 11, False), (180, 20, True), (179, 21, False), (0, 1, True)],
)
def test_more_than_a_tenth_does_not_vanish_unless_it_is_a_handful(there: int, gone: int, is_believed: bool) -> None:
    seen = dict.fromkeys(keys(there + gone), "same")
    setting = Setting(dict(list(seen.items())[:there]), seen)
    assert setting.scan()
    assert len(setting.hints.keys) == (gone if is_believed else 0)


def test_what_is_not_believed_is_told(caplog: pytest.LogCaptureFixture) -> None:
    setting = Setting({"library/000.txt": "same"}, dict.fromkeys(keys(100), "same"))
    setting.scan()
    (record,) = caplog.records
    assert (record.levelname, vars(record)["bot"], vars(record)["vanished"]) == ("ERROR", "library", 99)


# Interruptions


def test_without_time_nothing_is_done_and_the_next_run_begins() -> None:
    setting = Setting({"library/a": "x"}, {})
    setting.time_left = lambda: RESERVE_SECONDS
    assert not setting.scan()
    assert setting.hints.keys == []
    setting.time_left = lambda: 3600.0
    assert setting.scan()
    assert setting.hints.keys == ["library/a"]


def test_after_its_end_the_scan_begins_again() -> None:
    setting = Setting(dict.fromkeys(keys(5), "x"), {})
    for _ in range(2):
        assert setting.scan()
    assert setting.hints.keys == keys(5) * 2


def test_a_queue_that_fails_loses_no_hint() -> None:
    setting = Setting(dict.fromkeys(keys(6), "x"), {})

    class Away(RecordingHints):
        def object_changed(self, key: str) -> None:
            if key == "library/003.txt":
                raise StoreUnavailableError()
            super().object_changed(key)

    away, setting.hints = setting.hints, Away()
    with pytest.raises(StoreUnavailableError):
        setting.scan()
    assert setting.hints.keys == keys(3)
    setting.hints = away
    assert setting.scan()
    assert setting.hints.keys == keys(6)[2:]


def test_while_another_worker_scans_there_is_nothing_to_do() -> None:
    setting = Setting({"library/a": "x"}, {})
    setting.registry.claim_lease(f"scan:{BOT.bot_id}", uuid4(), 60)
    assert setting.scan()
    assert setting.hints.keys == []


# Whose bucket it is


def test_a_new_bucket_is_claimed_once_and_for_all() -> None:
    bucket, ours, theirs = InMemoryObjectStore(), uuid4(), uuid4()
    assert bucket_deployment(bucket) is None
    claim_bucket(bucket, ours)
    claim_bucket(bucket, ours)
    assert bucket_deployment(bucket) == str(ours)
    before = dict(bucket.contents)
    with pytest.raises(MismatchError, match=str(ours)):
        claim_bucket(bucket, theirs)
    assert bucket.contents == before


def test_a_bucket_of_nobody_is_not_ours() -> None:
    with pytest.raises(MismatchError, match="belongs to no deployment"):
        check_bucket(InMemoryObjectStore(), uuid4())


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"{}", b'{"deployment_id": 7}', b'{"deployment_id": "x"}', b"\xff", b"[" * 900],
)
def test_a_bucket_whose_sign_is_damaged_is_nobodys_and_stays_as_it_is(content: bytes) -> None:
    bucket = InMemoryObjectStore()
    bucket.put(IDENTITY_KEY, content)
    for look in (check_bucket, claim_bucket):
        with pytest.raises(MismatchError, match="damaged"):
            look(bucket, uuid4())
    assert bucket.contents == {IDENTITY_KEY: content}


def test_the_sign_is_what_it_always_was() -> None:
    bucket, ours = InMemoryObjectStore(), uuid4()
    claim_bucket(bucket, ours)
    assert json.loads(bucket.contents[".lockstep/deployment.json"]) == {"deployment_id": str(ours)}
