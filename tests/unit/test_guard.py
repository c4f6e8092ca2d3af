"""The guard before the API: host, origin, key and size, each checked before anything else looks at the request."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from functions.query.guard import MAX_BODY_BYTES, install_guard
from functions.query.problems import install_problem_handlers
from tests.api import settings

LAPTOP = {"allowed_hosts": "127.0.0.1,localhost,::1", "allowed_origins": "http://127.0.0.1:8000,http://localhost:8000"}


def guarded(**changes: str) -> TestClient:
    """A client of an app that tells how many bytes it was sent, behind the guard."""
    app = FastAPI(openapi_url=None)
    install_problem_handlers(app)

    @app.api_route("/{path:path}", methods=["GET", "POST"])
    async def count(request: Request) -> int:
        return len(await request.body())

    install_guard(app, settings(**changes))
    return TestClient(app, raise_server_exceptions=False)


def refusal(response: Any, status: int) -> str:
    """What the problem document of a refused request says."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found = response.json()
    assert (found["type"], found["status"], found["instance"]) == ("about:blank", status, "/bots")
    detail: str = found["detail"]
    return detail


# Host


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8000", "localhost:1", "LOCALHOST", "[::1]", "[::1]:8000", "localhost:"]
)
def test_a_host_that_is_ours_is_served(host: str) -> None:
    assert guarded(**LAPTOP).get("/bots", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "evil.example#localhost",
        "localhost@evil.example",
        "localhost.",
        "[::2]",
        "",
        ":8000",
        "127.0.0.1, evil.example",
    ],
)
def test_another_host_is_refused_so_that_no_page_can_rebind_its_name(host: str) -> None:
    assert "host" in refusal(guarded(**LAPTOP).get("/bots", headers={"Host": host}), 421)


def test_any_host_is_served_where_any_is_allowed() -> None:
    assert guarded(allowed_hosts="*").get("/bots", headers={"Host": "anything.example"}).status_code == 200


# Origin


@pytest.mark.parametrize("origin", [None, "http://127.0.0.1:8000", "http://localhost:8000"])
def test_no_page_and_our_own_pages_are_served(origin: str | None) -> None:
    headers = {"Host": "localhost"} | ({"Origin": origin} if origin else {})
    assert guarded(**LAPTOP).get("/bots", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1:8000", "http://127.0.0.1:8001", "http://127.0.0.1"]
)
def test_another_page_is_refused(origin: str) -> None:
    response = guarded(**LAPTOP).post("/bots", headers={"Host": "localhost", "Origin": origin})
    assert origin in refusal(response, 403)


PAGES = {"allowed_origins": "https://shop.example, https://www.shop.example"}
ASKS = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,x-api-key"}


def test_a_listed_page_may_ask_without_the_key_whether_it_may_call() -> None:
    client = guarded(api_key="sesame", **PAGES)
    response = client.options("/bots", headers={"Origin": "https://shop.example", **ASKS})
    assert (response.status_code, response.headers["access-control-allow-origin"]) == (200, "https://shop.example")
    assert set(response.headers["access-control-allow-methods"].split(", ")) >= {
        "GET",
        "POST",
        "PUT",
        "PATCH",
        "DELETE",
    }
    assert "x-api-key" in response.headers["access-control-allow-headers"].lower()


@pytest.mark.parametrize(("key", "status"), [("sesame", 200), ("wrong", 401)])
def test_a_listed_page_reads_the_answer_and_why_it_is_refused(key: str, status: int) -> None:
    headers = {"Origin": "https://www.shop.example", "X-API-Key": key}
    response = guarded(api_key="sesame", **PAGES).post("/bots", headers=headers)
    assert response.status_code == status
    assert response.headers["access-control-allow-origin"] == "https://www.shop.example"
    assert "access-control-allow-credentials" not in response.headers
    assert response.headers["vary"] == "Origin"


def test_another_page_is_told_nothing() -> None:
    client = guarded(api_key="sesame", **PAGES)
    headers = {"Origin": "https://evil.example"}
    for response in (
        client.options("/bots", headers=headers | ASKS),
        client.post("/bots", headers=headers | {"X-API-Key": "sesame"}),
    ):
        assert response.status_code in (400, 403)
        assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize("changes", [LAPTOP, {"api_key": "sesame"}, {"api_key": "", **PAGES}])
def test_without_a_list_or_a_key_no_page_is_let_in_and_nothing_stands_in_the_way(changes: dict[str, str]) -> None:
    client = guarded(**changes)
    headers = {"Host": "localhost", "Origin": changes.get("allowed_origins", "").partition(",")[0], **ASKS}
    assert "access-control-allow-origin" not in client.options("/bots", headers=headers).headers
    assert isinstance(client.app, FastAPI)
    (only,) = client.app.user_middleware
    assert repr(only).startswith("Middleware(Guard")


