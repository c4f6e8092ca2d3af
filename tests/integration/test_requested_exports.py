"""What is asked for over the API is written by backup: whole, once, in every format, or not at all and with the reason."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID, uuid4

import openpyxl
import pytest

from functions.backup import export_files, handler
from functions.backup.lease import Lease
from functions.backup.requested_exports import MOST_ATTEMPTS, CarriedOut, RequestedExports
from shared import wiring
from shared.catalog.exporting import PostgresExport
from shared.domain import Bot, ObjectVersion
from shared.errors import LeasedError, StoreUnavailableError
from shared.folder import FolderObjectStore
from shared.requested_exports import (
    FORMATS,
    KEPT_DAYS,
    ExportKey,
    ExportRequest,
    RequestedExport,
    delete_export,
    export_of,
    new_export_id,
    request_export,
    stored_exports,
)
from tests.integration.deployments import Deployment, Deployments

NOTHING = CarriedOut()


class Exports:
    """A deployment with 31 pairs, and exports that are asked of it."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment, self.world, self.store = deployment, deployment.world, deployment.backups

    @property
    def bot(self) -> Bot:
        return self.world.refreshed()

    def ask(self, form: str = "jsonl", since: str | None = None, *, embeddings: bool = False) -> RequestedExport:
        return request_export(self.store, self.bot, ExportRequest(form, since, embeddings))

    def work(self, time_left: Callable[[], float] = lambda: 900.0, **changes: Any) -> RequestedExports:
        made = RequestedExports(
            registry=self.world.registry,
            reader=PostgresExport(self.deployment.client),
            index=self.world.index,
            store=self.store,
            time_left=time_left,
        )
        return replace(made, **changes)

    def now(self, export: RequestedExport) -> RequestedExport:
        return export_of(self.store, self.bot, export.key.export_id)

    def contents(self, export: RequestedExport) -> dict[str, bytes]:
        """Every file by its name, after comparing it with the manifest."""
        manifest = self.now(export).manifest
        assert manifest is not None
        found = {}
        for file in manifest.files:
            version = self.store.head(file.key)
            assert version is not None
            with self.store.open(version) as content:
                found[file.name] = content.read()
            assert (len(found[file.name]), sha256(found[file.name]).hexdigest()) == (file.bytes, file.sha256)
        return found

    def leases(self) -> int:
        return self.deployment.count("claims where name like 'export-%'")


@pytest.fixture
def exports(source: Deployment) -> Exports:
    return Exports(source)


# What comes of a request


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_holds_what_is_live(exports: Exports, form: str, tmp_path: Path) -> None:
    export = exports.ask(form, embeddings=True)
    assert exports.work().run() == CarriedOut(finished=1)
    manifest, files = exports.now(export).manifest, exports.contents(export)
    assert manifest is not None
    assert manifest.records["pairs"] == 31
    assert manifest.records["embeddings"] == manifest.records["sources"] >= 31
    one_file = {"sql": "export.sql", "xlsx": "export.xlsx"}.get(form)
    tables = ("pairs", "relations", "sources", "logs", "embeddings")
    assert files.keys() == ({one_file} if one_file else {f"{table}.{form}" for table in tables})
    if form == "jsonl":
        assert len([json.loads(line) for line in files["pairs.jsonl"].splitlines()]) == 31
    elif form == "csv":
        assert len(list(csv.DictReader(files["pairs.csv"].decode().splitlines(keepends=True)))) == 31
    elif form == "xlsx":
        (tmp_path / "export.xlsx").write_bytes(files["export.xlsx"])
        assert openpyxl.load_workbook(tmp_path / "export.xlsx")["pairs"].max_row == 32
    assert exports.leases() == 0


def test_the_moment_that_is_told_serves_for_the_next_one(exports: Exports) -> None:
    first = exports.ask()
    exports.work().run()
    manifest = exports.now(first).manifest
    assert manifest is not None
    exports.world.put("later.txt", "Written after that.")
    second = exports.ask(since=manifest.as_of)
    exports.work().run()
    (pair,) = exports.contents(second)["pairs.jsonl"].splitlines()
    assert json.loads(pair)["response"] == "Written after that."


