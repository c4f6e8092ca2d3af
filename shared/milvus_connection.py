"""Connecting with Milvus and calling it: within a time, again where that helps, and not while it is away."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from shared.errors import ConfigurationError, StoreUnavailableError
from shared.milvus_errors import is_of_loading, translate
from shared.resilience import Circuit, call_with_retries

if TYPE_CHECKING:
    from pymilvus import MilvusClient

    from shared.domain import Collection

T = TypeVar("T")
TimeLeft = Callable[
    [], float
]  # the seconds that the next call may take; raises StoreUnavailableError if there are none

CONNECT_TIMEOUT_SECONDS = 5.0
# With tries, connecting and loading, an operation may take so many times as long as one call: a question has 29 seconds.
PATIENCE = 1.5
# A server may hang up on a client that pings while nothing is asked of it; pymilvus would, every ten seconds.
_GRPC_OPTIONS = {"grpc.keepalive_time_ms": 300_000, "grpc.keepalive_permit_without_calls": False}


class MilvusConnection:
    """One client, connected when it is first needed, and what it has loaded. Safe for threads."""

    def __init__(self, uri: str, token: str, timeout_seconds: float) -> None:
        self._uri = uri
        self._token = token
        self._timeout = timeout_seconds
        self._circuit = Circuit("index")
        self._connecting = threading.Lock()
        self._connected: MilvusClient | None = None
        self._loading = threading.Lock()
        self._loaded: set[str] = set()
        self.is_lite = False  # until a connection tells

    def call(
        self,
        work: Callable[[MilvusClient, TimeLeft], T],
        collection: Collection | None = None,
        *,
        seconds: float | None = None,
        within_seconds: float | None = None,
    ) -> T:
        """Run `work` with a client; with a collection, load it first if this process has not, or if it was unloaded.

        One call may take `seconds`, all of them with everything else PATIENCE times that, and no more than
        `within_seconds`.
        """
        limit = seconds or self._timeout
        whole = PATIENCE * limit if within_seconds is None else min(PATIENCE * limit, within_seconds)
        left = _time_left(limit, whole)

        def attempt() -> T:
            try:
                client = self.client(left)
                if collection is not None:
                    self._load(client, collection.name, left)
                return work(client, left)
            except Exception as error:
                if collection is not None and is_of_loading(error):
                    self.forget(collection)
                raise translate(error) from error

        return call_with_retries(self._circuit, attempt, seconds=whole)

    def client(self, left: TimeLeft | None = None) -> MilvusClient:
        with _held(self._connecting, left or (lambda: self._timeout)):
            if self._connected is None:
                self._connected, version = _connect(self._uri, self._token, min(self._timeout, CONNECT_TIMEOUT_SECONDS))
                self.is_lite = version.startswith("milvus_lite")
            return self._connected

    def forget(self, collection: Collection) -> None:
        """Load it before the next call."""
        self._loaded.discard(collection.name)

    def _load(self, client: MilvusClient, name: str, left: TimeLeft) -> None:
        if name in self._loaded:
            return
        with _held(self._loading, left):  # one for all: the searches of the three fields come at once
            if name not in self._loaded:
                client.load_collection(name, timeout=left())
                self._loaded.add(name)


def _time_left(limit: float, whole: float) -> TimeLeft:
    ends = monotonic() + whole

    def left() -> float:
        seconds = min(limit, ends - monotonic())
        if seconds <= 0:
            raise StoreUnavailableError(f"The index did not answer within {whole:.1f} s.")
        return seconds

    return left


@contextmanager
def _held(lock: threading.Lock, left: TimeLeft) -> Iterator[None]:
    if not lock.acquire(timeout=left()):
        raise StoreUnavailableError("The index did not answer: others wait for it already.")
    try:
        yield
    finally:
        lock.release()


def _connect(uri: str, token: str, timeout: float) -> tuple[MilvusClient, str]:
    """A client, and the version of what it is connected with."""
    from pymilvus import MilvusClient

    if not uri.startswith(("http://", "https://", "tcp://", "unix:")) and not uri.endswith(".db"):
        raise ConfigurationError("LOCKSTEP_MILVUS_URI must look like https://… of Zilliz Cloud, or http://host:19530.")
    # It would log filters, and with them what people asked for; errors are reported where they are translated.
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    client = MilvusClient(uri=uri, token=token, timeout=timeout, grpc_options=_GRPC_OPTIONS)
    try:
        return client, client.get_server_version(timeout=timeout)
    except Exception:
        client.close()
        raise
