"""A lease that is renewed while its holder lives, so that it can be short: after a kill, the next may soon go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any
from uuid import uuid4

from shared.errors import LeasedError, LockstepError, SupersededError
from shared.ports import Registry
from shared.telemetry import logger

LEASE_SECONDS = 60.0
RENEW_SECONDS = 15.0


class Lease:
    """Held from entering to leaving it. Raises LeasedError with `busy` as message if another holds it."""

    def __init__(self, registry: Registry, name: str, *, busy: str) -> None:
        self.progress: Mapping[str, Any] = {}
        self._registry = registry
        self._name = name
        self._busy = busy
        self._holder = uuid4()
        self._renewed = 0.0
        self._is_lost = False
        self._is_over = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep_renewing, name=f"lease-{name}", daemon=True)

    def __enter__(self) -> Lease:
        begin = time.monotonic()
        progress = self._registry.claim_lease(self._name, self._holder, LEASE_SECONDS)
        if progress is None:
            raise LeasedError(self._busy)
        self.progress, self._renewed = progress, begin
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        end = self._registry.drop_lease if self._is_over else self._registry.release_lease
        end(self._name, self._holder)

    def check(self) -> None:
        """Raises SupersededError if the lease was lost: another may be at work, and nothing durable must follow."""
        if self._is_lost or time.monotonic() - self._renewed > LEASE_SECONDS:
            raise SupersededError(f"The lease {self._name!r} was lost while its holder stood still: try again.")

    def save(self, progress: Mapping[str, Any]) -> None:
        """Keep what the next holder needs to go on. Raises SupersededError."""
        self.check()
        self._registry.save_progress(self._name, self._holder, progress)
        self.progress = progress

    def end_with_this(self) -> None:
        """What it is about will not be done again: nothing of the lease is kept when it is left."""
        self._is_over = True

    def _keep_renewing(self) -> None:
        while not self._stop.wait(RENEW_SECONDS):
            begin = time.monotonic()
            if begin - self._renewed > LEASE_SECONDS:  # others may have held it in between
                self._is_lost = True
                return
            try:
                is_held = self._registry.claim_lease(self._name, self._holder, LEASE_SECONDS) is not None
            except LockstepError as error:
                logger().info("a lease was not renewed yet", lease=self._name, error=str(error))
                continue
            if not is_held:
                self._is_lost = True
                return
            self._renewed = begin
