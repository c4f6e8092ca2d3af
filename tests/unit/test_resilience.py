"""Retries and the circuit: what is tried again, when a store is left alone, and who tries first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import pytest

from shared.errors import (
    CircuitOpenError,
    CollectionMissingError,
    ConfigurationError,
    LeasedError,
    LockstepError,
    MismatchError,
    NotFoundError,
    ObjectChangedError,
    OverdueError,
    RefusedRowError,
    StoreUnavailableError,
)
from shared.resilience import Circuit, call_with_retries

T = TypeVar("T")

FAILURES, REST = 3, 10.0


class Clock:
    """Stands still until it is told to go on."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def circuit(clock: Clock) -> Circuit:
    return Circuit("index", failures=FAILURES, rest_seconds=REST, clock=clock)


def fails(error: Exception | None = None) -> Callable[[], None]:
    def work() -> None:
        raise error or StoreUnavailableError("away")

    return work


def fail(circuit: Circuit, times: int) -> None:
    for _ in range(times):
        with pytest.raises(StoreUnavailableError, match="away"):
            circuit.call(fails())


def never() -> None:
    raise AssertionError("the store was asked while it was to be left alone")


def test_a_result_passes_through(circuit: Circuit) -> None:
    assert circuit.call(lambda: "result") == "result"


def test_after_that_many_failures_in_a_row_the_store_is_left_alone(circuit: Circuit) -> None:
    fail(circuit, FAILURES)
    with pytest.raises(
        CircuitOpenError, match="The index failed 3 times in a row and is left alone for 10 s"
    ) as caught:
        circuit.call(never)
    assert caught.value.retry_after_seconds == REST
    assert caught.value.retryable


def test_a_store_that_is_left_alone_says_what_was_wrong_last_in_one_short_line(circuit: Circuit) -> None:
    fail(circuit, FAILURES - 1)
    with pytest.raises(StoreUnavailableError):
        circuit.call(fails(StoreUnavailableError("the disk\n   is full " + "of rows " * 100)))
    with pytest.raises(
        CircuitOpenError, match=r"for 10 s more\. The last time: the disk is full of rows .* …$"
    ) as caught:
        circuit.call(never)
    assert len(str(caught.value)) < 300


def test_an_answer_in_between_begins_the_count_again(circuit: Circuit) -> None:
    fail(circuit, FAILURES - 1)
    circuit.call(lambda: None)
    fail(circuit, FAILURES - 1)
    assert circuit.call(lambda: "answered") == "answered"


@pytest.mark.parametrize(
    "error", [NotFoundError(), RefusedRowError(), CollectionMissingError(), ConfigurationError(), ValueError("ours")]
)
def test_an_answer_that_is_an_error_is_an_answer(circuit: Circuit, error: Exception) -> None:
    fail(circuit, FAILURES - 1)
    for _ in range(FAILURES):
        with pytest.raises(type(error)):
            circuit.call(fails(error))
    fail(circuit, FAILURES - 1)
    assert circuit.call(lambda: "answered") == "answered"


def test_the_wait_grows_shorter_while_the_store_rests(circuit: Circuit, clock: Clock) -> None:
    fail(circuit, FAILURES)
    clock.now += 7
    with pytest.raises(CircuitOpenError) as caught:
        circuit.call(never)
    assert caught.value.retry_after_seconds == pytest.approx(3)


def test_after_the_rest_one_answer_closes_the_circuit(circuit: Circuit, clock: Clock) -> None:
    fail(circuit, FAILURES)
    clock.now += REST
    assert circuit.call(lambda: "answered") == "answered"
    fail(circuit, FAILURES - 1)
    assert circuit.call(lambda: "answered again") == "answered again"


def test_after_the_rest_one_failure_is_enough_for_another(circuit: Circuit, clock: Clock) -> None:
    fail(circuit, FAILURES)
    clock.now += REST
    fail(circuit, 1)
    with pytest.raises(CircuitOpenError):
        circuit.call(never)


