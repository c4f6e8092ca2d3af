"""The cloud's side of a function: a small Runtime API (2018-06-01) on loopback, one per function.

The runtime client polls for an event, runs the handler and posts what came of it. So handlers run in the cloud's own
client, with its JSON, its deadlines and its error payloads, without a container.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

VERSION = "/2018-06-01/runtime"
POLL_SECONDS = 0.2
ARN = "arn:aws:lambda:eu-central-1:123456789012:function:"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a function posted for one event: its result or its error, decoded."""

    is_error: bool
    payload: Any


@dataclass(slots=True)
class Invocation:
    """An event on its way."""

    event: Any
    deadline_ms: int
    request_id: str = field(default_factory=lambda: str(uuid4()))
    outcome: queue.Queue[Outcome] = field(default_factory=lambda: queue.Queue(1))


class RuntimeApi:
    """Serves one function. `invoke` may be called from any thread; events are handed out one by one."""

    def __init__(self, function_name: str) -> None:
        self.init_errors: queue.Queue[Any] = queue.Queue()
        self._arn = ARN + function_name
        self._waiting: queue.Queue[Invocation] = queue.Queue()
        self._running: dict[str, Invocation] = {}
        self._is_closed = threading.Event()
        self._server = _Server(self)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        """Host and port, as AWS_LAMBDA_RUNTIME_API has them."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def invoke(self, event: Any, *, time_left_seconds: float, is_alive: Callable[[], bool]) -> Outcome:
        """Hand the event out and wait. Raises RuntimeError if the function ends without an answer."""
        invocation = Invocation(event, int((time.time() + time_left_seconds) * 1000))
        self._running[invocation.request_id] = invocation
        self._waiting.put(invocation)
        while True:
            try:
                return invocation.outcome.get(timeout=POLL_SECONDS)
            except queue.Empty:
                if not is_alive():
                    raise RuntimeError("the function ended without an answer") from None

    def close(self) -> None:
        self._is_closed.set()
        self._server.shutdown()
        self._server.server_close()

    def next_invocation(self) -> Invocation | None:
        """Waits for one; None once this is closed."""
        while not self._is_closed.is_set():
            try:
                return self._waiting.get(timeout=POLL_SECONDS)
            except queue.Empty:
                continue
        return None

    def headers_of(self, invocation: Invocation) -> dict[str, str]:
        return {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": self._arn,
            "Lambda-Runtime-Trace-Id": f"Root=1-{uuid4().hex[:8]}-{uuid4().hex[:24]};Sampled=0",
            "Content-Type": "application/json",
        }

    def accept(self, path: str, body: bytes) -> None:
        """What the client posted: /invocation/ID/response, /invocation/ID/error or /init/error."""
        *_, subject, kind = path.split("/")
        payload = json.loads(body) if body else None
        if subject == "init":
            self.init_errors.put(payload)
        else:
            self._running.pop(subject).outcome.put(Outcome(kind == "error", payload))


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, api: RuntimeApi) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.api = api

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A function that is ended hangs up in the middle of its poll."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"  # the client keeps its connection
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        invocation = self.server.api.next_invocation()
        if invocation is None:
            self.close_connection = True
            return
        self._answer(200, json.dumps(invocation.event).encode(), self.server.api.headers_of(invocation))

    def do_POST(self) -> None:
        self.server.api.accept(self.path.removeprefix(VERSION), self._body())
        self._answer(202, b"", {})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *values: Any) -> None:  # noqa: A002  named so by the base class
        """Nothing is said of every request."""
