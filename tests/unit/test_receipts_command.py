"""`lockstep receipts`: what was deleted, and how far that is proven."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from infra.cli import receipts
from infra.cli.receipts import add_to
from tests.api import client_of
from tests.worlds import World, memory_world


@pytest.fixture
def world() -> World:
    return memory_world()


@pytest.fixture
def run(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """The command, against the API over that world."""
    client = client_of(world)

    class Api:
        def __init__(self, *target: object) -> None:
            """There is only one."""

        def call(self, method: str, path: str, **arguments: Any) -> Any:
            return client.request(method, path, **arguments).json()

    monkeypatch.setattr(receipts, "Api", Api)
    root = typer.Typer()
    add_to(root)

    def command(*arguments: str) -> str:
        result = CliRunner().invoke(root, [*arguments], env={"COLUMNS": "250"})
        assert result.exit_code == 0, result.output
        return result.output

    return command


def test_it_shows_what_was_deleted_and_how_many_rows_went(world: World, run: Callable[..., str]) -> None:
    world.put("hours.txt", "It opens at ten.")
    world.remove("hours.txt")
    shown = run("--bot", "library")
    assert "hours.txt" in shown
    assert "1 qa_pairs, 1 passages" in shown
    assert "provisional" in shown


def test_it_shows_a_bot_that_is_gone(world: World, run: Callable[..., str]) -> None:
    world.ledger().delete_bot(world.bot)
    world.sync()
    assert "the bot" in run("--bot", "library")
    assert '"kind": "bot"' in run("--json")
