"""Exports over the HTTP API, from outside, over real stores."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from functions.backup.requested_exports import RequestedExports
from functions.query import small_export
from functions.query.app import create_app
from functions.query.small_export import MOST_BYTES
from infra.local.milvus import EmbeddedMilvus
from shared.errors import TooLargeError
from tests.api import client_of, services_of
from tests.integration.test_api import problem
from tests.worlds import World, memory_world, real_world

RECORDS = [
    {"id": str(n), "question": f"What is number {n}?", "answer": f"=It is {n} — 한국어", "related": [str((n + 1) % 25)]}
    for n in range(25)
]


@pytest.fixture
def world(catalog_url: str, milvus_server: EmbeddedMilvus) -> Iterator[World]:
    with real_world(catalog_url, milvus_server.uri) as made:
        made.put("records.jsonl", "\n".join(json.dumps(record) for record in RECORDS))
        yield made


@pytest.fixture
def api(world: World) -> Iterator[TestClient]:
    services = services_of(world, backup_url="file:///backups")
    with TestClient(create_app(services), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def fast() -> Iterator[TestClient]:
    """Over twins, for what does not reach the stores."""
    with client_of(memory_world(), backup_url="file:///backups") as client:
        yield client


def carry_out(world: World) -> None:
    RequestedExports(world.registry, world.live_records(), world.index, world.backups, lambda: 900.0).run()


# Small ones


def test_a_table_comes_as_lines_of_json(api: TestClient) -> None:
    found = api.get("/bots/library/export")
    assert found.status_code == 200
    assert found.headers["content-type"] == "application/x-ndjson"
    assert found.headers["content-disposition"] == 'attachment; filename="library-pairs.jsonl"'
    pairs = [json.loads(line) for line in found.text.splitlines()]
    assert {pair["external_id"]: pair["response"] for pair in pairs} == {it["id"]: it["answer"] for it in RECORDS}


def test_a_table_comes_as_csv_and_runs_nothing_in_a_spreadsheet(api: TestClient) -> None:
    found = api.get("/bots/library/export", params={"table": "pairs", "format": "csv"})
    assert found.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    rows = list(csv.DictReader(io.StringIO(found.text, newline="")))
    assert len(rows) == 25
    assert {row["response"][:2] for row in rows} == {"'="}


@pytest.mark.parametrize(("table", "records"), [("pairs", 25), ("relations", 25), ("sources", 25), ("logs", 2)])
def test_every_table_can_be_had(api: TestClient, table: str, records: int) -> None:
    for _ in range(2):
        api.post("/bots/library/ask", json={"question": "What is number 3?"})
    found = api.get("/bots/library/export", params={"table": table})
    assert len(found.text.splitlines()) == records
    header = api.get("/bots/library/export", params={"table": table, "format": "csv"}).text.partition("\r\n")[0]
    assert header.split(",") == list(json.loads(found.text.splitlines()[0]))


def test_an_empty_table_is_empty_and_has_its_header(api: TestClient) -> None:
    since = {"since": "2999-01-01T00:00:00Z"}
    assert (api.get("/bots/library/export", params=since).text, api.get("/bots/library/export").text[:1]) == ("", "{")
    assert api.get("/bots/library/export", params={**since, "format": "csv"}).text.count("\r\n") == 1


def test_what_no_answer_may_contain_is_not_in_it(api: TestClient, world: World) -> None:
    world.put("records.jsonl", "\n".join(json.dumps(record) for record in RECORDS[:3]))
    assert len(api.get("/bots/library/export").text.splitlines()) == 3
    world.remove("records.jsonl")
    assert api.get("/bots/library/export").text == ""


@pytest.mark.parametrize("bound", ["MOST_RECORDS", "MOST_BYTES", "READ_SECONDS"])
def test_what_is_too_large_is_refused_with_the_way_to_have_it(
    api: TestClient, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(small_export, bound, {"MOST_RECORDS": 24, "MOST_BYTES": 2_000, "READ_SECONDS": 1e-9}[bound])
    for form in ("jsonl", "csv"):
        refused = problem(api.get("/bots/library/export", params={"format": form}), 413)
        assert "POST /bots/{bot}/exports" in refused["detail"]


def test_reading_stops_when_there_is_no_more_room(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_export, "MOST_RECORDS", 7)
    monkeypatch.setattr(small_export, "RECORDS_AT_ONCE", 3)
    pages: list[int] = []
    begin = small_export._Body.add

    def counting(body: Any, table: str, records: Any) -> None:
        pages.append(len(records))
        begin(body, table, records)

    monkeypatch.setattr(small_export._Body, "add", counting)
    with pytest.raises(TooLargeError):
        small_export.export_table(world.live_records(), world.refreshed(), "pairs", "jsonl", None)
    assert pages == [3, 3, 3]


def test_what_is_allowed_fits_into_what_a_function_may_answer() -> None:
    assert MOST_BYTES * 4 / 3 + 200_000 < 6_000_000


@pytest.mark.parametrize(
    "parameters", [{"table": "bots"}, {"format": "xlsx"}, {"since": "yesterday"}, {"table": "embeddings"}]
)
def test_a_small_export_that_there_is_not_is_told(fast: TestClient, parameters: dict[str, str]) -> None:
    problem(fast.get("/bots/library/export", params=parameters), 422)


# Large ones


def test_one_is_asked_for_written_listed_and_deleted(api: TestClient, world: World) -> None:
    asked = api.post("/bots/library/exports", json={"format": "csv", "include_embeddings": True})
    assert asked.status_code == 202
    export = asked.json()
    assert (export["state"], export["files"], export["records"]) == ("requested", [], {})
    path = f"/bots/library/exports/{export['export_id']}"
    assert api.get(path).json() == export
    carry_out(world)
    finished = api.get(path).json()
    assert (finished["state"], finished["reason"], finished["missing_embeddings"]) == ("finished", None, 0)
    assert finished["records"] == {"pairs": 25, "relations": 25, "sources": 25, "logs": 0, "embeddings": 25}
    assert [file["name"] for file in finished["files"]] == [
        f"{table}.csv" for table in ("embeddings", "logs", "pairs", "relations", "sources")
    ]
    for file in finished["files"]:
        assert f"/{file['name']}?" in file["url"]
        assert (file["bytes"] > 0, len(file["sha256"])) == (True, 64)
    assert api.get("/bots/library/exports").json() == {"exports": [finished]}
    assert api.delete(path).status_code == 204
    problem(api.get(path), 404)
    problem(api.delete(path), 404)
    assert list(world.backups.list("")) == []


def test_what_is_left_out_is_jsonl_of_everything_without_vectors(api: TestClient, world: World) -> None:
    export = api.post("/bots/library/exports", json={}).json()
    assert (export["format"], export["since"], export["include_embeddings"]) == ("jsonl", None, False)
    carry_out(world)
    (finished,) = api.get("/bots/library/exports").json()["exports"]
    assert "embeddings" not in finished["records"]
    since = api.post("/bots/library/exports", json={"since": finished["as_of"]}).json()["since"]
    assert since == finished["as_of"]


def test_the_newest_is_listed_first(fast: TestClient) -> None:
    ids = [fast.post("/bots/library/exports", json={}).json()["export_id"] for _ in range(3)]
    assert [export["export_id"] for export in fast.get("/bots/library/exports").json()["exports"]] == sorted(
        ids, reverse=True
    )


@pytest.mark.parametrize(
    "body", [{"format": "doc"}, {"since": "yesterday"}, {"bots": "all"}, {"include_embeddings": "perhaps"}, [], None]
)
def test_a_bad_request_is_told(fast: TestClient, body: Any) -> None:
    problem(fast.post("/bots/library/exports", json=body), 422)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_id_that_is_none_or_unknown_is_told(fast: TestClient, method: str) -> None:
    problem(fast.request(method, "/bots/library/exports/no-uuid"), 422)
    problem(fast.request(method, f"/bots/library/exports/{uuid4()}"), 404)


def test_another_bot_s_export_is_not_there(fast: TestClient) -> None:
    fast.post("/bots", json={"slug": "other"})
    export = fast.post("/bots/library/exports", json={}).json()
    for method in ("GET", "DELETE"):
        problem(fast.request(method, f"/bots/other/exports/{export['export_id']}"), 404)
    assert fast.get("/bots/other/exports").json() == {"exports": []}
    assert fast.get(f"/bots/library/exports/{export['export_id']}").json() == export


@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_bot_that_is_not_there_has_none(fast: TestClient, is_deleted: bool) -> None:
    slug = "library" if is_deleted else "nobody"
    if is_deleted:
        fast.delete("/bots/library")
    for method, path in (("GET", "export"), ("POST", "exports"), ("GET", "exports"), ("GET", f"exports/{uuid4()}")):
        problem(fast.request(method, f"/bots/{slug}/{path}", json={} if method == "POST" else None), 404)


def test_one_that_is_damaged_says_so_and_can_be_deleted() -> None:
    world = memory_world()
    with client_of(world, backup_url="file:///backups") as client:
        export_id = client.post("/bots/library/exports", json={}).json()["export_id"]
        world.backups.put(f"exports/{world.bot.bot_id}/{export_id}/request.json", b"{")
        path = f"/bots/library/exports/{export_id}"
        assert "damaged" in problem(client.get(path), 422)["detail"]
        assert client.delete(path).status_code == 204
        problem(client.get(path), 404)


def test_too_many_are_refused(fast: TestClient) -> None:
    for _ in range(50):
        assert fast.post("/bots/library/exports", json={}).status_code == 202
    assert "delete one first" in problem(fast.post("/bots/library/exports", json={}), 409)["detail"]


def test_without_a_place_for_them_the_setting_is_named_and_small_ones_go_on(world: World) -> None:
    with TestClient(create_app(services_of(world)), raise_server_exceptions=False) as client:
        for method in ("POST", "GET"):
            refused = problem(client.request(method, "/bots/library/exports", json={}), 409)
            assert "LOCKSTEP_BACKUP_URL" in refused["detail"]
        assert client.get("/bots/library/export").status_code == 200
