"""Over HTTP: correct and remove single pairs, retry, roll back, change a bot."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from shared.errors import RejectedDocumentError
from tests.api import EventfulBucket, client_of
from tests.worlds import World, memory_world

FAQ = b"id,question,answer,category\nhours,When is it open?,From ten to six.,visit\nprice,What does it cost?,Nine euros.,visit\n"
FOUND = {"source_type": "csv", "language": "en"}  # by its name and its text
BOT = "/bots/library"


@pytest.fixture
def world() -> World:
    return memory_world()


@pytest.fixture
def api(world: World) -> Iterator[TestClient]:
    with client_of(world) as client:
        put(client, FAQ)
        yield client


def put(api: TestClient, content: bytes) -> dict[str, Any]:
    response = api.put(f"{BOT}/documents", params={"name": "faq.csv"}, content=content)
    assert response.status_code in (201, 202), response.text
    document: dict[str, Any] = response.json()["document"]
    return document


def hits(api: TestClient) -> dict[str, dict[str, Any]]:
    found = api.post(f"{BOT}/search", json={"question": "When is it open and what does it cost?"}).json()["hits"]
    return {hit["external_id"]: hit for hit in found}


def pair_of(api: TestClient, external_id: str) -> str:
    return f"{BOT}/pairs/{hits(api)[external_id]['qa_id']}"


def documents(api: TestClient) -> dict[str, dict[str, Any]]:
    return {document["name"]: document for document in api.get(f"{BOT}/documents").json()["documents"]}


# Pairs


def test_a_pair_is_read_as_it_answers(api: TestClient) -> None:
    pair = api.get(pair_of(api, "price")).json()
    assert (pair["question"], pair["answer"], pair["external_id"]) == ("What does it cost?", "Nine euros.", "price")
    assert (pair["metadata"], pair["is_corrected"]) == ({"category": "visit", **FOUND}, False)
    assert pair["source"]["object_path"] == "faq.csv"


def test_a_pair_is_corrected_in_part_and_the_correction_undone(api: TestClient) -> None:
    path = pair_of(api, "price")
    response = api.put(path, json={"answer": "Ten euros.", "tags": ["new"], "metadata": {"shelf": 3}})
    assert response.status_code == 201, response.text
    pair = api.get(path).json()
    assert (pair["question"], pair["answer"], pair["is_corrected"]) == ("What does it cost?", "Ten euros.", True)
    assert pair["metadata"] == {"category": "visit", "tags": ["new"], "shelf": 3, **FOUND}
    assert hits(api)["price"]["passage"] == "Ten euros."
    assert pair["source"]["object_path"] == "faq.csv"
    assert api.delete(f"{path}/correction", params={"wait": True}).status_code == 204
    assert hits(api)["price"]["passage"] == "Nine euros."
    assert api.delete(f"{path}/correction").status_code == 404


def test_a_second_correction_begins_from_the_document_again(api: TestClient) -> None:
    path = pair_of(api, "price")
    api.put(path, json={"answer": "Ten euros."})
    api.put(path, json={"category": None})
    pair = api.get(path).json()
    assert (pair["answer"], pair["metadata"]) == ("Nine euros.", FOUND)


def test_a_pair_is_deleted_and_comes_back_with_a_later_version_of_its_file(api: TestClient) -> None:
    path = pair_of(api, "price")
    assert api.delete(path).status_code == 200
    assert api.get(path).status_code == api.put(path, json={"answer": "Ten euros."}).status_code == 404
    assert hits(api).keys() == {"hours"}
    assert api.delete(f"{path}/correction").status_code == 204
    put(api, FAQ + b"\n")
    assert hits(api).keys() == {"hours", "price"}


def test_a_correction_of_content_that_has_changed_is_refused_by_ingest(world: World, api: TestClient) -> None:
    path = pair_of(api, "price")
    bucket = world.objects
    assert isinstance(bucket, EventfulBucket)
    tell, bucket.tell = bucket.tell, lambda key: None  # ingest is late
    api.put(path, json={"answer": "Ten euros."})
    bucket.tell = tell
    put(api, FAQ.replace(b"Nine", b"Twelve"))
    (correction,) = [key for key in bucket.contents if ".corrections" in key]
    tell(correction)
    assert hits(api)["price"]["passage"] == "Twelve euros."
    (document,) = [d for name, d in documents(api).items() if name.startswith(".corrections/")]
    assert document["state"] == "rejected" and "has changed" in document["reason"]


@pytest.mark.parametrize(
    "body",
    [{}, {"answer": ""}, {"answer": None}, {"question": None}, {"base": "x"}, {"removed": True}, {"tags": [""]}],
)
def test_a_correction_that_says_nothing_or_nonsense_is_refused(api: TestClient, body: dict[str, Any]) -> None:
    path = pair_of(api, "price")
    assert api.put(path, json=body).status_code == 422
    assert api.get(path).json()["is_corrected"] is False


def test_a_pair_that_is_not_there_cannot_be_read_corrected_or_removed(api: TestClient) -> None:
    path = f"{BOT}/pairs/{uuid4()}"
    assert api.get(path).status_code == api.put(path, json={"answer": "x"}).status_code == 404
    assert api.delete(path).status_code == api.delete(f"{path}/correction").status_code == 404


def test_nobody_uploads_a_correction_under_a_name_of_his_own(api: TestClient) -> None:
    response = api.put(f"{BOT}/documents", params={"name": f".corrections/{uuid4()}.json"}, content=b"{}")
    assert response.status_code == 422


# Retry and rollback


def test_a_rejected_document_is_looked_at_again(world: World, api: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RejectedDocumentError("This parser cannot read it.")

    with monkeypatch.context() as old_parser:
        old_parser.setattr("functions.ingest.pipeline.parse", refuse)
        document = put(api, FAQ.replace(b"Nine", b"Ten"))
    assert document["state"] == "rejected"
    reopened = api.post(f"{BOT}/documents/{document['document_id']}/retry")
    assert reopened.status_code == 202
    assert (reopened.json()["passages"], reopened.json()["is_looked_at_again"]) == (0, True)
    assert world.hints.keys == ["library/faq.csv"]
    assert world.hints.syncs == 1
    world.ingest("faq.csv")
    assert hits(api)["price"]["passage"] == "Ten euros."


def test_a_document_is_rolled_back_at_once(world: World, api: TestClient) -> None:
    put(api, FAQ)
    document = put(api, FAQ.replace(b"Nine", b"Ten"))
    path = f"{BOT}/documents/{document['document_id']}"
    rolled_back = api.post(f"{path}/rollback")
    assert rolled_back.status_code == 200
    assert rolled_back.json()["state"] == "live"
    assert rolled_back.json()["version"] == document["version"]  # the newest that was seen
    assert hits(api)["price"]["passage"] == "Nine euros."
    generations = api.get(f"{path}/generations").json()["generations"]
    assert [(g["generation"], g["state"], g["pairs"], g["passages"]) for g in generations] == [
        (3, "live", 2, 2),
        (2, "kept", 2, 2),
    ]
    assert generations[0]["version"] != generations[1]["version"]
    assert world.hints.syncs == 1


def test_without_a_kept_generation_a_rollback_is_a_conflict(api: TestClient) -> None:
    (document,) = documents(api).values()
    response = api.post(f"{BOT}/documents/{document['document_id']}/rollback")
    assert response.status_code == 409
    assert "kept" in response.json()["detail"]
    for path in (f"{uuid4()}/rollback", f"{uuid4()}/retry"):
        assert api.post(f"{BOT}/documents/{path}").status_code == 404
    assert api.get(f"{BOT}/documents/{uuid4()}/generations").status_code == 404


# Consistency


def test_a_bot_is_changed_in_part(api: TestClient) -> None:
    changed = api.patch(BOT, json={"name": "The library", "kept_generations": 3}).json()
    assert (changed["name"], changed["settings"]["kept_generations"]) == ("The library", 3)
    assert changed["settings"]["consistency"] == "eventual"
    changed = api.patch(BOT, json={"consistency": "strong", "columns": {"question": "Frage"}}).json()
    assert changed == api.get(BOT).json()
    assert changed["settings"] == {
        "consistency": "strong",
        "kept_generations": 3,
        "columns": {"question": "Frage"},
        "recency_half_life_days": 0.0,
    }
    assert api.patch(BOT, json={"recency_half_life_days": 365}).json()["settings"]["recency_half_life_days"] == 365
    half_lives = ({"recency_half_life_days": days} for days in (-1, 1e9, "a year"))
    for wrong in ({"consistency": "weak"}, {"kept_generations": 11}, {"slug": "other"}, *half_lives):
        assert api.patch(BOT, json=wrong).status_code == 422
    assert api.patch("/bots/nobody", json={"name": "x"}).status_code == 404


def test_a_strong_bot_answers_a_write_after_the_flip_and_an_eventual_one_before(
    world: World, api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = world.objects
    assert isinstance(bucket, EventfulBucket)
    ingest, waits = bucket.tell, threading.Event()
    told: list[str] = []
    bucket.tell = told.append  # ingest comes later: when somebody waits for it

    def sleep(seconds: float) -> None:
        waits.set()
        while told:
            ingest(told.pop())

    monkeypatch.setattr("functions.query.waiting.time.sleep", sleep)
    path = pair_of(api, "price")
    for consistency, is_done in (("eventual", False), ("strong", True)):
        api.patch(BOT, json={"consistency": consistency})
        waits.clear()
        written = api.put(f"{BOT}/documents", params={"name": f"{consistency}.txt"}, content=b"Some text.").json()
        corrected = api.put(path, json={"answer": f"{consistency} euros."}).json()
        assert (written["is_done"], corrected["is_done"], waits.is_set()) == (is_done, is_done, is_done)
        assert (hits(api)["price"]["passage"] == f"{consistency} euros.") is is_done
