"""The HTTP API from outside: over twins and over real stores."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from shared.domain import Collection
from shared.errors import CircuitOpenError, StoreUnavailableError
from tests.api import client_of
from tests.worlds import World, memory_world

PAIR = {"id": "hours", "question": "When is it open?", "answer": "From ten to six.", "category": "visit", "floor": 2}


@pytest.fixture
def api(world: World) -> Iterator[TestClient]:
    with client_of(world) as client:
        yield client


@pytest.fixture
def twins() -> World:
    return memory_world()


@pytest.fixture
def fast(twins: World) -> Iterator[TestClient]:
    """Over twins only, for what does not reach the stores."""
    with client_of(twins) as client:
        yield client


def problem(response: Any, status: int) -> dict[str, Any]:
    """The problem document of a response that must have that status."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = response.json()
    assert found["status"] == status
    assert found["title"]
    assert found["detail"]
    return found


# Bots


def test_a_bot_is_created_listed_fetched_and_deleted(api: TestClient) -> None:
    created = api.post("/bots", json={"slug": "care", "name": "Care", "settings": {"kept_generations": 2}})
    assert created.status_code == 201
    assert created.json()["settings"] == {
        "consistency": "eventual",
        "kept_generations": 2,
        "columns": {},
        "recency_half_life_days": 0.0,
    }
    assert [bot["slug"] for bot in api.get("/bots").json()["bots"]] == ["care", "library"]
    assert api.get("/bots/care").json() == created.json()
    assert api.delete("/bots/care").status_code == 202
    problem(api.get("/bots/care"), 404)
    problem(api.post("/bots", json={"slug": "care"}), 409)


@pytest.mark.parametrize("slug", ["", "With Capitals", "ü", "a/b", "../x", "a" * 64, None, 3])
def test_a_bad_slug_is_a_clear_error(fast: TestClient, slug: object) -> None:
    problem(fast.post("/bots", json={"slug": slug}), 422)


# Documents


def test_a_file_is_uploaded_searched_asked_about_and_deleted(api: TestClient) -> None:
    text = "# Hours\n\nThe library opens at ten and closes at six.\n"
    uploaded = api.post("/bots/library/documents", files={"file": ("hours.md", text)}, params={"wait": True})
    assert uploaded.status_code == 201
    document = uploaded.json()["document"]
    assert (document["name"], document["state"], document["is_answering"]) == ("hours.md", "live", True)

    found = api.post("/bots/library/search", json={"question": "When does the library open?"})
    (hit,) = found.json()["hits"]
    assert (hit["rank"], hit["question"], hit["source"]["object_path"]) == (1, "Hours", "hours.md")
    assert found.json()["is_complete"]
    assert "hydrate;dur=" in found.headers["server-timing"]

    answer = api.post("/bots/library/ask", json={"question": "The library opens at?", "user_id": "u"}).json()
    assert "opens at ten" in answer["answer"]
    assert answer["citations"][0]["source"]["name"] == "hours.md"
    assert answer["answer"] == " ".join(f"{quote} [1]" for quote in answer["citations"][0]["quotes"])
    assert answer["writer"] == "extractive"
    feedback = {"query_id": answer["query_id"], "feedback": "up", "comment": "thanks"}
    assert api.post("/bots/library/feedback", json=feedback).status_code == 204

    assert api.get(f"/bots/library/documents/{document['document_id']}").json() == document
    deleted = api.delete(f"/bots/library/documents/{document['document_id']}", params={"wait": True})
    assert (deleted.status_code, deleted.json()) == (200, {"document": document, "is_done": True})
    problem(api.get(f"/bots/library/documents/{document['document_id']}"), 404)
    assert api.post("/bots/library/search", json={"question": "When does the library open?"}).json()["hits"] == []
    (receipt,) = api.get("/bots/library/receipts").json()["receipts"]
    assert (receipt["kind"], receipt["object_path"], receipt["state"]) == ("document", "hours.md", "provisional")
    assert (receipt["bot"], receipt["counts"]["index"]["rows"], receipt["counts"]["scrubbed_logs"]) == ("library", 1, 1)
    assert api.get(f"/receipts/{receipt['receipt_id']}").json() == receipt
    assert api.get("/receipts").json()["receipts"] == [receipt]