def test_what_is_finished_is_not_written_again(exports: Exports) -> None:
    export = exports.ask()
    exports.work().run()
    before = exports.now(export)
    assert exports.work().run() == NOTHING
    assert exports.now(export) == before


def test_the_one_that_was_told_of_comes_first(exports: Exports) -> None:
    first, second = exports.ask(), exports.ask()
    times = iter([900.0, *[900.0] * 40])
    begun: list[UUID] = []

    class Watching(RequestedExports):
        def _carry_out(self, key: ExportKey) -> str:
            begun.append(key.export_id)
            return ""

    Watching(
        exports.world.registry, PostgresExport(exports.deployment.client), exports.world.index, exports.store,
        lambda: next(times),
    ).run(f"prefix/{second.key.prefix}request.json")  # fmt: skip
    assert begun == [second.key.export_id, first.key.export_id]


# What goes wrong


@pytest.mark.parametrize(("form", "package"), [("parquet", "pyarrow"), ("xlsx", "openpyxl")])
def test_a_format_whose_package_is_not_here_fails_and_says_where_it_can_be_had(
    exports: Exports, monkeypatch: pytest.MonkeyPatch, form: str, package: str
) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(export_files, "import_module", missing)
    export = exports.ask(form)
    assert exports.work().run() == CarriedOut(failed=1)
    failure = exports.now(export).failure or ""
    assert f"{form} needs the package {package}" in failure
    assert "run `lockstep export` there" in failure
    assert exports.work().run() == NOTHING
    assert exports.leases() == 0


def test_a_damaged_request_fails_and_the_next_one_is_done(exports: Exports) -> None:
    damaged, good = exports.ask(), exports.ask()
    exports.store.put(f"{damaged.key.prefix}request.json", b"{")
    assert exports.work().run() == CarriedOut(finished=1, failed=1)
    assert exports.now(good).state == "finished"
    (stored,) = stored_exports(exports.store, exports.bot.bot_id, damaged.key.export_id)
    assert "failed.json" in stored.objects


def test_while_a_store_is_away_it_waits_and_is_not_given_up(exports: Exports) -> None:
    export = exports.ask()

    class Away:
        def read(self, *arguments: Any, **options: Any) -> None:
            raise StoreUnavailableError("the catalog is away")

    for _ in range(MOST_ATTEMPTS + 2):
        assert exports.work(reader=Away()).run() == CarriedOut(put_off=1)
    assert exports.now(export).state == "requested"
    assert exports.work().run() == CarriedOut(finished=1)


def test_what_ends_without_a_word_again_and_again_is_given_up(exports: Exports) -> None:
    export = exports.ask()

    class Killed(BaseException):
        """As when memory is used up."""

    class Killing:
        def read(self, *arguments: Any, **options: Any) -> None:
            raise Killed()

    for _ in range(MOST_ATTEMPTS):
        with pytest.raises(Killed):
            exports.work(reader=Killing()).run()
        assert exports.now(export).state == "requested"
    assert exports.work().run() == CarriedOut(failed=1)
    assert f"begun {MOST_ATTEMPTS} times and never came to an end" in (exports.now(export).failure or "")


def test_a_surprise_does_not_keep_the_others_waiting(exports: Exports) -> None:
    first, second = exports.ask(), exports.ask()
    reader = PostgresExport(exports.deployment.client)
    reads = iter([ZeroDivisionError("a surprise")])

    class Surprising:
        def read(self, *arguments: Any, **options: Any) -> None:
            for error in reads:
                raise error
            reader.read(*arguments, **options)

    assert exports.work(reader=Surprising()).run() == CarriedOut(finished=1, put_off=1)
    assert (exports.now(first).state, exports.now(second).state) == ("requested", "finished")


def test_a_disk_that_is_full_is_a_reason(exports: Exports) -> None:
    export = exports.ask()

    class Full:
        def read(self, *arguments: Any, **options: Any) -> None:
            raise OSError(28, "No space left on device")

    assert exports.work(reader=Full()).run() == CarriedOut(failed=1)
    assert "No space left on device" in (exports.now(export).failure or "")


