"""The cloud's door makes what a question needs first, and the rest when it is asked for: nobody sees the difference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from functions.query import app as module
from tests.api import services_of
from tests.worlds import World, memory_world


@pytest.fixture
def world() -> World:
    return memory_world()


@pytest.fixture
def client(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    services = services_of(world)
    monkeypatch.setattr(module, "_services", lambda: services)
    for made in (module.app, module.answering_app):
        made.cache_clear()
    yield TestClient(module.entry, raise_server_exceptions=False)
    for made in (module.app, module.answering_app):
        made.cache_clear()


def test_a_question_is_answered_without_the_other_routes(client: TestClient, world: World) -> None:
    world.put("drawers.txt", "The key lies in the third drawer.")
    answer = client.post("/bots/library/search", json={"question": "Where does the key lie?"})
    assert answer.json()["hits"][0]["passage"] == "The key lies in the third drawer."
    assert module.app.cache_info().currsize == 0
    assert client.get("/bots").json()["bots"][0]["slug"] == "library"
    assert module.app.cache_info().currsize == 1


def test_every_path_of_a_question_is_known_for_one_and_no_other() -> None:
    paths = module.create_app(services_of(memory_world())).openapi()["paths"]
    assert len(paths) > 20
    for path, operations in paths.items():
        tags = {tag for operation in operations.values() for tag in operation["tags"]}
        assert module.is_question(path.replace("{bot}", "care")) == (tags == {"questions"}), path


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/bots/library/search", 405),
        ("POST", "/bots/nobody/search", 404),
        ("GET", "/bots/library/search/x", 404),
    ],
)
def test_errors_are_those_of_the_whole_api(
    client: TestClient, world: World, method: str, path: str, status: int
) -> None:
    body: dict[str, Any] = {"json": {"question": "Where?"}} if method == "POST" else {}
    answer = client.request(method, path, **body)
    whole = TestClient(module.create_app(services_of(world)), raise_server_exceptions=False).request(
        method, path, **body
    )
    assert (answer.status_code, answer.json()) == (status, whole.json())
