"""What can happen to a process at a boundary, and to the first call of a store after it."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from shared.errors import RefusedRowError, StoreUnavailableError
from shared.postgres import PostgresClient

KILLS = ("kill", "kill-last")
STALLS = ("stall", "stall-replaced", "stall-removed")
CALLS = (
    "index-drops",  # the connection is gone before the call
    "index-times-out",  # nobody heard of it again, and it is done when everything else is
    "index-errs",  # an error, after the work was done
    "catalog-drops",
    "catalog-errs",
    "bucket-drops",
    "bucket-errs",
)
FAULTS = (*KILLS, *STALLS, *CALLS)
AT_START = "start"  # the boundary before the first step


@dataclass(slots=True)
class Fate:
    """What is going to happen to this process: at the `passing`-th time that it is at `boundary`."""

    fault: str | None = None
    boundary: str = AT_START
    passing: int = 1
    always: str | None = None  # happens to every call of that store, apart from the fault: "index-drops"
    tell: Callable[[], None] = lambda: None  # that it came to pass
    _passed: Counter[str] = field(default_factory=Counter)
    _armed: bool = False
    _late: list[Callable[[], Any]] = field(default_factory=list)

    def at(self, boundary: str) -> None:
        """The process is at that boundary."""
        self._passed[boundary] += 1
        if boundary == self.boundary and self._passed[boundary] == self.passing:
            if self.fault in KILLS:
                os.kill(os.getpid(), signal.SIGKILL)
            self._armed = self.fault is not None

    def call(self, store: str, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Do the work of a store's method, or what happens instead."""
        if self.always == f"{store}-drops" and work.__name__ in ("upsert", "delete"):
            raise StoreUnavailableError(f"The {store} is away.")
        if not self._armed or not (self.fault in STALLS or str(self.fault).startswith(f"{store}-")):
            return work(*args, **kwargs)
        self._armed = False
        self.tell()
        if self.fault in STALLS:
            os.kill(os.getpid(), signal.SIGSTOP)  # until somebody lets it go on
            return work(*args, **kwargs)
        if str(self.fault).endswith("-errs"):
            work(*args, **kwargs)
        elif str(self.fault).endswith("-times-out"):
            self._late.append(partial(work, *args, **kwargs))
        raise StoreUnavailableError(f"The {store} did not answer (injected).")

    def end(self) -> None:
        """What timed out is done now, after the process has given up on it."""
        for work in self._late:
            work()


class FaultyPort:
    """A port whose calls go through a process's fate."""

    def __init__(self, port: Any, store: str, fate: Fate) -> None:
        self._port, self._store, self._fate = port, store, fate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        return partial(self._fate.call, self._store, found) if callable(found) else found


class FaultyPostgres(PostgresClient):
    """The catalog's client, whose transactions go through a process's fate."""

    def __init__(self, url: str, fate: Fate) -> None:
        super().__init__(url)
        self._fate = fate

    def transact(self, work: Any, **options: Any) -> Any:
        return self._fate.call("catalog", super().transact, work, **options)

    def run_alone(self, sql: str, **options: Any) -> None:
        self._fate.call("catalog", super().run_alone, sql, **options)


class RefusingEmbedder:
    """An embedder for which one word is poison."""

    POISON = "strychnine"

    def __init__(self, embedder: Any) -> None:
        self._embedder = embedder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._embedder, name)

    def embed_passages(self, texts: list[str]) -> Any:
        if any(self.POISON in text for text in texts):
            raise RefusedRowError("One of the texts is poison.")
        return self._embedder.embed_passages(texts)


def faulty(port: Any, store: str, fate: Fate) -> Any:
    """The port with faults, for whoever asks for its type."""
    return cast(Any, FaultyPort(port, store, fate))
