"""`lockstep reembed` with real stores and the real model: a copy of it under another revision is another embedder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from infra.cli import reembed as command
from infra.local.milvus import EmbeddedMilvus
from shared import wiring
from shared.embedder import OnnxEmbedder
from shared.settings import Settings, load_settings
from tests.api import client_of
from tests.worlds import World, real_world

Invoke = Callable[..., tuple[int, str]]
QUESTION = "When does the boat go?"
ANSWER = "The ferry leaves at nine."


@pytest.fixture
def following(model_folder: Path, tmp_path: Path) -> Path:
    """The same weights under another revision."""
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    record = json.loads((folder / "model.json").read_text("utf-8"))
    (folder / "model.json").write_text(json.dumps(record | {"revision": "another"}), "utf-8")
    return folder


@pytest.fixture
def world(catalog_url: str, milvus_server: EmbeddedMilvus, model_folder: Path) -> Iterator[World]:
    with real_world(catalog_url, milvus_server.uri, embedder=OnnxEmbedder(model_folder)) as made:
        made.put("ferry.txt", ANSWER)
        made.put("owl.txt", "The barn owl hunts at night.")
        yield made


@pytest.fixture
def invoke(world: World, model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Run the command over that world; returns its exit code and what it said. `served` are the processes' settings."""
    parts: dict[str, Any] = {
        "registry": world.registry,
        "changes": world.changes,
        "delivery_catalog": world.delivery,
        "index": world.index,
        "hints": world.hints,
    }
    for name, part in parts.items():
        monkeypatch.setattr(wiring, name, lambda part=part: part)
    monkeypatch.setattr(command, "use_stores", lambda state: None)
    app = typer.Typer()
    command.add_to(app)

    def run(*arguments: str, next_model: Path | None = None) -> tuple[int, str]:
        monkeypatch.setattr(wiring, "settings", lambda: settings_of(model_folder, next_model))
        result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
        return result.exit_code, result.stdout if "--json" in arguments else result.output

    return run


def settings_of(model: Path, next_model: Path | None) -> Settings:
    environment = {
        "LOCKSTEP_POSTGRES_URL": "postgresql://x",
        "LOCKSTEP_MILVUS_URI": "http://x",
        "LOCKSTEP_BUCKET_URL": "file:///x",
        "LOCKSTEP_INDEX_PROFILE": "small",
        "LOCKSTEP_MODEL_PATH": str(model),
        "LOCKSTEP_NEXT_MODEL_PATH": str(next_model or ""),
    }
    return load_settings(environment)


def test_a_bot_moves_to_another_model(world: World, invoke: Invoke, following: Path) -> None:
    before = world.search(QUESTION).hits
    world.next_embedder = OnnxEmbedder(following)
    code, said = invoke(next_model=following)
    assert code == 0
    assert "2 of 2 passages" in said and "library: moved" in said
    assert world.refreshed().collection.model_revision == "another"
    after = world.search(QUESTION).hits
    assert [hit.evidence.text for hit in after] == [hit.evidence.text for hit in before]
    assert [hit.score for hit in after] == pytest.approx([hit.score for hit in before], abs=1e-5)
    code, said = invoke(next_model=following)
    assert code == 0 and "nothing to do" in said


def test_a_dry_run_tells_and_changes_nothing(world: World, invoke: Invoke, following: Path) -> None:
    before, collections = world.refreshed(), collections_of(world)
    code, said = invoke("--dry-run", "--model", str(following))
    assert code == 0 and "library: would embed 2 passages with" in said and "another" in said
    assert world.refreshed() == before
    assert collections_of(world) == collections


def collections_of(world: World) -> tuple[int, list[str]]:
    client = world.delivery._client  # type: ignore[attr-defined]
    held = sorted(world.index._client().list_collections())  # type: ignore[attr-defined]
    return len(client.transact(lambda tx: tx.rows("collections"))), held


def test_without_the_model_in_the_processes_it_builds_and_does_not_move(
    world: World, invoke: Invoke, following: Path
) -> None:
    code, said = invoke("--model", str(following))
    assert code == 1 and "everything is there" in said and "LOCKSTEP_NEXT_MODEL_PATH" in said
    assert world.answers(QUESTION)[:1] == [ANSWER]
    code, said = invoke("--status", "--json")
    (status,) = json.loads(said)
    assert (status["passages"], status["embedded"]) == (2, 2)
    assert "another" in status["next_embedder"] and status["is_leaving"] is None
    code, said = invoke("--model", str(following), "--offline")
    assert code == 0 and "moved" in said


def test_a_process_without_the_model_answers_503_and_says_which_it_wants(
    world: World, invoke: Invoke, following: Path
) -> None:
    assert invoke("--model", str(following), "--offline")[0] == 0
    answer = client_of(world).post("/bots/library/search", json={"question": QUESTION})
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["title"] == "The bot's embedder is not here"
    assert "another" in problem["detail"] and world.embedder.model.revision in problem["detail"]
    world.next_embedder = OnnxEmbedder(following)
    answer = client_of(world).post("/bots/library/search", json={"question": QUESTION})
    assert answer.status_code == 200 and answer.json()["hits"][0]["passage"] == ANSWER


def test_a_change_can_be_given_up(world: World, invoke: Invoke, following: Path) -> None:
    assert invoke("--model", str(following))[0] == 1
    code, said = invoke("--cancel")
    assert code == 0 and "library: given up" in said
    assert world.refreshed().next_collection is None
    assert invoke("--cancel")[1].strip() == "library: nothing to give up"


def test_a_program_reads_how_far_every_bot_is_whatever_was_done(world: World, invoke: Invoke, following: Path) -> None:
    embedded = []
    for option in ("--dry-run", "--bot=library", "--cancel", "--offline"):
        code, said = invoke("--json", option, "--model", str(following))
        (status,) = json.loads(said)
        embedded.append((code, status["next_embedder"] is not None, "another" in status["embedder"]))
    assert embedded == [(0, False, False), (1, True, False), (0, False, False), (0, False, True)]


def test_only_the_bots_that_are_named_move(world: World, invoke: Invoke, following: Path) -> None:
    world.register("other")
    assert invoke("--bot", "other", next_model=following)[0] == 0
    assert world.refreshed().next_collection is None
    assert world.registry.bot("other").collection.model_revision == "another"


def test_a_folder_without_a_model_is_told(invoke: Invoke, tmp_path: Path) -> None:
    from shared.errors import ConfigurationError

    with pytest.raises(ConfigurationError, match="no complete model"):
        invoke("--model", str(tmp_path / "nothing"))
    with pytest.raises(ConfigurationError, match="--model"):
        invoke()
