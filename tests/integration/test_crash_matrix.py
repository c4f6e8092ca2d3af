"""The short form of the crash matrix, and proof that its checker can fail."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from pymilvus import MilvusClient

from crash.api import Api
from crash.boundaries import ROOT, boundaries
from crash.checker import Checker, snapshot_violations
from crash.deployment import Deployment
from crash.observer import Observer
from crash.reader import violations_of
from crash.report import unreached
from crash.texts import answers, content
from functions.query.app import create_app
from infra.local.milvus import EmbeddedMilvus
from infra.local.postgres import EmbeddedPostgres
from shared.postgres import PostgresClient
from shared.steps import listen
from tests.api import services_of
from tests.conftest import TEMPLATE
from tests.worlds import World, real_world

SECONDS = 3_600.0  # it takes a few minutes, and on a machine with much else to do many
GUIDE = "guide.jsonl"


def test_a_worker_that_is_killed_at_any_boundary_leaves_nothing_broken() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "crash", "--short"], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, f"{done.stdout[-5000:]}\n{done.stderr[-2000:]}"
    table = done.stdout[done.stdout.rindex("    kill") :]
    assert all(name in table for name in boundaries())


def test_boundaries_are_found_in_the_code(tmp_path: Path) -> None:
    for folder in ("functions", "shared"):
        (tmp_path / folder).mkdir()
    (tmp_path / "functions" / "a.py").write_text('def go():\n    step("upload.done")\n')
    (tmp_path / "shared" / "b.py").write_text('step("delete.done")\nother("x")\n')
    assert boundaries(tmp_path) == {"upload.done": "functions/a.py:2", "delete.done": "shared/b.py:1"}
    assert unreached(boundaries(tmp_path), {"upload.done"}) == ["delete.done (shared/b.py:1)"]
    (tmp_path / "shared" / "b.py").write_text("step(name)\n")
    with pytest.raises(ValueError, match="literal"):
        boundaries(tmp_path)


# The checker


@dataclass
class Checked:
    """A bot with one document, in its second edition."""

    world: World
    observer: Observer
    api: Api

    @property
    def violations(self) -> list[str]:
        return Checker(self.observer, self.api, self.world.bot.slug).violations({GUIDE: "2"})

    def sql(self, statement: str) -> list[dict[str, Any]]:
        return self.observer.sql(statement, bot_id=self.world.bot.bot_id)

    def rows(self) -> dict[str, Any]:
        return dict(self.observer.rows(self.world.bot.collection.name, self.world.bot.bot_id))

    def rewrite(self, **changes: Any) -> None:
        """Alter one row of the index."""
        record = next(iter(self.rows().values()))
        self.observer.write_rows(self.world.bot.collection.name, [{**record, **changes}])


@pytest.fixture(scope="module")
def stores(postgres_server: EmbeddedPostgres, milvus_server: EmbeddedMilvus) -> Iterator[Checked]:
    admin = PostgresClient(postgres_server.url())
    admin.run_alone(f"create database checked template {TEMPLATE}")
    url = postgres_server.url("checked")
    observer = Observer(Deployment(url, milvus_server.uri, "nowhere"))
    with real_world(url, milvus_server.uri) as world, Api(create_app(services_of(world))) as api:
        yield Checked(world, observer, api)
    observer.close()
    admin.run_alone("drop database checked with (force)")
    admin.close()


_numbers = count(1)


@pytest.fixture
def checked(stores: Checked) -> Checked:
    stores.world.bot = stores.world.register(f"checked-{next(_numbers)}")
    for edition in ("1", "2"):
        stores.world.put(GUIDE, content(GUIDE, edition))
    stores.world.sync()
    assert stores.violations == []
    return stores


def _delete_a_row(checked: Checked) -> None:
    checked.observer.delete_rows(checked.world.bot.collection.name, [next(iter(checked.rows()))])


def _go_back_to_the_kept_generation(checked: Checked) -> None:
    checked.sql("update documents set live_generation = live_generation - 1 where bot_id = :bot_id")


def _mix_generations(checked: Checked) -> None:
    """One pair answers with what the first edition said."""
    checked.sql(
        "update membership m set passage_id = old.passage_id from passages old join passages new using (bot_id, qa_id) "
        "where m.bot_id = :bot_id and m.generation = 2 and m.passage_id = new.passage_id and new.bot_id = :bot_id "
        "and old.since_generation = 1 and new.since_generation = 2 and new.text like '%topic 3%'"
    )


BREAKS: dict[str, tuple[Callable[[Checked], Any], str]] = {
    "a row is missing": (_delete_a_row, "a delivered passage is not in the index"),
    "a row is altered": (lambda c: c.rewrite(response="other"), "a row in the index is not the one"),
    "a vector is altered": (lambda c: c.rewrite(question_vector=[1.0] + [0.0] * 63), "a vector in the index is not"),
    "a row is nobody's": (lambda c: c.rewrite(passage_id="0" * 36), "the index holds what it should not"),
    "an old generation answers": (_go_back_to_the_kept_generation, "edition 1"),
    "two generations answer": (_mix_generations, "mixes the editions"),
    "a marker is open": (
        lambda c: c.sql("update markers set state = 'pending' where bot_id = :bot_id"),
        "a marker was not carried out",
    ),
    "a marker wants the row gone": (
        lambda c: c.sql("update markers set wanted = 'absent' where bot_id = :bot_id"),
        "the index holds what it should not",
    ),
    "a marker was proven elsewhere": (
        lambda c: c.sql("update markers set proven_incarnation = gen_random_uuid() where bot_id = :bot_id"),
        "a collection that is gone",
    ),
    "a passage is lost": (
        lambda c: c.sql("delete from passages where bot_id = :bot_id and text like '%topic 3%'"),
        "a member is no passage",
    ),
    "a membership is lost": (
        lambda c: c.sql("delete from membership where bot_id = :bot_id and generation = 2"),
        "a live generation's counts disagree",
    ),
    "a source is lost": (
        lambda c: c.sql("delete from document_sources where bot_id = :bot_id"),
        "has no pair, no source or no marker",
    ),
    "a document is lost": (
        lambda c: c.sql("delete from documents where bot_id = :bot_id"),
        "passages still has rows of a document that is gone",
    ),
    "a document is never finished": (
        lambda c: c.sql("update documents set look_again = true where bot_id = :bot_id"),
        "a document is unfinished",
    ),
    "a generation is never swept": (
        lambda c: c.sql("update generations set state = 'dead' where bot_id = :bot_id and state = 'kept'"),
        "neither live nor kept",
    ),
    "a delete is never proven": (
        lambda c: c.sql(
            "insert into tombstones (tombstone_id, kind, bot_id) values (gen_random_uuid(), 'document', :bot_id)"
        ),
        "no final receipt",
    ),
    "a log quotes what is gone": (
        lambda c: c.sql(
            "insert into query_logs (bot_id, query_id, question, response_time_ms, document_ids) "
            "values (:bot_id, gen_random_uuid(), 'q', 1, array[gen_random_uuid()])"
        ),
        "a log quotes a document that is gone",
    ),
}


@pytest.mark.parametrize(("break_it", "told"), BREAKS.values(), ids=BREAKS.keys())
def test_the_checker_reports_every_broken_state(
    checked: Checked, break_it: Callable[[Checked], Any], told: str
) -> None:
    break_it(checked)
    found = checked.violations
    assert any(told in violation for violation in found), found


def test_the_checker_reports_a_bot_that_is_not_gone(checked: Checked) -> None:
    found = Checker(checked.observer, checked.api, checked.world.bot.slug).violations(None)
    for told in ("the bot is active", "rows of the bot", "partitions", "receipt is not final", "answered with 200"):
        assert any(told in violation for violation in found), told


def test_the_reader_reports_a_mixture_a_gap_and_what_was_deleted() -> None:
    def search(responses: list[str]) -> dict[str, Any]:
        return {"hits": [{"response": r, "source": {"object_path": GUIDE}} for r in responses], "is_complete": True}

    live = {GUIDE: {"document_id": "d", "is_answering": True}}
    first, second = answers(GUIDE, "1"), answers(GUIDE, "2")
    assert violations_of(search(first), live, live) == []
    assert "mixes" in violations_of(search([*first[:3], *second[3:]]), live, live)[0]
    assert "5 of its 6" in violations_of(search(first[1:]), live, live)[0]
    assert "after it was deleted" in violations_of(search(first), {}, {})[0]
    assert violations_of({**search([]), "is_complete": False}, live, live) == []


def test_a_snapshot_that_is_not_as_its_manifest_says_is_reported(tmp_path: Path) -> None:
    folder = tmp_path / "parts" / "one"
    folder.mkdir(parents=True)
    (tmp_path / "snapshots").mkdir()
    (folder / "part").write_bytes(b"rows")
    part = {"key": "parts/one/part", "sha256": sha256(b"rows").hexdigest()}
    (tmp_path / "snapshots" / "one.json").write_text(json.dumps({"bots": [{"parts": [part]}]}))
    assert list(snapshot_violations(tmp_path)) == []
    (folder / "part").write_bytes(b"other rows")
    assert "not as its manifest says" in next(snapshot_violations(tmp_path))
    (folder / "part").unlink()
    assert "not there" in next(snapshot_violations(tmp_path))


def test_a_collection_that_was_left_without_its_indexes_gets_them(
    catalog_url: str, milvus_server: EmbeddedMilvus
) -> None:
    class Killed(BaseException):
        pass

    def die(boundary: str) -> None:
        if boundary == "collection.created":
            raise Killed

    with real_world(catalog_url, milvus_server.uri) as world:
        world.objects.put(world.key(GUIDE), content(GUIDE, "1"))
        listen(die)
        with pytest.raises(Killed):
            world.ingest(GUIDE)
        listen(None)
        index = MilvusClient(uri=milvus_server.uri)
        assert index.list_indexes(world.bot.collection.name) == []
        world.sync()
        assert len(index.list_indexes(world.bot.collection.name)) == 3
        index.close()