def test_after_the_rest_one_call_tries_and_the_others_wait_for_it(circuit: Circuit, clock: Clock) -> None:
    fail(circuit, FAILURES)
    clock.now += REST
    is_trying, may_answer = threading.Event(), threading.Event()

    def answer() -> None:
        is_trying.set()
        assert may_answer.wait(10)

    first = threading.Thread(target=circuit.call, args=(answer,))
    first.start()
    assert is_trying.wait(10)
    with pytest.raises(CircuitOpenError):
        circuit.call(never)
    may_answer.set()
    first.join()
    assert circuit.call(lambda: "answered") == "answered"


def test_calls_run_side_by_side(circuit: Circuit) -> None:
    both_are_in = threading.Barrier(2)
    threads = [threading.Thread(target=circuit.call, args=(lambda: both_are_in.wait(10),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not both_are_in.broken


# Retries


class Flaky:
    """Fails that often, then answers."""

    def __init__(self, failures: int, error: Exception | None = None) -> None:
        self.calls = 0
        self._failures = failures
        self._error = error or StoreUnavailableError("away")

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self._failures:
            raise self._error
        return "answered"


@pytest.mark.parametrize("failures", [0, 1, 2])
def test_a_store_that_comes_back_in_time_is_not_noticed(failures: int) -> None:
    work = Flaky(failures)
    assert call_with_retries(Circuit("index"), work) == "answered"
    assert work.calls == failures + 1


def test_a_store_that_stays_away_is_asked_three_times(circuit: Circuit) -> None:
    work = Flaky(99)
    with pytest.raises(StoreUnavailableError, match="away"):
        call_with_retries(Circuit("index"), work)
    assert work.calls == 3


def test_one_attempt_is_one(circuit: Circuit) -> None:
    work = Flaky(1)
    with pytest.raises(StoreUnavailableError):
        call_with_retries(circuit, work, attempts=1)
    assert work.calls == 1


@pytest.mark.parametrize(
    "error",
    [
        NotFoundError(),
        ConfigurationError(),
        MismatchError(),
        RefusedRowError(),
        CollectionMissingError(),
        LeasedError(),
        ObjectChangedError(),
        LockstepError(),
        ValueError("ours"),
        KeyboardInterrupt(),
    ],
)
def test_what_asking_again_would_not_mend_is_asked_once(circuit: Circuit, error: Exception) -> None:
    work = Flaky(1, error)
    with pytest.raises(type(error)):
        call_with_retries(circuit, work)
    assert work.calls == 1


def test_what_took_too_long_is_a_failure_and_is_not_asked_again(circuit: Circuit) -> None:
    work = Flaky(99, OverdueError())
    for calls in range(1, FAILURES + 1):
        with pytest.raises(OverdueError):
            call_with_retries(circuit, work)
        assert work.calls == calls
    with pytest.raises(CircuitOpenError):
        call_with_retries(circuit, work)


@pytest.mark.parametrize(("slow_call", "calls"), [(1, 1), (2, 2), (3, 3)])
def test_nothing_is_asked_again_when_its_time_is_over(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, slow_call: int, calls: int
) -> None:
    monkeypatch.setattr("shared.resilience.time.monotonic", clock)

    class Slow(Flaky):
        def __call__(self) -> str:
            if self.calls + 1 == slow_call:
                clock.now += 60
            return super().__call__()

    work = Slow(99)
    with pytest.raises(StoreUnavailableError, match="away"):
        call_with_retries(Circuit("index"), work, seconds=60)
    assert work.calls == calls


def test_another_error_on_the_second_try_ends_the_tries(circuit: Circuit) -> None:
    errors = [StoreUnavailableError("away"), NotFoundError("it is not there")]

    def work() -> None:
        raise errors.pop(0)

    with pytest.raises(NotFoundError, match="it is not there"):
        call_with_retries(circuit, work)
    assert errors == []


def test_a_store_that_is_left_alone_is_not_waited_for(clock: Clock) -> None:
    class Counting(Circuit):
        calls = 0

        def call(self, work: Callable[[], T]) -> T:
            self.calls += 1
            return super().call(work)

    circuit = Counting("index", failures=FAILURES, clock=clock)
    fail(circuit, FAILURES - 1)
    for calls_more in (
        2,
        1,
    ):  # the last failure opens it, which the second call of it finds; then each finds it at once
        before = circuit.calls
        with pytest.raises(CircuitOpenError):
            call_with_retries(circuit, Flaky(99))
        assert circuit.calls - before == calls_more