@pytest.mark.parametrize(
    "name",
    ["a b.txt", "a+b.txt", "100%.txt", 'it\'s "quoted".txt', "한국어 문서.txt", "Böbrek/ağrı.txt", "a&b=c#d?.txt"],
)
def test_names_of_all_kinds_come_back_as_they_were(api: TestClient, name: str) -> None:
    put = api.put("/bots/library/documents", params={"name": name, "wait": True}, content="Some text.")
    assert put.status_code == 201
    assert put.json()["name"] == name
    (listed,) = api.get("/bots/library/documents", params={"name": name}).json()["documents"]
    assert (listed["name"], listed["state"]) == (name, "live")


@pytest.mark.parametrize("name", ["../x", ".hidden", "a//b", "a/../b", "a\x07b", "x" * 300, "/", "a/.b"])
def test_a_name_that_could_leave_its_place_is_refused(fast: TestClient, name: str) -> None:
    problem(fast.put("/bots/library/documents", params={"name": name}, content="x"), 422)


def test_pairs_are_inserted_singly_and_in_batches(api: TestClient) -> None:
    single = api.post("/bots/library/pairs", json=PAIR, params={"wait": True})
    assert single.json()["name"] == "pairs/hours.json"
    pairs = [{"id": str(n), "question": f"What is number {n}?", "answer": f"It is {n}."} for n in range(20)]
    batch = api.post("/bots/library/pairs/batch", json={"name": "numbers", "pairs": pairs}, params={"wait": True})
    assert batch.json()["document"]["pairs"] == 20
    body: dict[str, Any] = {
        "question": "When is it open?",
        "filters": {"metadata": {"floor": 2}, "category": ["visit"]},
    }
    (hit,) = api.post("/bots/library/search", json=body).json()["hits"]
    assert hit["external_id"] == "hours"
    assert hit["metadata"] == {"category": "visit", "floor": 2, "language": "en"}
    everything = api.post("/bots/library/search", json=body | {"filters": None, "top_k": 100}).json()["hits"]
    assert len(everything) == 21
    assert not api.post("/bots/library/ask", json=body | {"filters": None}).json()["abstained"]


def test_the_same_id_replaces_the_pair(api: TestClient) -> None:
    for answer in ("From ten to six.", "From nine to five."):
        api.post("/bots/library/pairs", json=PAIR | {"answer": answer}, params={"wait": True})
    hits = api.post("/bots/library/search", json={"question": "When is it open?"}).json()["hits"]
    assert [hit["passage"] for hit in hits] == ["From nine to five."]


def test_a_pair_that_was_inserted_singly_is_deleted(fast: TestClient) -> None:
    fast.post("/bots/library/pairs", json=PAIR, params={"wait": True})
    (hit,) = fast.post("/bots/library/search", json={"question": "When is it open?"}).json()["hits"]
    deleted = fast.delete(f"/bots/library/pairs/{hit['qa_id']}")
    assert (deleted.status_code, deleted.json()["is_done"]) == (200, True)
    assert fast.post("/bots/library/search", json={"question": "When is it open?"}).json()["hits"] == []
    (receipt,) = fast.get("/bots/library/receipts").json()["receipts"]
    assert receipt["object_path"] == "pairs/hours.json"
    problem(fast.delete(f"/bots/library/pairs/{hit['qa_id']}"), 404)


def test_a_pair_that_stands_with_others_in_a_file_is_deleted_and_stays_so(fast: TestClient) -> None:
    pairs: list[dict[str, Any]] = [PAIR, {"id": "price", "question": "What does it cost?", "answer": "Nine euros."}]
    batch = {"name": "faq", "pairs": pairs}
    fast.post("/bots/library/pairs/batch", json=batch, params={"wait": True})
    hit, *_ = fast.post("/bots/library/search", json={"question": "When is it open?"}).json()["hits"]
    deleted = fast.delete(f"/bots/library/pairs/{hit['qa_id']}")
    assert (deleted.status_code, deleted.json()["is_done"], deleted.json()["document"]["name"]) == (
        200,
        True,
        "pairs/faq.jsonl",
    )

    def answers() -> set[str]:
        hits = fast.post("/bots/library/search", json={"question": "When is it open?"}).json()["hits"]
        return {hit["external_id"] for hit in hits}

    assert answers() == {"price"}
    pairs[1]["answer"] = "Ten euros."
    fast.post("/bots/library/pairs/batch", json=batch, params={"wait": True})
    assert answers() == {"price"}
    pairs[0] = PAIR | {"answer": "At night."}
    fast.post("/bots/library/pairs/batch", json=batch, params={"wait": True})
    assert answers() == {"price", PAIR["id"]}