def _running_out(full: float, looks: int) -> Callable[[], float]:
    times = iter([full] * looks)
    return lambda: next(times, 1.0)


def test_what_a_whole_invocation_is_too_short_for_fails(exports: Exports) -> None:
    export = exports.ask()
    assert exports.work(_running_out(900.0, looks=3)).run() == CarriedOut(failed=1)
    assert "not finished within 900 seconds" in (exports.now(export).failure or "")


def test_what_the_rest_of_an_invocation_is_too_short_for_has_another(exports: Exports) -> None:
    export = exports.ask()
    assert exports.work(lambda: 30.0).run() == NOTHING
    assert exports.work(_running_out(300.0, looks=3)).run() == NOTHING
    assert exports.now(export).state == "requested"
    assert exports.work().run() == CarriedOut(finished=1)


# Two at once


def test_two_do_not_write_the_same(exports: Exports) -> None:
    export = exports.ask()
    with Lease(exports.world.registry, f"export-{export.key.export_id}", busy="x"):
        assert exports.work().run() == NOTHING
        with pytest.raises(LeasedError):
            Lease(exports.world.registry, f"export-{export.key.export_id}", busy="x").__enter__()
    assert exports.work().run() == CarriedOut(finished=1)


class Meddling(FolderObjectStore):
    """Does something else just before an object is put whose key ends so."""

    def __init__(self, root: Path, ending: str, meddle: Callable[[], object]) -> None:
        super().__init__(root)
        self._ending, self._meddle = ending, meddle

    def put(self, key: str, content: bytes | BinaryIO, *, content_type: str | None = None) -> ObjectVersion:
        if key.endswith(self._ending):
            self._meddle()
        return super().put(key, content, content_type=content_type)


@pytest.mark.parametrize("ending", ["pairs.jsonl", "export.json"])
def test_a_request_that_is_deleted_meanwhile_leaves_nothing(exports: Exports, ending: str) -> None:
    export = exports.ask()
    store = Meddling(exports.store.root, ending, lambda: delete_export(exports.store, export.key))
    assert exports.work(store=store).run() == NOTHING
    exports.work().run()  # what was put behind the deletion goes with the next run
    assert stored_exports(exports.store) == []
    assert exports.leases() == 0


@pytest.mark.parametrize("ending", ["pairs.jsonl", "export.json"])
def test_a_bot_that_is_deleted_meanwhile_leaves_nothing(exports: Exports, ending: str) -> None:
    exports.ask()
    store = Meddling(exports.store.root, ending, lambda: exports.world.registry.delete_bot("library"))
    assert exports.work(store=store).run() == NOTHING
    exports.work().run()
    assert stored_exports(exports.store) == []


def test_one_that_stood_still_leaves_another_s_files_whole(exports: Exports) -> None:
    export = exports.ask()
    store = Meddling(exports.store.root, "export.json", lambda: _as_another(exports, export))
    exports.work(store=store).run()
    assert exports.contents(export).keys() == {"pairs.jsonl", "relations.jsonl", "sources.jsonl", "logs.jsonl"}


def _as_another(exports: Exports, export: RequestedExport) -> None:
    exports.deployment.client.transact(lambda tx: tx.script("delete from claims where name like 'export-%'"))
    assert exports.work().run() == CarriedOut(finished=1)
    exports.contents(export)


# What goes


