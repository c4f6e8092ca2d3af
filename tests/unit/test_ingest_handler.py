"""The door of ingest: which objects an event names, and which messages come again."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, quote_plus
from uuid import UUID

import pytest

from functions.ingest.handler import handler
from shared import wiring
from shared.aws import object_event
from shared.domain import Collection, IndexRow, ObjectVersion, Vectors
from shared.errors import LeasedError, ObjectChangedError, StoreUnavailableError
from shared.settings import Settings
from shared.telemetry import logger
from shared.testing import InMemoryObjectStore, InMemoryVectorIndex
from tests.worlds import World, memory_world

EVENTS = Path(__file__).parent.parent / "events"
SETTINGS = Settings.model_validate(
    {"postgres_url": "postgresql://", "milvus_uri": "http://", "bucket_url": "s3://library", "max_object_mb": 1}
)


class Bucket(InMemoryObjectStore):
    """A bucket that tells what was looked at, and that something may happen to while it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: list[str] = []
        self.away: set[str] = set()
        self.when_opened: Callable[[], object] = lambda: None

    def head(self, key: str) -> ObjectVersion | None:
        self.looks.append(key)
        if key in self.away:
            raise StoreUnavailableError()
        return super().head(key)

    @contextmanager
    def open(self, version: ObjectVersion) -> Iterator[BinaryIO]:
        self.when_opened()
        with super().open(version) as file:
            yield file


class Index(InMemoryVectorIndex):
    """An index that may be away, for some bots."""

    def __init__(self) -> None:
        super().__init__()
        self.away_for: set[UUID] = set()

    def upsert(
        self, collection: Collection, rows: Sequence[tuple[IndexRow, Vectors]], *, within_seconds: float | None = None
    ) -> None:
        if any(row.bot_id in self.away_for for row, _ in rows):
            raise StoreUnavailableError()
        super().upsert(collection, rows, within_seconds=within_seconds)


class Invocation:
    """What a function is told of its invocation."""

    def __init__(self, seconds: float = 900.0) -> None:
        self.seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