def test_a_delete_that_ingest_has_not_seen_yet_is_accepted_and_no_more(
    fast: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = fast.post("/bots/library/pairs", json=PAIR, params={"wait": True}).json()
    app: Any = fast.app
    monkeypatch.setattr(app.state.services.bucket(), "tell", lambda key: None)
    deleted = fast.delete(f"/bots/library/documents/{written['document']['document_id']}")
    assert (deleted.status_code, deleted.json()["is_done"]) == (202, False)


def test_receipts_of_a_bot_that_never_was_are_not_found(fast: TestClient) -> None:
    problem(fast.get("/receipts", params={"bot": "nobody"}), 404)
    problem(fast.get(f"/receipts/{uuid4()}"), 404)
    assert fast.get("/receipts").json() == {"receipts": []}


def test_a_rejected_file_says_why(api: TestClient) -> None:
    put = api.put("/bots/library/documents", params={"name": "broken.pdf", "wait": True}, content=b"no pdf at all")
    document = put.json()["document"]
    assert document["state"] == "rejected"
    assert "PDF" in document["reason"]
    rejected = api.get("/bots/library/documents", params={"state": "rejected"}).json()["documents"]
    assert [found["name"] for found in rejected] == ["broken.pdf"]


def test_a_listing_is_paged(api: TestClient) -> None:
    for number in range(5):
        api.put("/bots/library/documents", params={"name": f"{number}.txt", "wait": True}, content=f"Text {number}")
    first = api.get("/bots/library/documents", params={"limit": 3}).json()
    second = api.get("/bots/library/documents", params={"limit": 3, "after": first["next_after"]}).json()
    assert [d["name"] for d in first["documents"] + second["documents"]] == [f"{n}.txt" for n in range(5)]
    assert second["next_after"] is None


def test_a_bot_that_is_strong_answers_after_the_flip(api: TestClient) -> None:
    api.post("/bots", json={"slug": "strong", "settings": {"consistency": "strong"}})
    put = api.put("/bots/strong/documents", params={"name": "a.txt"}, content="Some text.")
    assert (put.status_code, put.json()["is_done"]) == (201, True)


def test_more_than_four_megabytes_are_sent_elsewhere(fast: TestClient) -> None:
    found = problem(fast.put("/bots/library/documents", params={"name": "big.txt"}, content=b"x" * 4_000_001), 413)
    assert "/uploads" in found["detail"]
    found = problem(fast.put("/bots/library/documents", params={"name": "big.txt"}, content=b"x" * 5_000_000), 413)
    assert "/uploads" in found["detail"]
    presigned = fast.post("/bots/library/uploads", json={"name": "big.txt", "size": 5_000_000})
    assert (presigned.status_code, presigned.json()["method"]) == (201, "PUT")
    problem(fast.post("/bots/library/uploads", json={"name": "big.txt", "size": 10**12}), 413)


def test_nothing_is_not_a_document(fast: TestClient) -> None:
    problem(fast.put("/bots/library/documents", params={"name": "a.txt"}, content=b""), 422)
    problem(fast.post("/bots/library/pairs/batch", json={"pairs": []}), 422)


# Questions


def test_a_new_bot_finds_nothing_yet(api: TestClient) -> None:
    api.post("/bots", json={"slug": "empty"})
    found = api.post("/bots/empty/search", json={"question": "Anything?"}).json()
    assert found == {"hits": [], "is_complete": True, "dropped": 0}


def test_no_evidence_is_an_abstention_and_is_logged(api: TestClient) -> None:
    answer = api.post("/bots/library/ask", json={"question": "Who won the cup in 1998?"}).json()
    assert answer["abstained"]
    assert answer["citations"] == []
    assert (
        api.post("/bots/library/feedback", json={"query_id": answer["query_id"], "feedback": "none"}).status_code == 204
    )


@pytest.mark.parametrize("question", ["?!", "…", "🤔🤔", "\u200b\u200d", "👩\u200d⚕️", "-- ()"])
def test_a_question_without_words_finds_nothing(fast: TestClient, question: str) -> None:
    fast.post("/bots/library/pairs", json=PAIR, params={"wait": True})
    found = fast.post("/bots/library/search", json={"question": question}).json()
    assert (found["hits"], found["is_complete"], found["dropped"]) == ([], True, 0)
    answer = fast.post("/bots/library/ask", json={"question": question}).json()
    assert (answer["abstained"], answer["citations"]) == (True, [])
    assert (
        fast.post("/bots/library/feedback", json={"query_id": answer["query_id"], "feedback": "down"}).status_code
        == 204
    )
    assert fast.post("/bots/library/graph/walk", json={"question": question}).json()["nodes"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"question": ""},
        {"question": "   "},
        {"question": "x" * 8_001},
        {"question": "x", "top_k": 0},
        {"question": "x", "top_k": 101},
        {"question": "x", "filters": {"colour": ["red"]}},
        {"question": "x", "filters": {"category": "kidney"}},
        {"question": "x", "filters": {"category": []}},
        {"question": "x", "filters": {"document_id": ["1 or 1=1"]}},
        {"question": "x", "filters": {"published_from": "yesterday"}},
        {"question": "x", "filters": {"metadata": {}}},
        {"question": "x", "filters": {"must": {"colour": ["red"]}}},
        {"question": "x", "filters": {"must_not": {"category": "kidney"}}},
        {"question": "x", "filters": {"should": {"must": {"category": ["kidney"]}}}},
        {"question": "x", "filters": {"should": []}},
        {"question": "x", "filters": {"must": {"category": ["a"]}, "language": ["en"]}},
        {"question": "x", "filters": {"metadata": {"colour": []}}},
        {"question": "x", "filters": {"metadata": {"colour": ["red"] * 101}}},
        {"question": ["x"]},
        {"question": "x", "without": "graph"},
        {"question": "x", "without": ["words"]},
        {"question": "x", "without": ["question", "response", "combined", "lexical", "graph"]},
        {"question": "x", "without": ["graph"] * 1_000},
        {"question": "x", "without": None},
        {"question": "x", "explain": "in detail"},
        {"question": "x", "diversity": 1.01},
        {"question": "x", "diversity": -0.1},
        {"question": "x", "diversity": "much"},
        [],
    ],
)
def test_a_bad_question_is_a_clear_error(fast: TestClient, body: object) -> None:
    found = problem(fast.post("/bots/library/search", json=body), 422)
    assert found["errors"]


