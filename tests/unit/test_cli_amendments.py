"""`lockstep retry`, `lockstep rollback` and `lockstep bots set`, over twins."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from infra.cli import amendments, bots
from shared import wiring
from shared.errors import LockstepError, RejectedDocumentError
from tests.api import client_of
from tests.worlds import World, memory_world

FAQ = "id,question,answer\nprice,What does it cost?,Nine euros.\n"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = memory_world()
    monkeypatch.setattr(amendments, "use_stores", lambda state: None)
    for port in ("registry", "documents", "amendments", "hints"):
        monkeypatch.setattr(wiring, port, lambda port=port: getattr(made, port))
    return made


@pytest.fixture
def api(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    with client_of(world) as client:

        class Api:
            def __init__(self, *_: object) -> None: ...

            def call(self, method: str, path: str, **arguments: Any) -> Any:
                response = client.request(method, path, **arguments)
                if response.status_code >= 400:
                    raise LockstepError(response.json()["detail"])
                return response.json()

        monkeypatch.setattr(amendments, "Api", Api)
        monkeypatch.setattr(bots, "Api", Api)
        yield client


def run(*arguments: str) -> Any:
    app = typer.Typer()
    amendments.add_to(app)
    app.add_typer(bots.app, name="bots")
    result = CliRunner().invoke(app, [*arguments, "--json"])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def reject(world: World, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RejectedDocumentError("This parser cannot read it.")

    with monkeypatch.context() as old_parser:
        old_parser.setattr("functions.ingest.pipeline.parse", refuse)
        for name in names:
            world.put(name, FAQ)


def test_retry_says_what_it_reopened(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("retry") == []
    reject(world, monkeypatch, "a.csv", "b.csv")
    told = run("retry", "--bot", "library", "--document", "b.csv")
    assert [(row["bot"], row["document"]) for row in told] == [("library", "b.csv")]
    assert "looked at again" in told[0]["reopened"]
    assert world.hints.keys == ["library/b.csv"]
    assert {row["document"] for row in run("retry")} == {"a.csv", "b.csv"}


def test_retry_of_an_unknown_document_says_so(world: World) -> None:
    with pytest.raises(LockstepError, match=r"no document 'x\.csv'"):
        run("retry", "--bot", "library", "--document", "x.csv")
    with pytest.raises(AssertionError, match="--document"):
        run("retry", "--document", "x.csv")


def test_rollback_puts_a_document_back_and_lists_its_generations(world: World, api: TestClient) -> None:
    world.put("faq.csv", FAQ)
    with pytest.raises(LockstepError, match="kept"):
        run("rollback", "library", "faq.csv")
    world.put("faq.csv", FAQ.replace("Nine", "Ten"))
    assert [g["state"] for g in run("rollback", "library", "faq.csv", "--list")] == ["live", "kept"]
    told = run("rollback", "library", "faq.csv", "--generation", "1")
    assert [(g["generation"], g["state"]) for g in told] == [(3, "live"), (2, "kept")]
    assert world.answers("What does it cost?") == ["Nine euros."]


def test_bots_set_changes_what_is_named(world: World, api: TestClient) -> None:
    options = "--consistency strong --kept-generations 3 --recency-half-life-days 90"
    changed = run("bots", "set", "library", *options.split())
    assert changed["settings"] == {
        "consistency": "strong",
        "kept_generations": 3,
        "columns": {},
        "recency_half_life_days": 90.0,
    }
    changed = run("bots", "set", "library", "--name", "The library", "--columns", '{"question": "Frage"}')
    assert (changed["name"], changed["settings"]["columns"]) == ("The library", {"question": "Frage"})
    assert changed["settings"]["consistency"] == "strong"
    with pytest.raises(AssertionError):
        run("bots", "set", "library")
