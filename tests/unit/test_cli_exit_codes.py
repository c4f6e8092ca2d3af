"""How commands end: 0 as hoped, 1 another outcome, 2 a wrong call, 3 not done; a script can tell them apart."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from functions.sync import handler
from functions.sync.bucket_scan import claim_bucket
from infra import cli, status
from infra.cli import amendments, drift, operations
from infra.cli.target import Api
from infra.local.milvus import free_port
from shared import wiring
from shared.errors import StoreUnavailableError
from shared.testing import InMemoryVectorIndex
from tests.api import client_of
from tests.worlds import World, memory_world, wired

AS_HOPED, OUTCOME, WRONG_CALL, NOT_DONE = 0, 1, 2, 3
ASK = ("ask", "library", "What does it cost?")
Run = Callable[..., int]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = memory_world()
    with client_of(made) as client:
        claim_bucket(made.objects, made.registry.deployment_id())
        made.put("price.csv", "question,answer\nWhat does it cost?,Nine euros.\n")

        def connect(api: Api, url: str | None, state: Path) -> None:
            api.url, api._client = "http://library.example", client

        monkeypatch.setattr(Api, "__init__", connect)
        for name, part in {**wired(made), "amendments": made.amendments, "postgres": None}.items():
            monkeypatch.setattr(wiring, name, lambda part=part: part)
        for module in (operations, drift, amendments):
            monkeypatch.setattr(module, "use_stores", lambda state: None)
        yield made


@pytest.fixture
def run(world: World, monkeypatch: pytest.MonkeyPatch) -> Run:
    def command(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["lockstep", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0)

    return command


def away(*_: object, **__: object) -> Any:
    raise StoreUnavailableError()


def test_an_abstention_is_no_error_and_an_error_no_abstention(run: Run, world: World, tmp_path: Path) -> None:
    assert run(*ASK) == AS_HOPED
    assert run("ask", "library", "Who won the chess tournament in Reykjavik?") == OUTCOME
    assert run("ask", "nobody", "What does it cost?") == NOT_DONE
    assert run("ask", "library") == WRONG_CALL
    assert run(*ASK, "--filter", "category") == WRONG_CALL


def test_nobody_who_answers_is_not_done(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["lockstep", *ASK, "--url", f"http://127.0.0.1:{free_port()}"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == NOT_DONE
    assert "lockstep: Nothing answers at" in capsys.readouterr().err


def test_a_surprise_is_not_done_and_shows_where_it_was(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def surprise(*_: object, **__: object) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr(Api, "call", surprise)
    assert run(*ASK) == NOT_DONE
    assert "KeyError: 'surprise'" in capsys.readouterr().err


def test_an_upload_tells_what_was_refused_from_what_could_not_begin(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    assert run("upload", "library", str(tmp_path)) == OUTCOME
    (tmp_path / "empty.txt").write_text("Ten euros.")
    assert run("upload", "library", str(tmp_path), "--wait") == AS_HOPED
    assert run("upload", "nobody", str(tmp_path)) == NOT_DONE
    assert run("upload", "library", str(tmp_path / "nowhere")) == WRONG_CALL


def test_drift_is_told_from_what_could_not_be_compared(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("verify") == AS_HOPED
    assert run("verify", "--bot", "nobody") == NOT_DONE
    assert isinstance(world.index, InMemoryVectorIndex)
    world.index.drop(world.refreshed().collection)
    assert run("verify") == OUTCOME
    monkeypatch.setattr(world.index, "stored", away)
    assert run("verify") == NOT_DONE


def test_what_is_left_is_told_from_a_sync_that_could_not_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for is_finished, code in ((True, AS_HOPED), (False, OUTCOME)):
        monkeypatch.setattr(handler, "handler", lambda *_, is_finished=is_finished: {"is_finished": is_finished})
        assert run("sync") == code
    monkeypatch.setattr(handler, "handler", away)
    assert run("sync") == NOT_DONE


def test_what_is_wrong_is_told_from_what_could_not_be_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "overview", lambda *_: {"parts": {}, "last": {}, "bots": []})
    for is_well, code in ((True, AS_HOPED), (False, OUTCOME)):
        monkeypatch.setattr(status, "is_well", lambda _, is_well=is_well: is_well)
        assert run("status") == code
    monkeypatch.setattr(status, "overview", away)
    assert run("status") == NOT_DONE


def test_a_delete_that_is_not_through_is_told_from_one_that_was_refused(
    run: Run, world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("documents", "delete", "library", "nothing.csv") == NOT_DONE
    assert run("documents", "delete", "library", "price.csv", "--json") == AS_HOPED
    deleted = json.loads(capsys.readouterr().out)
    assert (deleted["is_done"], deleted["document"]["name"]) == (True, "price.csv")
    world.put("price.csv", "question,answer\nWhat does it cost?,Nine euros.\n")
    monkeypatch.setattr("functions.query.routes.documents.wait_until_gone", lambda *_, **__: False)
    assert run("documents", "delete", "library", "price.csv") == OUTCOME
    assert "still answers" in capsys.readouterr().out


def test_a_deleted_bot_is_told_as_json_too(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("bots", "delete", "library", "--yes", "--json") == AS_HOPED
    assert json.loads(capsys.readouterr().out)["slug"] == "library"


# The help


def commands(command: Any, *path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(command, TyperGroup):
        for name, inner in command.commands.items():
            yield from commands(inner, *path, name)
    else:
        yield " ".join(path), command


def test_every_command_prints_json_on_request() -> None:
    found = dict(commands(get_command(cli.command_line())))
    assert len(found) > 20
    options = {name: {option for each in command.params for option in each.opts} for name, command in found.items()}
    assert {name for name in found if "--json" not in options[name]} == {"up"}  # it runs until it is stopped


def test_the_exit_codes_are_in_the_help(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == AS_HOPED
    told = capsys.readouterr().out
    assert "Exit codes: 0 as hoped; 1 done, but not as hoped" in " ".join(told.split())
    for command in ("ask", "upload", "verify", "repair", "sync", "status", "drill", "reembed"):
        run(command, "--help")
        assert "exit code" in capsys.readouterr().out, command