@pytest.mark.parametrize("filters", [{"colour": ["red"]}, {"must_not": {"colour": ["red"]}}])
def test_an_unknown_field_of_a_filter_is_told_which_there_are(fast: TestClient, filters: object) -> None:
    found = problem(fast.post("/bots/library/search", json={"question": "x", "filters": filters}), 422)
    (error,) = found["errors"]
    assert "no field colour" in error["message"]
    for known in ("category", "published_from", "difficulty", "document_id", "tags", "metadata"):
        assert known in error["message"]


def test_a_filter_says_what_must_be_what_must_not_and_what_should(api: TestClient) -> None:
    for id_, floor, category in (
        ("low", 1, "visit"),
        ("high", 9, "visit"),
        ("none", None, "visit"),
        ("else", 1, "shop"),
    ):
        pair: dict[str, Any] = {"id": id_, "question": "When is it open?", "answer": f"At {id_}.", "category": category}
        pair |= {} if floor is None else {"floor": floor}
        api.post("/bots/library/pairs", json=pair, params={"wait": True})

    def found(**filters: object) -> set[str]:
        body = {"question": "When is it open?", "filters": filters}
        hits = api.post("/bots/library/search", json=body).json()["hits"]
        return {hit["external_id"] for hit in hits}

    assert found(must={"category": ["visit"]}) == found(category=["visit"]) == {"low", "high", "none"}
    assert found(must={"category": ["visit"]}, must_not={"metadata": {"floor": [8, 9]}}) == {"low", "none"}
    assert found(must_not={"category": ["visit"]}) == {"else"}
    assert found(must={"metadata": {"floor": [1, 2]}}, should={"category": ["nowhere"]}) == {"low", "else"}
    assert found(must={"metadata": {"roof": 1}}) == set()
    assert found(must_not={"metadata": {"roof": 1}}) == {"low", "high", "none", "else"}
    assert found(must={}, must_not={}, should={}) == {"low", "high", "none", "else"}


def test_leaving_out_every_signal_says_what_to_do(fast: TestClient) -> None:
    body = {"question": "x", "without": ["question", "response", "combined", "lexical", "graph"]}
    found = problem(fast.post("/bots/library/search", json=body), 422)
    assert "leave out fewer signals" in json.dumps(found)
    found = problem(fast.post("/bots/library/search", json={"question": "x", "without": ["words"]}), 422)
    assert "'question', 'response', 'combined', 'lexical' or 'graph'" in json.dumps(found)