def test_after_its_time_it_is_forgotten_and_another_deployment_s_is_not(
    exports: Exports, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = datetime.now(UTC).timestamp()
    monkeypatch.setattr("shared.requested_exports.time.time", lambda: begin - (KEPT_DAYS + 0.1) * 24 * 3600)
    exports.ask()
    foreign = ExportKey(uuid4(), new_export_id())
    exports.store.put(f"{foreign.prefix}request.json", b"{}")
    monkeypatch.setattr("shared.requested_exports.time.time", lambda: begin - (KEPT_DAYS - 0.1) * 24 * 3600)
    young = exports.ask()
    assert exports.work().run() == CarriedOut(finished=1)
    assert {stored.key for stored in stored_exports(exports.store)} == {young.key, foreign}


def test_a_deleted_bot_s_exports_go_with_the_next_run(exports: Exports) -> None:
    exports.ask()
    exports.work().run()
    exports.world.registry.delete_bot("library")
    assert exports.work().run() == NOTHING
    assert stored_exports(exports.store) == []


def test_a_bot_that_is_being_restored_is_left_alone(exports: Exports) -> None:
    export = exports.ask()
    client = exports.deployment.client
    client.transact(lambda tx: tx.script("update bots set state = 'restoring'"))
    assert exports.work().run() == NOTHING
    assert len(stored_exports(exports.store)) == 1
    client.transact(lambda tx: tx.script("update bots set state = 'active'"))
    assert exports.work().run() == CarriedOut(finished=1)
    assert exports.now(export).state == "finished"


def test_snapshots_and_their_retention_do_not_touch_exports(exports: Exports) -> None:
    export = exports.ask()
    exports.work().run()
    manifest = exports.deployment.snapshot()
    assert exports.contents(export)
    exports.work().run()
    assert len(exports.deployment.restoring().plan(manifest, None, "again")) == 1


# The door


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return 900_000


@pytest.fixture
def wired(exports: Exports, monkeypatch: pytest.MonkeyPatch) -> Iterator[Exports]:
    """The handler, on this deployment."""
    monkeypatch.setattr(handler, "build_requested_exports", lambda *, time_left: exports.work(time_left))
    monkeypatch.setattr(wiring, "emit_metrics", lambda: None)
    yield exports


def _told(key: str) -> dict[str, Any]:
    detail = {"bucket": {"name": "backups"}, "object": {"key": key, "size": 70}}
    return {"version": "0", "source": "aws.s3", "detail-type": "Object Created", "detail": detail}


def test_an_event_of_the_bucket_has_it_written(wired: Exports) -> None:
    export = wired.ask()
    event = _told(f"{export.key.prefix}request.json")
    assert handler.handler(event, Context()) == {"finished": 1, "failed": 0, "put_off": 0}
    assert handler.handler(event, Context()) == {"finished": 0, "failed": 0, "put_off": 0}
    assert wired.now(export).state == "finished"


def test_an_event_that_a_store_stood_in_the_way_of_comes_again(wired: Exports, monkeypatch: pytest.MonkeyPatch) -> None:
    export = wired.ask()

    class Away:
        def read(self, *arguments: Any, **options: Any) -> None:
            raise StoreUnavailableError("the catalog is away")

    monkeypatch.setattr(handler, "build_requested_exports", lambda *, time_left: wired.work(reader=Away()))
    with pytest.raises(StoreUnavailableError, match="1 exports are put off"):
        handler.handler(_told(f"{export.key.prefix}request.json"), Context())
    assert handler.handler({"task": "exports"}, Context())["put_off"] == 1


@pytest.mark.parametrize("task", ["snapshot", "drill"])
def test_a_timer_does_what_waits_even_if_its_own_task_fails(
    wired: Exports, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    def broken(*arguments: object, **options: object) -> Any:
        raise StoreUnavailableError("the index is away")

    monkeypatch.setattr(handler, "build_snapshot", broken)
    monkeypatch.setattr(handler, "build_drill", broken)
    monkeypatch.setattr(wiring, "backups", lambda: wired.store)
    export = wired.ask()
    with pytest.raises(StoreUnavailableError, match="the index is away"):
        handler.handler({"source": "timer", "task": task}, Context())
    assert wired.now(export).state == "finished"


def test_deployments_that_share_a_place_do_each_their_own(deployments: Deployments, exports: Exports) -> None:
    other = Exports(deployments.new())
    mine, theirs = exports.ask(), other.ask()
    assert exports.work().run() == CarriedOut(finished=1)
    assert (exports.now(mine).state, other.now(theirs).state) == ("finished", "requested")
    assert other.work().run() == CarriedOut(finished=1)
