"""`lockstep upload`: what is sent under which name, what becomes of a file that cannot be, and what ends the waiting."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import typer
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from infra.cli import upload
from infra.cli.target import Api
from infra.local.milvus import free_port
from shared.errors import LockstepError
from shared.ports import PresignedUpload
from tests.api import EventfulBucket, client_of
from tests.worlds import World, memory_world

Answer = Callable[[str, str], httpx2.Response | None]
TEXT = "도서관은 아홉 시에 엽니다."


class Client:
    """The API over a world, where a test may answer in its place. It keeps what was asked."""

    def __init__(self, client: TestClient) -> None:
        self._client = client
        self.requests: list[tuple[str, str]] = []
        self.instead: Answer = lambda method, path: None

    def request(self, method: str, path: str, **arguments: Any) -> Any:
        self.requests.append((method, path))
        return self.instead(method, path) or self._client.request(method, path, **arguments)


@pytest.fixture
def world() -> World:
    return memory_world()


@pytest.fixture
def client(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    with client_of(world) as inner:
        made = Client(inner)

        def connect(api: Api, url: str | None, state: Path) -> None:
            api.url, api._client = "http://library.example", made  # type: ignore[assignment]

        monkeypatch.setattr(Api, "__init__", connect)
        monkeypatch.setattr(upload, "POLL_SECONDS", 0.0)
        yield made


def run(*arguments: str | Path, expect: int = 0) -> list[dict[str, Any]]:
    app = typer.Typer()
    upload.add_to(app)
    result = CliRunner().invoke(app, ["library", *map(str, arguments), "--json"])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == expect, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


@pytest.mark.parametrize(
    ("prefix", "stored"),
    [
        ("", "한국어 문서.txt"),
        ("/guides/", "guides/한국어 문서.txt"),
        ("win\\", "win/한국어 문서.txt"),
        (unicodedata.normalize("NFD", "çalışma/"), "çalışma/한국어 문서.txt"),
    ],
)
def test_a_name_is_waited_for_as_the_bucket_has_it(client: Client, tmp_path: Path, prefix: str, stored: str) -> None:
    (tmp_path / unicodedata.normalize("NFD", "한국어 문서.txt")).write_text(TEXT)
    (document,) = run(tmp_path, "--wait", "--prefix", prefix)
    assert (document["name"], document["state"]) == (stored, "live")


def test_a_large_file_is_waited_for_by_that_name_too(
    client: Client, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(api: Api, presigned: dict[str, Any], file: Any) -> str:
        assert isinstance(world.objects, EventfulBucket)
        return world.objects.put(presigned["url"].removeprefix("memory:"), file.read()).token

    monkeypatch.setattr(upload, "DIRECT_BYTES", 10)
    monkeypatch.setattr(Api, "put_presigned", put)
    (tmp_path / unicodedata.normalize("NFD", "한국어 문서.txt")).write_text(TEXT)
    (document,) = run(tmp_path, "--wait", "--prefix", "/guides/")
    assert (document["name"], document["state"]) == ("guides/한국어 문서.txt", "live")


@pytest.mark.parametrize(
    ("names", "paths"),
    [
        (["c1/same.txt", "c2/same.txt"], ["c1/same.txt", "c2/same.txt"]),
        (["c1/same.txt", "c2/same.txt"], ["c1", "c2"]),
        ([unicodedata.normalize(form, "çay.txt") for form in ("NFC", "NFD")], [""]),
    ],
)
def test_two_files_of_one_name_are_refused_before_anything_is_sent(
    client: Client, tmp_path: Path, names: list[str], paths: list[str]
) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"This is {name}.")
    with pytest.raises(LockstepError, match=r"would both be '.+\.txt': nothing was sent.*--prefix"):
        run(*(tmp_path / path for path in paths))
    assert client.requests == []


def test_a_file_that_cannot_be_read_does_not_keep_the_others(client: Client, tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("Nine euros.")

    def lose(method: str, path: str) -> None:
        (tmp_path / "a.txt").unlink(missing_ok=True)

    client.instead = lose
    sent, refused = run(tmp_path, "--wait", expect=1)
    assert (sent["name"], sent["state"]) == ("b.txt", "live")
    assert (refused["name"], refused["state"]) == ("a.txt", "refused")
    assert "No such file" in refused["reason"]


def test_a_name_that_is_no_text_does_not_keep_the_others(client: Client, tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_text("Nine euros.")
    (tmp_path / "menu.txt").write_text("Nine euros.")
    sent, refused = run(tmp_path, expect=1)
    assert (sent["name"], refused["name"], refused["state"]) == ("menu.txt", "caf?.txt", "refused")


def test_a_presigned_target_that_does_not_answer_does_not_keep_the_others(
    client: Client, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = f"http://127.0.0.1:{free_port()}/x"
    monkeypatch.setattr(world.objects, "presign_put", lambda key, size: PresignedUpload(away, "PUT", {}, 900))
    monkeypatch.setattr(upload, "DIRECT_BYTES", 100)
    (tmp_path / "a.txt").write_text("Nine euros. " * 20)
    (tmp_path / "b.txt").write_text("Nine euros.")
    sent, refused = run(tmp_path, expect=1)
    assert (sent["name"], refused["name"]) == ("b.txt", "a.txt")
    assert refused["reason"] == "The upload broke off (ConnectError): try again."


def answers_once(status: int) -> Answer:
    """The first look at the documents is answered so, the rest by the API."""
    left = [httpx2.Response(status, json={"detail": "A store is away."})]
    return lambda method, path: left.pop() if left and path.endswith("/documents") and method == "GET" else None


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_passes_ends_no_wait(client: Client, tmp_path: Path, status: int) -> None:
    (tmp_path / "a.txt").write_text("Nine euros.")
    client.instead = answers_once(status)
    (document,) = run(tmp_path, "--wait")
    assert document["state"] == "live"


def test_what_does_not_pass_ends_the_wait(client: Client, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Nine euros.")
    client.instead = answers_once(401)
    with pytest.raises(LockstepError, match="A store is away"):
        run(tmp_path, "--wait")


def test_when_the_time_is_up_the_last_trouble_is_told(client: Client, tmp_path: Path) -> None:
    def away(method: str, path: str) -> httpx2.Response | None:
        is_look = path.endswith("/documents") and method == "GET"
        return httpx2.Response(503, json={"detail": "A store is away."}) if is_look else None

    (tmp_path / "a.txt").write_text("Nine euros.")
    client.instead = away
    (document,) = run(tmp_path, "--wait", "--timeout", "0.2", expect=1)
    assert (document["state"], document["reason"]) == ("unfinished", "A store is away.")


# Whoever answers


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (httpx2.Response(200, html="<h1>Welcome</h1>"), r"sends no JSON \(text/html.*--url"),
        (httpx2.Response(200, content=b"{", headers={"Content-Type": "application/json"}), r"sends no JSON.*--url"),
        (httpx2.Response(302, html="<h1>Moved</h1>", headers={"Location": "/login"}), r"HTTP 302"),
    ],
)
def test_who_is_not_lockstep_is_told_so(client: Client, tmp_path: Path, response: httpx2.Response, said: str) -> None:
    (tmp_path / "a.txt").write_text("Nine euros.")
    client.instead = lambda method, path: response
    with pytest.raises(LockstepError, match=said):
        run(tmp_path)