# What each signal is worth

SIGNALS = {"question", "response", "combined", "lexical", "graph"}
PEOPLE = [
    {"id": "ada", "title": "Ada Lovelace", "text": "The daughter of Lord Byron."},
    {"id": "byron", "title": "Lord Byron", "text": "A poet who died in Missolonghi."},
]
DAUGHTER = "Who was the father of Ada Lovelace?"


@pytest.fixture
def people(api: TestClient) -> TestClient:
    content = "\n".join(map(json.dumps, PEOPLE))
    api.put("/bots/library/documents", params={"name": "people.jsonl", "wait": True}, content=content)
    return api


def found_by(api: TestClient, **body: object) -> dict[str, Any]:
    response = api.post("/bots/library/search", json={"question": DAUGHTER, **body})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_every_signals_part_in_a_score_is_explained(people: TestClient) -> None:
    found = found_by(people, explain=True)
    assert [hit["external_id"] for hit in found["hits"]] == ["ada", "byron"]
    for hit in found["hits"]:
        parts = hit["parts"]
        assert sum(part["added"] for part in parts) == pytest.approx(hit["score"])
        assert {part["signal"]: part["score"] for part in parts} == hit["signals"]
        assert [part["added"] for part in parts] == sorted((part["added"] for part in parts), reverse=True)
        assert all(1 <= part["rank"] <= 2 for part in parts)
    assert {part["signal"] for part in found["hits"][0]["parts"]} == SIGNALS
    unexplained = found_by(people)["hits"]
    assert [hit["parts"] for hit in unexplained] == [None, None]
    assert [hit["score"] for hit in unexplained] == [hit["score"] for hit in found["hits"]]


@pytest.mark.parametrize("signal", sorted(SIGNALS))
def test_a_signal_that_is_left_out_adds_nothing_and_is_not_asked(people: TestClient, signal: str) -> None:
    found = found_by(people, without=[signal], explain=True)
    assert found["is_complete"]
    told = {part["signal"] for hit in found["hits"] for part in hit["parts"]}
    assert told == SIGNALS - {signal}


@pytest.mark.parametrize(
    ("left", "timed"),
    [
        ("lexical", {"bot", "lexical", "hydrate"}),
        ("response", {"bot", "embed", "index", "hydrate"}),
        ("graph", {"bot", "graph", "hydrate"}),
    ],
)
def test_one_signal_alone_finds_and_nothing_else_is_asked(people: TestClient, left: str, timed: set[str]) -> None:
    body = {"question": DAUGHTER, "without": sorted(SIGNALS - {left})}
    response = people.post("/bots/library/search", json=body)
    found = response.json()
    assert found["is_complete"] and found["hits"]
    assert {signal for hit in found["hits"] for signal in hit["signals"]} == {left}
    assert {part.split(";")[0] for part in response.headers["server-timing"].split(", ")} == timed


def test_malformed_json_is_a_clear_error(fast: TestClient) -> None:
    headers = {"content-type": "application/json"}
    problem(fast.post("/bots/library/search", content='{"question": "x"', headers=headers), 422)


@pytest.mark.parametrize(
    "question",
    [
        "'; drop table bots; --",
        '" or bot_id != "',
        "a & b | !c:*",
        "%_%",
        "\\",
        "?",
        "soru?",
        "질문",
        "😀",
        "x " * 3_900,
    ],
)
def test_hostile_and_odd_questions_have_sensible_results(api: TestClient, question: str) -> None:
    api.post("/bots/library/pairs", json=PAIR, params={"wait": True})
    assert api.post("/bots/library/search", json={"question": question}).status_code == 200
    assert api.post("/bots/library/ask", json={"question": question}).status_code == 200


@pytest.mark.parametrize("value", ['" or bot_id != "', "'; drop table qa_pairs; --", "%", "\\", "한국어", "a" * 500])
def test_hostile_filter_values_match_nothing(api: TestClient, value: str) -> None:
    api.post("/bots/library/pairs", json=PAIR, params={"wait": True})
    for filters in ({"category": [value]}, {"tags": [value]}, {"external_id": [value]}, {"metadata": {value: value}}):
        found = api.post("/bots/library/search", json={"question": "open", "filters": filters})
        assert found.json()["hits"] == []


