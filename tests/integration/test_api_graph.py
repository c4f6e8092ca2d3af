"""The graph over HTTP: what a pair is connected with, and walks; over twins and over real stores."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from tests.api import client_of
from tests.worlds import World

RECORDS = "\n".join(
    json.dumps(record)
    for record in (
        {"id": "ada", "title": "Ada Lovelace", "text": "The daughter of Lord Byron.", "related": ["engine"]},
        {"id": "byron", "title": "Lord Byron", "text": "A poet who died in Missolonghi."},
        {"id": "town", "title": "Missolonghi", "text": "A town by a lagoon."},
        {"id": "engine", "title": "Analytical engine", "text": "It was never built."},
        {"id": "alone", "title": "Something else", "text": "Nobody speaks of it."},
    )
)
LIBRARY = "/bots/library"


@pytest.fixture
def api(world: World) -> Iterator[TestClient]:
    with client_of(world) as client:
        client.put(f"{LIBRARY}/documents", params={"name": "people.jsonl", "wait": True}, content=RECORDS)
        yield client


def pair(api: TestClient, name: str) -> str:
    hits = api.post(f"{LIBRARY}/search", json={"question": name, "top_k": 5}).json()["hits"]
    return next(str(hit["qa_id"]) for hit in hits if hit["question"] == name)


def names(found: dict[str, Any]) -> list[str]:
    return [node["question"] for node in found["nodes"]]


def test_a_pair_tells_what_it_is_connected_with_and_how(api: TestClient) -> None:
    ada, byron, engine = (pair(api, name) for name in ("Ada Lovelace", "Lord Byron", "Analytical engine"))
    found = api.get(f"{LIBRARY}/pairs/{ada}/related").json()
    assert set(names(found)) == {"Lord Byron", "Analytical engine"}
    assert [node["rank"] for node in found["nodes"]] == [1, 2]
    assert found["nodes"][0]["source"]["name"] == "people.jsonl"
    edges = {(edge["source"], edge["target"], edge["type"], edge["name"]) for edge in found["edges"]}
    assert edges == {(ada, byron, "mentions", "Lord Byron"), (ada, engine, "related", None)}
    assert all(0 < edge["confidence"] <= 1 for edge in found["edges"])

    further = api.get(f"{LIBRARY}/pairs/{ada}/related", params={"hops": 2}).json()
    assert "Missolonghi" in names(further)
    assert len(api.get(f"{LIBRARY}/pairs/{ada}/related", params={"limit": 1}).json()["nodes"]) == 1
    lonely = api.get(f"{LIBRARY}/pairs/{pair(api, 'Something else')}/related").json()
    assert lonely == {"nodes": [], "edges": []}


def test_pairs_whose_questions_are_alike_are_connected(api: TestClient, world: World) -> None:
    engine = pair(api, "Analytical engine")
    again = json.dumps({"id": "again", "question": "Engine, analytical", "answer": "Somebody drew it."})
    api.put(f"{LIBRARY}/documents", params={"name": "again.jsonl", "wait": True}, content=again)
    assert names(api.get(f"{LIBRARY}/pairs/{engine}/related").json()) == ["Ada Lovelace"]
    world.compare()
    found = api.get(f"{LIBRARY}/pairs/{engine}/related").json()
    assert set(names(found)) == {"Ada Lovelace", "Engine, analytical"}
    alike = [edge for edge in found["edges"] if edge["type"] == "similar"]
    other = pair(api, "Engine, analytical")
    assert {(edge["source"], edge["target"]) for edge in alike} == {(engine, other), (other, engine)}
    assert all(0.95 <= edge["confidence"] <= 1 for edge in alike)


def test_a_record_of_another_document_is_connected_by_its_id(api: TestClient) -> None:
    notes = json.dumps(
        {"id": "notes", "title": "Notes", "text": "On a machine.", "related": [{"id": "engine", "type": "on"}]}
    )
    api.put(f"{LIBRARY}/documents", params={"name": "notes.jsonl", "wait": True}, content=notes)
    note, engine = pair(api, "Notes"), pair(api, "Analytical engine")
    found = api.get(f"{LIBRARY}/pairs/{note}/related").json()
    assert [(edge["source"], edge["target"], edge["type"]) for edge in found["edges"]] == [(note, engine, "on")]
    assert set(names(api.get(f"{LIBRARY}/pairs/{engine}/related").json())) == {"Ada Lovelace", "Notes"}
    kept = "\n".join(line for line in RECORDS.splitlines() if '"id": "engine"' not in line)
    api.put(f"{LIBRARY}/documents", params={"name": "people.jsonl", "wait": True}, content=kept)
    assert api.get(f"{LIBRARY}/pairs/{note}/related").json() == {"nodes": [], "edges": []}


def test_a_walk_starts_from_a_question_or_from_pairs(api: TestClient) -> None:
    asked = api.post(f"{LIBRARY}/graph/walk", json={"question": "Where did the father of Ada Lovelace die?"}).json()
    assert {"Ada Lovelace", "Lord Byron", "Missolonghi"} <= set(names(asked))
    from_pairs = api.post(f"{LIBRARY}/graph/walk", json={"qa_ids": [pair(api, "Missolonghi")], "hops": 1}).json()
    assert names(from_pairs)[0] == "Missolonghi"
    assert "Lord Byron" in names(from_pairs)


def test_what_is_deleted_is_near_nothing_any_more(api: TestClient) -> None:
    ada, byron = pair(api, "Ada Lovelace"), pair(api, "Lord Byron")
    kept = "\n".join(line for line in RECORDS.splitlines() if 'Lord Byron", "text' not in line)
    assert len(kept.splitlines()) == 4
    api.put(f"{LIBRARY}/documents", params={"name": "people.jsonl", "wait": True}, content=kept)
    assert "Lord Byron" not in names(api.get(f"{LIBRARY}/pairs/{ada}/related").json())
    assert api.get(f"{LIBRARY}/pairs/{byron}/related").status_code == 404


def test_a_corrected_pair_is_connected_as_it_answers_now(api: TestClient) -> None:
    ada = pair(api, "Ada Lovelace")
    corrected = {"answer": "She lived in Missolonghi."}
    assert api.put(f"{LIBRARY}/pairs/{ada}", json=corrected, params={"wait": True}).status_code in (200, 201, 202)
    found = api.get(f"{LIBRARY}/pairs/{ada}/related").json()
    assert "Missolonghi" in names(found)
    assert {edge["source"] for edge in found["edges"] if edge["name"] == "Missolonghi"} >= {ada}


@pytest.mark.parametrize("corrected", ["Ada Lovelace", "Analytical engine"])
def test_a_corrected_pair_keeps_the_relations_of_its_record(api: TestClient, corrected: str) -> None:
    ada, engine = pair(api, "Ada Lovelace"), pair(api, "Analytical engine")
    corrected_id = {"Ada Lovelace": ada, "Analytical engine": engine}[corrected]
    api.put(f"{LIBRARY}/pairs/{corrected_id}", json={"answer": "Nobody of note."}, params={"wait": True})
    for qa_id, other in ((ada, "Analytical engine"), (engine, "Ada Lovelace")):
        found = api.get(f"{LIBRARY}/pairs/{qa_id}/related").json()
        assert other in names(found)
        told = {(edge["source"], edge["target"]) for edge in found["edges"] if edge["type"] == "related"}
        assert told == {(ada, engine)}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"question": ""},
        {"question": "x", "qa_ids": [str(uuid4())]},
        {"qa_ids": []},
        {"qa_ids": ["x"]},
        {"question": "x", "hops": 0},
        {"question": "x", "hops": 9},
        {"question": "x", "limit": 1_000},
        {"question": "x", "unknown": 1},
    ],
)
def test_a_walk_from_nowhere_is_a_clear_error(api: TestClient, body: dict[str, Any]) -> None:
    response = api.post(f"{LIBRARY}/graph/walk", json=body)
    assert (response.status_code, response.headers["content-type"]) == (422, "application/problem+json")


def test_unknown_pairs_are_named(api: TestClient) -> None:
    nobody = str(uuid4())
    for response in (
        api.get(f"{LIBRARY}/pairs/{nobody}/related"),
        api.post(f"{LIBRARY}/graph/walk", json={"qa_ids": [pair(api, "Lord Byron"), nobody]}),
    ):
        assert response.status_code == 404
        assert nobody in response.json()["detail"]
    assert api.get("/bots/nobody/pairs/{nobody}/related").status_code in (404, 422)


@pytest.mark.parametrize("question", ["?!…", "x " * 4_000, "' | & <-> :*", "한국어 질문", "Ada Lovelace " * 100])
def test_any_question_can_be_walked_from(api: TestClient, question: str) -> None:
    assert api.post(f"{LIBRARY}/graph/walk", json={"question": question.strip()[:8_000]}).status_code == 200
