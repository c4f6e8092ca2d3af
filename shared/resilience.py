"""Retries with jittered back-off, and a circuit that leaves a failing store alone for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from textwrap import shorten
from typing import TypeVar

from shared.errors import CircuitOpenError, OverdueError, StoreUnavailableError
from shared.telemetry import count

T = TypeVar("T")

# With what the last attempt takes then, less than the query function may take as a whole, which is ended after 29 s.
RETRY_SECONDS = 10.0
TOLD_CHARACTERS = 200  # of what was wrong last


class Circuit:
    """Opens after `failures` failures in a row; after `rest_seconds` one call may try again.

    Calls run side by side: the lock is held to count, never while calling.
    """

    def __init__(
        self,
        store: str,
        *,
        failures: int = 5,
        rest_seconds: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._limit = failures
        self._rest_seconds = rest_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._last = ""
        self._closed_again_at = 0.0

    def call(self, work: Callable[[], T]) -> T:
        """Run `work`. Raises CircuitOpenError without running it while the store is left alone."""
        self._enter()
        try:
            result = work()
        except StoreUnavailableError as error:
            self._count_failure(error)
            raise
        except BaseException:
            self._reset()  # the store did answer
            raise
        self._reset()
        return result

    def _enter(self) -> None:
        with self._lock:
            if self._failures < self._limit:
                return
            wait = self._closed_again_at - self._clock()
            if wait > 0:
                raise CircuitOpenError(
                    f"The {self._store} failed {self._failures} times in a row and is left alone for {wait:.0f} s more. "
                    f"The last time: {self._last}",
                    retry_after_seconds=wait,
                )
            self._closed_again_at = self._clock() + self._rest_seconds  # this call alone tries; others wait

    def _count_failure(self, error: StoreUnavailableError) -> None:
        count("store_failures", store=self._store)
        with self._lock:
            self._failures += 1
            self._last = shorten(str(error), TOLD_CHARACTERS, placeholder=" …")
            if self._failures == self._limit:
                count("circuits_opened", store=self._store)
            if self._failures >= self._limit:
                self._closed_again_at = self._clock() + self._rest_seconds

    def _reset(self) -> None:
        with self._lock:
            self._failures = 0


def call_with_retries(
    circuit: Circuit, work: Callable[[], T], *, attempts: int = 3, seconds: float = RETRY_SECONDS
) -> T:
    """Run `work` through the circuit, again when its error is retryable, with jittered back-off between.

    Nothing is tried again once so many seconds have passed.
    """
    ends = time.monotonic() + seconds
    try:
        return circuit.call(work)
    except StoreUnavailableError as error:
        if attempts < 2 or not _is_worth_retrying(error) or time.monotonic() >= ends:
            raise
        return _retry(circuit, work, first_error=error, attempts=attempts, ends=ends)


def _retry(circuit: Circuit, work: Callable[[], T], *, first_error: Exception, attempts: int, ends: float) -> T:
    # Imported on the first failure only: it would cost every cold start a tenth of its time.
    from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

    failed_already = [first_error]

    def attempt() -> T:
        if failed_already:
            raise failed_already.pop()
        return circuit.call(work)

    is_last = stop_after_attempt(attempts)
    retrying = Retrying(
        stop=lambda state: is_last(state) or time.monotonic() >= ends,
        wait=wait_random_exponential(multiplier=0.05, max=1.0),
        retry=retry_if_exception(_is_worth_retrying),
        reraise=True,
    )
    return retrying(attempt)


def _is_worth_retrying(error: BaseException) -> bool:
    return isinstance(error, StoreUnavailableError) and not isinstance(error, CircuitOpenError | OverdueError)