@pytest.mark.parametrize("value", ["\x00", "\x01", "\ud800"])
def test_characters_that_no_store_holds_are_refused_in_filters(fast: TestClient, value: str) -> None:
    body = json.dumps({"question": "open", "filters": {"category": [f"a{value}"]}})
    problem(fast.post("/bots/library/search", content=body, headers={"content-type": "application/json"}), 422)


def test_control_characters_in_a_question_count_as_spaces(api: TestClient) -> None:
    api.post("/bots/library/pairs", json=PAIR, params={"wait": True})
    (hit,) = api.post("/bots/library/search", json={"question": "When\x00is\x01it open?"}).json()["hits"]
    assert hit["external_id"] == "hours"


def test_an_unknown_bot_document_or_path_is_not_found(fast: TestClient) -> None:
    problem(fast.post("/bots/nobody/search", json={"question": "x"}), 404)
    problem(fast.get(f"/bots/library/documents/{uuid4()}"), 404)
    problem(fast.get("/bots/library/documents/not-an-id"), 422)
    found = problem(fast.get("/no/such/path"), 404)
    assert "/docs" in found["detail"]
    problem(fast.patch("/bots"), 405)


def test_one_bots_document_is_not_anothers(fast: TestClient) -> None:
    put = fast.put("/bots/library/documents", params={"name": "a.txt", "wait": True}, content="Some text.")
    fast.post("/bots", json={"slug": "other"})
    document_id = put.json()["document"]["document_id"]
    problem(fast.get(f"/bots/other/documents/{document_id}"), 404)
    problem(fast.delete(f"/bots/other/documents/{document_id}"), 404)
    hits = fast.post("/bots/other/search", json={"question": "text", "filters": {"document_id": [document_id]}})
    assert hits.json()["hits"] == []


# The door


def test_a_key_is_asked_for_when_one_is_set(twins: World) -> None:
    with client_of(twins, api_key="sesame") as client:
        problem(client.get("/bots"), 401)
        problem(client.get("/bots", headers={"X-API-Key": "wrong"}), 401)
        assert client.get("/bots", headers={"X-API-Key": "sesame"}).status_code == 200
        assert client.get("/bots", headers={"Authorization": "Bearer sesame"}).status_code == 200
        assert client.get("/health").status_code == 200
        problem(client.get("/ready"), 401)


def test_other_hosts_and_origins_are_refused(twins: World) -> None:
    with client_of(twins, allowed_hosts="127.0.0.1,localhost", allowed_origins="http://127.0.0.1:8000") as client:
        problem(client.get("/bots", headers={"Host": "evil.example"}), 421)
        problem(client.get("/bots", headers={"Host": "127.0.0.1:8000", "Origin": "http://evil.example"}), 403)
        same = {"Host": "127.0.0.1:8000", "Origin": "http://127.0.0.1:8000"}
        assert client.get("/bots", headers=same).status_code == 200


def test_ready_tells_which_part_does_not_answer(
    fast: TestClient, twins: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fast.get("/ready").json() == {"is_ready": True, "parts": {"catalog": "ok", "index": "ok", "model": "ok"}}

    def away(collections: Sequence[Collection]) -> None:
        assert collections == twins.registry.collections()
        raise StoreUnavailableError("The index did not answer.")

    monkeypatch.setattr(twins.index, "ping", away)
    response = fast.get("/ready")
    assert response.status_code == 503
    assert response.json()["parts"]["index"] == "StoreUnavailableError: The index did not answer."


def test_an_open_circuit_says_when_to_come_back(
    fast: TestClient, twins: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_open(*_: object) -> None:
        raise CircuitOpenError(retry_after_seconds=7.2)

    monkeypatch.setattr(twins.reading, "hydrate", is_open)
    fast.post("/bots/library/pairs", json=PAIR, params={"wait": True})
    response = fast.post("/bots/library/search", json={"question": "When is it open?"})
    problem(response, 503)
    assert response.headers["retry-after"] == "8"


def test_a_surprise_shows_nothing_of_the_inside(
    fast: TestClient, twins: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(twins.registry, "bots", fail)
    found = problem(fast.get("/bots"), 500)
    assert "secret" not in json.dumps(found)


def test_the_documentation_needs_no_internet(fast: TestClient) -> None:
    page = fast.get("/docs").text
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    for file in ("docs/swagger-ui-bundle.js", "docs/swagger-ui.css", "openapi.json"):
        assert file in page
        assert fast.get(f"/{file}").status_code == 200
    problem(fast.get("/docs/../settings.py"), 404)
    problem(fast.get("/docs/redoc.standalone.js"), 404)
