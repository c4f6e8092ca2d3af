"""The laptop's queue of hints: at least once, news first, again after a failure and not for ever."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from urllib.parse import unquote_plus

import pytest

from infra.local import queue as queue_module
from infra.local.queue import LONGEST_DELAY_SECONDS, MAX_RECEIVES, HintQueue, Message


class Clock:
    """Time that passes only while somebody waits, or when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


class Condition(threading.Condition):
    """One whose waits pass at once, by the clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        self._clock.now += timeout or 0.0
        return False


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    made = Clock()
    monkeypatch.setattr(queue_module, "time", made)
    yield made


@pytest.fixture
def queue(clock: Clock) -> HintQueue:
    made = HintQueue("bucket")
    made._condition = Condition(clock)
    return made


def receive(queue: HintQueue, *, limit: int = 10, wait_seconds: float = 0.0) -> list[Message]:
    return queue.receive(limit, wait_seconds=wait_seconds)


def keys(messages: list[Message]) -> list[str]:
    return [message.key for message in messages]


def test_hints_come_in_the_order_in_which_they_were_given(queue: HintQueue) -> None:
    for key in "cab":
        queue.object_changed(key)
    assert keys(receive(queue, limit=2)) == ["c", "a"]
    assert keys(receive(queue)) == ["b"]
    assert receive(queue) == []


def test_a_key_that_waits_already_waits_once(queue: HintQueue) -> None:
    for _ in range(5):
        queue.object_changed("a")
    assert keys(receive(queue)) == ["a"]


def test_news_of_a_key_that_is_being_looked_at_is_not_lost(queue: HintQueue) -> None:
    queue.object_changed("a")
    receive(queue)
    queue.object_changed("a")
    assert keys(receive(queue)) == ["a"]


def test_a_message_that_failed_comes_again_later_and_ever_later(queue: HintQueue, clock: Clock) -> None:
    queue.object_changed("a")
    (message,) = receive(queue)
    delays = []
    for _ in range(MAX_RECEIVES - 1):
        begin = clock.now
        queue.give_again(message)
        assert receive(queue) == []
        (message,) = receive(queue, wait_seconds=2 * LONGEST_DELAY_SECONDS)
        delays.append(clock.now - begin)
    assert delays == sorted(delays)
    assert delays[0] < 1
    assert delays[-1] == pytest.approx(LONGEST_DELAY_SECONDS, abs=0.01)


def test_news_does_not_wait_for_the_next_attempt_of_what_failed(queue: HintQueue) -> None:
    queue.object_changed("a")
    (message,) = receive(queue)
    for _ in range(5):
        message.receives += 1
    queue.give_again(message)
    queue.object_changed("a")
    (news,) = receive(queue)
    assert (news.key, news.receives) == ("a", 0)
    assert receive(queue, wait_seconds=2 * LONGEST_DELAY_SECONDS) == []


def test_a_failure_does_not_put_off_the_news_that_came_meanwhile(queue: HintQueue) -> None:
    queue.object_changed("a")
    (message,) = receive(queue)
    queue.object_changed("a")
    queue.give_again(message)
    assert keys(receive(queue)) == ["a"]


def test_what_fails_again_and_again_is_given_up_and_told(queue: HintQueue, caplog: pytest.LogCaptureFixture) -> None:
    queue.object_changed("a")
    for attempt in range(MAX_RECEIVES):
        (message,) = receive(queue, wait_seconds=2 * LONGEST_DELAY_SECONDS)
        assert message.receives == attempt
        queue.give_again(message)
    assert receive(queue, wait_seconds=2 * LONGEST_DELAY_SECONDS) == []
    (record,) = caplog.records
    assert (record.levelname, vars(record)["key"]) == ("ERROR", "a")
    queue.object_changed("a")
    assert keys(receive(queue)) == ["a"]


def test_what_failed_does_not_hold_up_the_others(queue: HintQueue) -> None:
    queue.object_changed("a")
    (message,) = receive(queue)
    queue.give_again(message)
    queue.object_changed("b")
    assert keys(receive(queue)) == ["b"]


def test_a_receiver_waits_for_a_hint_and_is_woken_by_it() -> None:
    queue = HintQueue("bucket")
    received: list[list[str]] = []
    receiver = threading.Thread(target=lambda: received.append(keys(queue.receive(10, wait_seconds=30))))
    receiver.start()
    queue.object_changed("a")
    receiver.join(30)
    assert received == [["a"]]


def test_hints_from_many_threads_all_arrive_once() -> None:
    queue = HintQueue("bucket")
    wanted = {f"{thread}/{number}" for thread in range(4) for number in range(100)}

    def hint(thread: int) -> None:
        for number in range(100):
            queue.object_changed(f"{thread}/{number}")

    threads = [threading.Thread(target=hint, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    got: list[str] = []
    while len(got) < len(wanted):
        batch = keys(queue.receive(10, wait_seconds=10))
        assert batch, "a hint was lost"
        got += batch
    for thread in threads:
        thread.join()
    assert sorted(got) == sorted(wanted)


def test_a_sync_is_asked_for_once_however_often(queue: HintQueue) -> None:
    assert not queue.sync_asked.is_set()
    queue.sync_wanted()
    queue.sync_wanted()
    assert queue.sync_asked.is_set()
    assert receive(queue) == []


@pytest.mark.parametrize("key", ["library/a b+c%20.txt", "library/한국어.txt", 'library/"\\\n.txt'])
def test_messages_look_like_those_of_sqs(queue: HintQueue, key: str) -> None:
    queue.object_changed(key)
    messages = receive(queue)
    ((record),) = queue.event(messages)["Records"]
    assert (record["eventSource"], record["messageId"]) == ("aws:sqs", str(messages[0].order))
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    (inner,) = json.loads(record["body"])["Records"]
    assert unquote_plus(inner["s3"]["object"]["key"]) == key
