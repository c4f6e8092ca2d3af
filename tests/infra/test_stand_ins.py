"""The stand-in for requests, as pymilvus uses it: a global endpoint is asked for its clusters."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from pymilvus.client import global_topology
from pymilvus.exceptions import MilvusException

from infra.packaging.stand_in import requests as stand_in

CLUSTERS = {"version": "7", "clusters": [{"clusterId": "a", "endpoint": "https://a", "capability": 3}]}


@contextmanager
def server(status: int, body: Any, **headers: str) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Answers everything so; and the headers that it was sent."""
    asked: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # http.server's name
            asked.append({"path": self.path, **self.headers})
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = Thread(target=made.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{made.server_port}", asked
        finally:
            made.shutdown()
            thread.join()


@pytest.fixture
def fetch(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    monkeypatch.setattr(global_topology, "requests", stand_in)
    monkeypatch.setattr(global_topology, "BASE_DELAY", 0.0)
    return lambda url: global_topology.fetch_topology(url, "secret")


def test_the_clusters_of_a_global_endpoint_are_found(fetch: Callable[[str], Any]) -> None:
    with server(200, {"code": 0, "data": CLUSTERS}) as (url, asked):
        assert fetch(url).primary.endpoint == "https://a"
    assert asked[0]["path"] == "/global-cluster/topology"
    assert asked[0]["Authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [(503, b"away", "status 503: away"), (200, b"<html>", "not JSON"), (200, {"code": 1, "message": "no"}, "no")],
)
def test_a_bad_answer_is_told(fetch: Callable[[str], Any], status: int, body: Any, told: str) -> None:
    with server(status, body) as (url, _), pytest.raises(MilvusException, match=told):
        fetch(url)


def test_the_token_does_not_go_where_an_answer_sends_to(fetch: Callable[[str], Any]) -> None:
    there = server(200, {"code": 0, "data": CLUSTERS})
    with there as (elsewhere, asked), server(302, b"", Location=f"{elsewhere}/moved") as (url, _):
        assert fetch(url).version == 7
    assert asked[0]["path"] == "/moved"
    assert "Authorization" not in asked[0]


@pytest.mark.parametrize("status", [200, 503])
def test_an_answer_that_breaks_off_is_none(status: int) -> None:
    with server(status, b"half", **{"Content-Length": "9"}) as (url, _), pytest.raises(stand_in.RequestException):
        stand_in.get(url, headers={}, timeout=5.0)


def test_no_answer_is_told(fetch: Callable[[str], Any]) -> None:
    with server(200, b"") as (url, _):
        pass
    with pytest.raises(MilvusException, match="refused"):
        fetch(url)


def test_a_late_answer_is_none() -> None:
    silent = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)  # takes connections, answers nothing
    with silent, pytest.raises(stand_in.RequestException, match="timed out"):
        stand_in.get(f"http://127.0.0.1:{silent.server_port}", headers={}, timeout=0.1)
