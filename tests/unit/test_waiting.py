"""Waiting for ingest: until it is done with that very content, and never longer than a caller waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from functions.query import waiting
from functions.query.waiting import WAIT_SECONDS, wait_until_gone, wait_until_seen
from shared.domain import Bot, DocumentStatus, ObjectVersion
from shared.testing import InMemoryCatalog
from shared.testing.catalog.documents import InMemoryDocuments
from tests.worlds import memory_world

VERSION = ObjectVersion("library/a.txt", "new", 10)
THEN = datetime(2024, 1, 1, tzinfo=UTC)
STATUS = DocumentStatus(uuid4(), VERSION.key, "live", None, True, "A", 1, 1, None, "new", THEN, THEN, THEN)


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


class Documents(InMemoryDocuments):
    """Tells one status after another, the last one for ever."""

    def __init__(self, statuses: Sequence[DocumentStatus | None]) -> None:
        super().__init__(InMemoryCatalog().state)
        self.looks = 0
        self._statuses = list(statuses)

    def document_of(self, bot: Bot, object_key: str) -> DocumentStatus | None:
        assert object_key == VERSION.key
        self.looks += 1
        return self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(waiting, "time", made)
    return made


@pytest.fixture(scope="module")
def bot() -> Bot:
    return memory_world().bot


@pytest.mark.parametrize("state", ["live", "rejected", "failed"])
def test_it_ends_when_ingest_is_done_with_that_content(clock: Clock, bot: Bot, state: str) -> None:
    done = replace(STATUS, state=state)
    documents = Documents([None, replace(done, seen_version="old"), replace(done, state="building"), done])
    seen = wait_until_seen(documents, bot, VERSION)
    assert (seen.is_done, seen.status) == (True, done)
    assert documents.looks == 4


@pytest.mark.parametrize(
    "status",
    [
        None,
        replace(STATUS, seen_version=None, state="observing"),
        replace(STATUS, state="building"),
        replace(STATUS, seen_version="old"),
        replace(STATUS, seen_version="old", state="rejected"),
    ],
)
def test_what_is_not_done_is_given_up_before_the_caller_gives_up(
    clock: Clock, bot: Bot, status: DocumentStatus | None
) -> None:
    documents = Documents([status])
    seen = wait_until_seen(documents, bot, VERSION)
    assert (seen.is_done, seen.status) == (False, status)
    assert WAIT_SECONDS - 1 < sum(clock.pauses) <= WAIT_SECONDS
    assert documents.looks < 100


def test_the_pauses_grow_and_stay_short(clock: Clock, bot: Bot) -> None:
    wait_until_seen(Documents([None]), bot, VERSION)
    assert clock.pauses == sorted(clock.pauses)
    assert clock.pauses[0] < 0.1
    assert clock.pauses[-1] <= 0.5


@pytest.mark.parametrize("status", [None, STATUS])
def test_without_time_it_looks_once(clock: Clock, bot: Bot, status: DocumentStatus | None) -> None:
    documents = Documents([status])
    assert wait_until_seen(documents, bot, VERSION, seconds=0).is_done is (status is STATUS)
    assert (documents.looks, clock.pauses) == (1, [])


def test_a_version_of_a_bucket_that_keeps_versions_is_told_apart(clock: Clock, bot: Bot) -> None:
    second = replace(VERSION, version_id="2")
    assert not wait_until_seen(Documents([replace(STATUS, seen_version="new@1")]), bot, second, seconds=0).is_done
    assert wait_until_seen(Documents([replace(STATUS, seen_version="new@2")]), bot, second, seconds=0).is_done


@pytest.mark.parametrize("after", [None, replace(STATUS, document_id=uuid4())])
def test_a_document_is_gone_when_it_or_its_name_is_another(
    clock: Clock, bot: Bot, after: DocumentStatus | None
) -> None:
    assert wait_until_gone(Documents([STATUS, STATUS, after]), bot, STATUS)
    assert len(clock.pauses) == 2


def test_a_document_that_stays_is_given_up_in_time(clock: Clock, bot: Bot) -> None:
    assert not wait_until_gone(Documents([STATUS]), bot, STATUS)
    assert sum(clock.pauses) <= WAIT_SECONDS + 0.1