# Key


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": "sesame"},
        {"x-api-key": "sesame"},
        {"Authorization": "Bearer sesame"},
        {"Authorization": "bearer sesame"},
    ],
)
def test_the_key_opens(headers: dict[str, str]) -> None:
    assert guarded(api_key="sesame").get("/bots", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": ""},
        {"X-API-Key": "wrong"},
        {"X-API-Key": "sesam"},
        {"X-API-Key": "sesame2"},
        {"X-API-Key": "SESAME"},
        {"X-API-Key": "sesame,sesame"},
        {"X-API-Key": b"\xff\xfe"},
        {"Authorization": "sesame"},
        {"Authorization": "Basic sesame"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer  sesame"},
        {"X-API-Key": "wrong", "Authorization": "Bearer sesame"},
    ],
)
def test_no_key_or_another_one_does_not_open(headers: dict[str, Any]) -> None:
    detail = refusal(guarded(api_key="sesame").get("/bots", headers=headers), 401)
    assert "X-API-Key" in detail
    assert "sesame" not in detail


def test_a_key_may_be_of_any_letters() -> None:
    client = guarded(api_key="열려라-ş")
    assert client.get("/bots", headers={b"X-API-Key": "열려라-ş".encode()}).status_code == 200
    assert client.get("/bots", headers={b"X-API-Key": "열려라-s".encode()}).status_code == 401


def test_keys_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(given: bytes, expected: bytes) -> bool:
        compared.append((given, expected))
        return given == expected

    monkeypatch.setattr(hmac, "compare_digest", compare)
    guarded(api_key="sesame").get("/bots", headers={"X-API-Key": "guess"})
    assert compared == [(b"guess", b"sesame")]


@pytest.mark.parametrize("path", ["/health", "/docs", "/docs/swagger-ui.css", "/openapi.json"])
def test_what_holds_no_data_needs_no_key(path: str) -> None:
    assert guarded(api_key="sesame").get(path).status_code == 200


@pytest.mark.parametrize("path", ["/", "/ready", "/bots/health", "//health", "/Health", "/bots/docs/documents"])
def test_everything_else_needs_one(path: str) -> None:
    assert guarded(api_key="sesame").get(f"http://testserver{path}").status_code == 401


def test_without_a_key_configured_nobody_needs_one() -> None:
    assert guarded().get("/bots").status_code == 200
    assert guarded(api_key="").get("/bots").status_code == 200


# Size


def chunks(size: int) -> Iterator[bytes]:
    """A body whose length no header tells."""
    for begin in range(0, size, 100_000):
        yield b"x" * min(100_000, size - begin)


def test_a_body_of_the_allowed_size_passes_with_and_without_its_length() -> None:
    assert guarded().post("/bots", content=b"x" * MAX_BODY_BYTES).json() == MAX_BODY_BYTES
    assert guarded().post("/bots", content=chunks(MAX_BODY_BYTES)).json() == MAX_BODY_BYTES


def test_a_body_that_is_too_large_is_refused_with_another_way_to_send_it() -> None:
    large = MAX_BODY_BYTES + 100_000
    assert "/uploads" in refusal(guarded().post("/bots", content=b"x" * large), 413)
    assert "/uploads" in refusal(guarded().post("/bots", content=chunks(large)), 413)


def test_a_length_that_lies_lets_no_more_through() -> None:
    response = guarded().post("/bots", content=chunks(MAX_BODY_BYTES * 2), headers={"Content-Length": "10"})
    assert "/uploads" in refusal(response, 413)


@pytest.mark.parametrize("length", ["", "-1", "1e9", "ten", "0x10", "9" * 5_000, "1,1", "١"])
def test_a_length_that_is_no_number_is_refused(length: str) -> None:
    response = guarded().post("/bots", content=b"x", headers={b"Content-Length": length.encode()})
    assert "Content-Length" in refusal(response, 400)


# The order


def test_a_foreign_host_learns_nothing_of_the_key() -> None:
    client = guarded(api_key="sesame", **LAPTOP)
    assert client.get("/bots", headers={"Host": "evil.example", "X-API-Key": "sesame"}).status_code == 421


def test_without_the_key_nothing_is_read() -> None:
    def unread() -> Iterator[bytes]:
        yield b"x" * (MAX_BODY_BYTES * 2)

    assert guarded(api_key="sesame").post("/bots", content=unread()).status_code == 401
