"""`lockstep verify`, `repair`, `adopt`: what they say, what they change, and how they end."""

from __future__ import annotations

import json
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
import typer
from typer.testing import CliRunner, Result

from functions.sync.bucket_scan import claim_bucket
from infra.cli import drift
from shared import wiring
from shared.domain import IndexRow, Vectors
from shared.errors import LockstepError, StoreUnavailableError
from shared.testing import InMemoryObjectStore, InMemoryVectorIndex
from tests.worlds import World, memory_world, wired

Run = Callable[..., Result]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = memory_world()
    claim_bucket(made.objects, made.registry.deployment_id())
    for name, part in wired(made).items():
        monkeypatch.setattr(wiring, name, lambda part=part: part)
    monkeypatch.setattr(drift, "use_stores", lambda state: None)
    for number in range(5):
        made.put(f"{number}.txt", f"This is number {number}.")
    return made


@pytest.fixture
def run(world: World) -> Run:
    app = typer.Typer()
    drift.add_to(app)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, arguments)

    return run


def rows_of(world: World) -> dict[UUID, tuple[IndexRow, Vectors]]:
    assert isinstance(world.index, InMemoryVectorIndex)
    return world.index.rows[world.refreshed().collection.name]


def damage(world: World) -> None:
    """One row is missing, and one is orphaned."""
    _, row = rows_of(world).popitem()
    rows_of(world)[uuid4()] = row


def test_stores_that_agree_end_with_0_and_a_checksum(run: Run) -> None:
    done = run("verify", "--json")
    assert done.exit_code == 0
    (report,) = json.loads(done.stdout)["bots"]
    assert (report["bot"], report["passages"], report["intact"]) == ("library", 5, 5)
    assert int(report["checksum"], 16)


def test_drift_ends_with_1_and_is_counted(run: Run, world: World) -> None:
    damage(world)
    done = run("verify", "--json")
    assert done.exit_code == 1, done.output
    (report,) = json.loads(done.stdout)["bots"]
    assert (report["missing"], report["orphaned"], report["intact"]) == (1, 1, 4)
    assert "library" in run("verify").stdout


def test_what_could_not_be_told_is_an_error_that_says_why(
    run: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise StoreUnavailableError()

    monkeypatch.setattr(world.index, "stored", away)
    assert isinstance(run("verify").exception, StoreUnavailableError)
    assert "nobody" in str(run("verify", "--bot", "nobody").exception)
    assert "--bot" in str(run("verify", "--document", "1.txt").exception)


def test_a_document_is_named_by_its_path_or_its_id(run: Run, world: World) -> None:
    status = world.status("1.txt")
    assert status is not None
    for name in ("1.txt", "library/1.txt", str(status.document_id)):
        done = run("verify", "--bot", "library", "--document", name, "--json")
        assert (done.exit_code, json.loads(done.stdout)["bots"][0]["passages"]) == (0, 1)
    assert "no document 'no.txt'" in str(run("verify", "--bot", "library", "--document", "no.txt").exception)


def test_what_is_left_of_a_deleted_bot_is_named(run: Run, world: World) -> None:
    other = world.register("gone")
    row, vectors = next(iter(rows_of(world).values()))
    late = IndexRow(uuid4(), row.deployment_id, other.bot_id, row.document_id, row.qa_id, 0, "?", "!")
    rows_of(world)[late.passage_id] = late, vectors
    world.registry.delete_bot("gone")
    world.registry.drop_bot(other)
    done = run("verify", "--json")
    assert done.exit_code == 1, done.output
    assert {report["bot"]: report["orphaned"] for report in json.loads(done.stdout)["bots"]} == {
        "library": 0,
        "gone": 1,
    }


def test_a_dry_run_says_what_repair_would_do_and_changes_nothing(run: Run, world: World) -> None:
    damage(world)
    before = dict(rows_of(world))
    done = run("repair", "--dry-run")
    assert done.exit_code == 0
    assert "1 would be written again" in done.stdout
    assert "1 would be removed" in done.stdout
    told = json.loads(run("repair", "--dry-run", "--json").stdout)
    assert (told["missing"], told["orphaned"]) == (1, 1)
    assert rows_of(world) == before
    assert run("verify").exit_code == 1


@pytest.mark.parametrize("only", [[], ["--bot", "library"]])
def test_repair_brings_the_stores_to_agree(run: Run, world: World, only: list[str]) -> None:
    damage(world)
    assert run("repair", *only).exit_code == 0
    assert run("verify").exit_code == 0
    assert "Both stores agree." in run("repair", *only).stdout


def test_a_repair_is_told_as_json_too(run: Run, world: World) -> None:
    damage(world)
    told = json.loads(run("repair", "--json").stdout)
    assert (told["missing"], told["orphaned"], told["is_finished"]) == (1, 1, True)


def test_repair_builds_a_lost_index_anew(run: Run, world: World) -> None:
    assert isinstance(world.index, InMemoryVectorIndex)
    world.index.drop(world.bot.collection)
    assert run("verify").exit_code == 1
    assert run("repair").exit_code == 0
    assert run("verify").exit_code == 0


def test_adopting_writes_objects_that_ingest_takes_up(run: Run, world: World) -> None:
    assert isinstance(world.index, InMemoryVectorIndex)
    assert isinstance(world.objects, InMemoryObjectStore)
    world.index.others["theirs"] = {"7": {"topic": "lamps", "ask": "Where is it?", "say": "In the hall."}}
    options = ("--collection", "theirs", "--bot", "library", "--question", "ask", "--response", "say")
    dry = run("adopt", *options, "--column", "category=topic", "--dry-run")
    assert dry.exit_code == 0
    assert "1 would be written" in dry.stdout
    assert "In the hall." in dry.stdout
    told = json.loads(run("adopt", *options, "--column", "category=topic", "--dry-run", "--json").stdout)
    assert (told["rows"], told["pairs"], told["written"]) == (1, 1, 1)
    assert world.objects.head("library/adopted/theirs/000001.jsonl") is None
    assert run("adopt", *options, "--column", "category=topic").exit_code == 0
    world.ingest("adopted/theirs/000001.jsonl")
    assert world.answers("Where is it?")[0] == "In the hall."


def test_a_column_that_is_no_part_of_a_pair_is_refused(run: Run) -> None:
    done = run("adopt", "--collection", "theirs", "--bot", "library", "--column", "colour=red")
    assert isinstance(done.exception, LockstepError)
    assert "category" in str(done.exception)