class Tiring(Invocation):
    """An invocation whose time is up when it was asked so often how much is left."""

    def __init__(self, questions: int) -> None:
        super().__init__()
        self._questions = questions

    def get_remaining_time_in_millis(self) -> int:
        self._questions -= 1
        self.seconds = self.seconds if self._questions > 0 else 0.0
        return super().get_remaining_time_in_millis()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Twins in place of everything that the composition root builds."""
    made = memory_world(objects=Bucket(), index=Index())
    parts = {
        "settings": SETTINGS,
        "registry": made.registry,
        "documents": made.documents,
        "delivery_catalog": made.delivery,
        "deletions": made.deletions,
        "index": made.index,
        "graph": made.graph,
        "embedders": made.embedders(),
        "bucket": made.objects,
        "hints": made.hints,
    }
    for name, part in parts.items():
        monkeypatch.setattr(wiring, name, lambda part=part: part)
    return made


def bucket_of(world: World) -> Bucket:
    assert isinstance(world.objects, Bucket)
    return world.objects


def index_of(world: World) -> Index:
    assert isinstance(world.index, Index)
    return world.index


def s3_event(*keys: str) -> dict[str, Any]:
    return {"Records": [record for key in keys for record in object_event("library", key)["Records"]]}


def sqs_event(**bodies: Any) -> dict[str, Any]:
    """An event with one message for each body; what is not text is written as JSON."""
    texts = {name: body if isinstance(body, str) else json.dumps(body) for name, body in bodies.items()}
    return {"Records": [{"messageId": name, "body": text, "eventSource": "aws:sqs"} for name, text in texts.items()]}


def invoke(event: dict[str, Any], invocation: Invocation | None = None) -> list[str]:
    """The messages that are to be given again."""
    answer = handler(event, invocation or Invocation())
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def write(world: World, *names: str) -> list[str]:
    """Objects that say their own name; returns their keys."""
    for name in names:
        world.objects.put(world.key(name), f"This is {name}.".encode())
    return [world.key(name) for name in names]


def is_live(world: World, name: str) -> bool:
    status = world.status(name)
    return status is not None and status.state == "live"


# What an event names


def test_an_event_of_s3_is_read(world: World) -> None:
    (key,) = write(world, "a.txt")
    assert invoke(s3_event(key)) == []
    assert world.answers("a.txt") == ["This is a.txt."]


def test_an_event_of_s3_inside_a_message_is_read(world: World) -> None:
    (key,) = write(world, "a.txt")
    assert invoke(sqs_event(one=s3_event(key))) == []
    assert is_live(world, "a.txt")


def test_several_records_in_several_messages_are_all_looked_at(world: World) -> None:
    first, second, third = write(world, "a.txt", "b.txt", "c.txt")
    assert invoke(sqs_event(one=s3_event(first, second), two=s3_event(third))) == []
    assert all(is_live(world, name) for name in ("a.txt", "b.txt", "c.txt"))


def test_a_key_that_comes_twice_is_looked_at_once(world: World) -> None:
    (key,) = write(world, "a.txt")
    invoke(sqs_event(one=s3_event(key, key), two=s3_event(key)))
    assert bucket_of(world).looks == [key]


@pytest.mark.parametrize(
    "name",
    [
        "with space.txt",
        "a+b.txt",
        "50%25.txt",
        'quote\'s "x".txt',
        "한국어/문서.txt",
        "Böbrek/ıİ.txt",
        "a&b=c#d?.txt",
        "😀.txt",
    ],
)
@pytest.mark.parametrize("encode", [quote_plus, quote, lambda key: quote(key).replace("%20", "+")])
def test_keys_are_read_however_they_are_encoded(world: World, name: str, encode: Callable[[str], str]) -> None:
    (key,) = write(world, name)
    event = s3_event(key)
    event["Records"][0]["s3"]["object"]["key"] = encode(key)
    invoke(event)
    assert bucket_of(world).looks == [key]
    assert is_live(world, name)


def test_a_removal_removes_and_an_event_of_it_for_an_object_that_is_there_does_not(world: World) -> None:
    gone, there = write(world, "gone.txt", "there.txt")
    invoke(s3_event(gone, there))
    world.objects.delete(gone)
    removals = [object_event("library", key, name="ObjectRemoved:Delete")["Records"][0] for key in (gone, there)]
    assert invoke({"Records": removals}) == []
    assert world.status("gone.txt") is None
    assert is_live(world, "there.txt")


def test_an_event_for_an_object_that_is_gone_leaves_nothing(world: World) -> None:
    assert invoke(sqs_event(one=s3_event(world.key("ghost.txt")))) == []
    assert world.status("ghost.txt") is None


def test_an_old_event_after_a_new_one_changes_nothing(world: World) -> None:
    (key,) = write(world, "a.txt")
    invoke(s3_event(key))
    world.objects.put(key, b"Something newer.")
    invoke(s3_event(key))
    before = world.status("a.txt")
    invoke(s3_event(key))
    assert world.status("a.txt") == before
    assert world.answers("newer") == ["Something newer."]


@pytest.mark.parametrize(
    "body", [{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "library"}, {}, {"Records": []}]
)
def test_a_test_event_of_s3_is_acknowledged(world: World, body: dict[str, Any]) -> None:
    assert invoke(sqs_event(one=body)) == []
    assert invoke(body) == []
    assert bucket_of(world).looks == []


@pytest.mark.parametrize(
    "key", ["nobody/a.txt", "a.txt", "library/", "/a.txt", "", ".lockstep/deployment.json", "library"]
)
def test_what_belongs_to_no_bot_is_acknowledged_and_left_alone(world: World, key: str) -> None:
    world.objects.put(key, b"content")
    assert invoke(sqs_event(one=s3_event(key))) == []
    assert bucket_of(world).looks == []


def test_the_objects_of_a_deleted_bot_are_left_alone(world: World) -> None:
    (key,) = write(world, "a.txt")
    world.registry.delete_bot(world.bot.slug)
    assert invoke(sqs_event(one=s3_event(key))) == []
    assert bucket_of(world).looks == []


def at_bucket(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """The documents are where that URL says."""
    monkeypatch.setattr(wiring, "settings", lambda: SETTINGS.model_copy(update={"bucket_url": url}))


def event_of_the_cloud(key: str) -> dict[str, Any]:
    """The event of tests/events, of another object."""
    event: dict[str, Any] = json.loads((EVENTS / "s3_object_created.json").read_text("utf-8"))
    event["Records"][0]["s3"]["object"]["key"] = quote_plus(key)
    return event


@pytest.mark.parametrize("url", ["s3://documents/kb", "s3://documents/kb/"])
def test_the_prefix_of_the_bucket_is_no_part_of_a_key(world: World, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    (key,) = write(world, "Häufige Fragen.txt")
    at_bucket(monkeypatch, url)
    assert invoke(sqs_event(one=event_of_the_cloud(f"kb/{key}"))) == []
    assert bucket_of(world).looks == [key]
    assert is_live(world, "Häufige Fragen.txt")


@pytest.mark.parametrize("key", ["library/a.txt", "kbx/library/a.txt", "other/kb/library/a.txt", "kb"])
def test_what_lies_beside_the_prefix_of_the_bucket_is_left_alone(
    world: World, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    write(world, "a.txt")
    world.register("kb")
    at_bucket(monkeypatch, "s3://documents/kb")
    assert invoke(sqs_event(one=event_of_the_cloud(key))) == []
    assert bucket_of(world).looks == []


def test_a_bot_may_be_called_like_the_prefix(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.register("kb")
    world.objects.put("kb/a.txt", b"This is a.")
    at_bucket(monkeypatch, "s3://documents/kb")
    invoke(event_of_the_cloud("kb/kb/a.txt"))
    assert bucket_of(world).looks == ["kb/a.txt"]


def test_each_bot_gets_its_own(world: World) -> None:
    write(world, "a.txt")
    world.register("archive")
    world.objects.put("archive/a.txt", b"The other one.")
    invoke(s3_event("library/a.txt", "archive/a.txt"))
    assert world.answers("one a.txt") == ["This is a.txt."]
    (hit,) = world.search("one", bot=world.registry.bot("archive")).hits
    assert hit.evidence.text == "The other one."


def test_an_object_that_is_too_large_is_rejected_with_a_reason(world: World) -> None:
    world.objects.put(world.key("big.txt"), b"x" * 1_000_001)
    assert invoke(sqs_event(one=s3_event(world.key("big.txt")))) == []
    status = world.status("big.txt")
    assert status is not None
    assert status.state == "rejected"
    assert "1 MB" in str(status.reason)


# What comes again


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{not json",
        "null",
        "[]",
        '"text"',
        '{"Records": 1}',
        '{"Records": [{}]}',
        '{"Records": [{"s3": {"object": {}}}]}',
        '{"Records": [{"s3": {"object": {"key": 7}}}]}',
        '{"Records": [null]}',
    ],
)
def test_a_malformed_message_fails_alone(world: World, body: str) -> None:
    first, second = write(world, "a.txt", "b.txt")
    assert invoke(sqs_event(one=s3_event(first), bad=body, two=s3_event(second))) == ["bad"]
    assert is_live(world, "a.txt") and is_live(world, "b.txt")


def test_an_object_that_another_worker_looks_at_comes_again(world: World) -> None:
    leased, other = write(world, "leased.txt", "other.txt")
    world.documents.observe(world.bot, leased, lease_seconds=60)
    assert invoke(sqs_event(one=s3_event(leased), two=s3_event(other))) == ["one"]
    assert is_live(world, "other.txt")


def test_an_object_that_changes_while_it_is_read_comes_again_and_is_then_read_whole(world: World) -> None:
    (key,) = write(world, "a.txt")
    bucket = bucket_of(world)
    bucket.when_opened = lambda: bucket.put(key, b"Half of it.")
    assert invoke(sqs_event(one=s3_event(key))) == ["one"]
    bucket.when_opened = lambda: None
    bucket.put(key, b"All of it.")
    assert invoke(sqs_event(one=s3_event(key))) == []
    assert world.answers("all") == ["All of it."]


def test_an_object_that_goes_away_while_it_is_read_comes_again_and_is_then_gone(world: World) -> None:
    (key,) = write(world, "a.txt")
    bucket = bucket_of(world)
    bucket.when_opened = lambda: bucket.delete(key)
    assert invoke(sqs_event(one=s3_event(key))) == ["one"]
    assert invoke(sqs_event(one=s3_event(key))) == []
    assert world.status("a.txt") is None


def test_a_message_whose_bucket_is_away_comes_again(world: World) -> None:
    away, there = write(world, "away.txt", "there.txt")
    bucket_of(world).away = {away}
    assert invoke(sqs_event(one=s3_event(away), two=s3_event(there))) == ["one"]
    bucket_of(world).away = set()
    assert invoke(sqs_event(one=s3_event(away))) == []
    assert is_live(world, "away.txt") and is_live(world, "there.txt")


def test_a_failed_message_does_not_hide_the_same_object_in_another_one(world: World) -> None:
    (key,) = write(world, "a.txt")
    bucket = bucket_of(world)
    bucket.when_opened = lambda: bucket.put(key, f"Version {len(bucket.looks)}.".encode())
    assert invoke(sqs_event(one=s3_event(key), two=s3_event(key))) == ["one", "two"]
    assert len(bucket.looks) == 2


def test_a_direct_event_that_fails_raises(world: World) -> None:
    (key,) = write(world, "a.txt")
    bucket_of(world).away = {key}
    with pytest.raises(StoreUnavailableError):
        invoke(s3_event(key))
    bucket_of(world).away = set()
    world.documents.observe(world.bot, key, lease_seconds=60)
    with pytest.raises(LeasedError):
        invoke(s3_event(key))


def test_a_direct_event_for_an_object_that_changes_raises(world: World) -> None:
    (key,) = write(world, "a.txt")
    bucket_of(world).when_opened = lambda: world.objects.put(key, b"Half of it.")
    with pytest.raises(ObjectChangedError):
        invoke(s3_event(key))


def test_messages_for_which_there_is_no_time_come_again(world: World) -> None:
    keys = write(world, "a.txt", "b.txt", "c.txt")
    invocation = Invocation()
    bucket_of(world).when_opened = lambda: setattr(invocation, "seconds", 400.0)
    messages = dict(zip(("one", "two", "three"), (s3_event(key) for key in keys), strict=True))
    assert invoke(sqs_event(**messages), invocation) == ["two", "three"]
    assert bucket_of(world).looks == keys[:1]
    assert is_live(world, "a.txt")
    assert invoke(sqs_event(two=messages["two"]), Invocation(400.0)) == []
    assert is_live(world, "b.txt")


def test_a_document_that_takes_longer_than_the_function_lives_comes_live_by_and_by(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.ingest.staging.PART_PAIRS", 10)
    rows = "\n".join(f"{n},Question {n}?,Answer {n}." for n in range(100))
    key = world.key("many.csv")
    world.objects.put(key, f"id,question,answer\n{rows}\n".encode())
    asked: list[str] = [key]
    for invocations in range(1, 20):
        world.hints.keys.clear()
        assert invoke(sqs_event(one=s3_event(*asked)), Tiring(invocations * 17)) == []
        asked = list(world.hints.keys)
        if not asked:
            break
    status = world.status("many.csv")
    assert status is not None
    assert (status.state, status.pairs) == ("live", 100)
    assert invocations > 3


# What is left to sync


def test_a_delivery_that_fails_is_left_to_sync_and_fails_no_message(world: World) -> None:
    (key,) = write(world, "a.txt")
    index_of(world).away_for = {world.bot.bot_id}
    assert invoke(sqs_event(one=s3_event(key))) == []
    assert world.hints.syncs == 1
    status = world.status("a.txt")
    assert status is not None
    assert status.state == "building"


def test_a_delivery_that_fails_for_one_bot_reaches_the_others(world: World) -> None:
    (key,) = write(world, "a.txt")
    world.register("archive")
    world.objects.put("archive/a.txt", b"The other one.")
    index_of(world).away_for = {world.bot.bot_id}
    assert invoke(s3_event(key, "archive/a.txt")) == []
    assert not is_live(world, "a.txt")
    assert len(world.search("one", bot=world.registry.bot("archive")).hits) == 1
    assert world.hints.syncs == 1


def test_without_time_left_the_work_is_committed_and_left_to_sync(world: World) -> None:
    (key,) = write(world, "a.txt")
    assert invoke(sqs_event(one=s3_event(key)), Invocation(5)) == []
    assert world.hints.syncs == 1
    assert not is_live(world, "a.txt")


def test_a_delivery_that_comes_to_its_end_asks_for_nothing(world: World) -> None:
    invoke(s3_event(*write(world, "a.txt", "b.txt")))
    assert world.hints.syncs == 0
    assert world.hints.keys == []


def test_an_object_in_decomposed_letters_is_looked_at_under_the_key_that_it_has(world: World) -> None:
    name = unicodedata.normalize("NFD", "é.txt")
    (key,) = write(world, name)
    invoke(s3_event(key))
    assert bucket_of(world).looks == [key]
    assert is_live(world, name)


def test_every_line_about_a_look_names_the_document_the_look_and_the_invocation(world: World) -> None:
    seen: list[dict[str, Any]] = []
    bucket_of(world).when_opened = lambda: seen.append(dict(logger().thread_safe_get_current_keys()))
    write(world, "a.txt", "b.txt")
    invoke(s3_event(world.key("a.txt"), world.key("b.txt")))
    documents = [world.status(name) for name in ("a.txt", "b.txt")]
    assert [keys["document_id"] for keys in seen] == [str(it.document_id) for it in documents if it]
    assert [keys["epoch"] for keys in seen] == ["1", "1"]
    assert len({keys["request_id"] for keys in seen}) == 1
    assert logger().thread_safe_get_current_keys() == {}


def test_metrics_go_out_when_the_invocation_ends_whatever_came_of_it(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(wiring, "settings", lambda: SETTINGS.model_copy(update={"metrics": "emf"}))
    write(world, "a.txt")
    bucket_of(world).away.add(world.key("b.txt"))
    with pytest.raises(StoreUnavailableError):
        invoke(s3_event(world.key("b.txt")))
    capsys.readouterr()
    invoke(s3_event(world.key("a.txt")))
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["flips"] for record in records if "flips" in record] == [[1]]
