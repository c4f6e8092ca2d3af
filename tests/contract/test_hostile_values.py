"""Whatever somebody sends as a value stays a value: in SQL, in the index's expressions, and between requests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from infra.local.milvus import EmbeddedMilvus
from shared.analysis import terms, terms_of_passage, tsquery_of
from shared.domain import Collection, Filter, Metadata, Pair, Passage, Vectors
from shared.errors import InvalidInputError
from shared.milvus import MilvusIndex
from shared.postgres import PostgresClient
from shared.rows import FIELD_BYTES, clip, make_row
from tests.api import client_of
from tests.worlds import World

JSON = {"content-type": "application/json"}
INJECTIONS = [
    '" or 1 == 1 or "',
    '"] or external_id != "',
    '" or bot_id != "',
    "' or '1'='1",
    "'; drop table bots; --",
    "$1",
    ":bot_id",
    "%",
    "_",
    "\\",
    '\\"',
    "\\u0022 or true",
    "{",
    "}}",
    "|",
    "a\nb",
    "\u2028",
    "\u202eabc",
    "한국어",
    "e\u0301",
    "😀",
    "\x7f",
]
# A half surrogate pair is no text; what else Unicode knows is.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
ANY_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=10), inner, max_size=3)
    ),
    max_leaves=6,
)


@pytest.fixture
def client(catalog_url: str) -> Iterator[PostgresClient]:
    made = PostgresClient(catalog_url)
    yield made
    made.close()


@pytest.fixture
def api(world: World) -> Iterator[TestClient]:
    with client_of(world) as made:
        pair = {"id": "hours", "question": "When is it open?", "answer": "From ten to six."}
        assert made.post("/bots/library/pairs", json=pair, params={"wait": True}).status_code == 201
        yield made


# Between requests


def test_a_value_that_cannot_be_sent_leaves_the_next_statement_its_own_answer(client: PostgresClient) -> None:
    def echo(text: str) -> Any:
        return client.transact(lambda tx: tx.value("database_exists", name=text))

    assert echo("postgres")
    for _ in range(3):
        with pytest.raises(InvalidInputError, match="surrogate"):
            echo("\ud800")
        assert not echo("no such database")
        assert echo("postgres")


def test_a_transaction_that_a_surprise_ends_changes_nothing_and_disturbs_nobody(client: PostgresClient) -> None:
    def fail(_: object) -> None:
        raise KeyError("a mistake of ours")

    with pytest.raises(KeyError):
        client.transact(fail)
    assert client.transact(lambda tx: tx.value("ping")) == 1


def test_a_connection_that_is_in_use_while_the_others_are_closed_is_not_used_again(client: PostgresClient) -> None:
    client.transact(lambda tx: client.close())
    assert client.transact(lambda tx: tx.value("ping")) == 1
    assert client.connections == 2


# Through the API


@pytest.mark.parametrize("world", ["real"], indirect=True)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(metadata=st.dictionaries(st.text(st.characters(), min_size=1, max_size=10), ANY_JSON, min_size=1, max_size=3))
@example({"a": "\ud800"})
@example({"a": "\x00"})
@example({"a": {"\x00": 1}})
@example({"a": float("nan")})
@example({"a": float("-inf")})
@example({"a": 10**300})
@example({"a": 1.7976931348623157e308})
@example({"a": json.loads("[" * 60 + "]" * 60)})
def test_any_json_as_a_filter_is_answered_or_refused(api: TestClient, metadata: dict[str, Any]) -> None:
    for part in ("must", "must_not"):
        body = json.dumps({"question": "open?", "filters": {part: {"metadata": metadata}}})
        response = api.post("/bots/library/search", content=body, headers=JSON)
        assert response.status_code in (200, 422), response.text
        if response.status_code == 422:
            assert response.json()["errors"]
        else:
            assert bool(response.json()["hits"]) == (part == "must_not")


@pytest.mark.parametrize("world", ["real"], indirect=True)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(), min_size=1, max_size=60))
@example("'; drop table bots; --")
@example("a & b | !c:*")
@example("\ud800")
@example("\x00")
def test_any_text_as_a_question_is_answered_or_refused(api: TestClient, text: str) -> None:
    for path in ("search", "ask"):
        response = api.post(f"/bots/library/{path}", content=json.dumps({"question": text}), headers=JSON)
        assert response.status_code in (200, 422), response.text


def test_no_value_opens_another_bot(api: TestClient) -> None:
    api.post("/bots", json={"slug": "other"})
    secret = {"id": "secret", "question": "When is it open?", "answer": "The other one never is."}
    theirs = api.post("/bots/other/pairs", json=secret, params={"wait": True}).json()["document"]["document_id"]
    fields = (
        "category",
        "subcategory",
        "source",
        "source_type",
        "author",
        "language",
        "difficulty",
        "external_id",
        "tags",
    )
    filters: list[dict[str, Any]] = [{field: INJECTIONS} for field in fields]
    filters += [{"tags": [text]} for text in INJECTIONS] + [{"metadata": {text: text}} for text in INJECTIONS]
    filters += [{part: chosen} for part in ("must", "must_not", "should") for chosen in filters]
    filters += [{"document_id": [theirs]}, {"external_id": ["secret"]}, {}]
    for chosen in filters:
        body = {"question": "When is the other one open?", "filters": chosen}
        for path in ("search", "ask"):
            response = api.post(f"/bots/library/{path}", json=body)
            assert response.status_code in (200, 422), response.text
            assert "never is" not in response.text
            assert theirs not in response.text
    assert "never is" in api.post("/bots/other/ask", json={"question": "When is it open?"}).text


@pytest.mark.parametrize("world", ["real"], indirect=True)
def test_no_bot_name_no_page_and_no_comment_is_a_surprise(api: TestClient) -> None:
    for odd in ("\x00", "%ED%A0%80", "'; drop table bots; --", "x" * 3_000, "..", "library\x00"):
        assert api.get(f"/bots/{odd.replace(chr(0), '%00')}").status_code == 404
        assert api.get("/bots/library/documents", params={"after": odd}).status_code in (200, 422)
    query_id = api.post("/bots/library/ask", json={"question": "When is it open?"}).json()["query_id"]
    comment = {"query_id": query_id, "feedback": "down", "comment": "not\x00good '; drop table bots; --"}
    assert api.post("/bots/library/feedback", json=comment).status_code == 204
    assert api.post("/bots", json={"slug": "odd", "name": "a\x00b"}).json()["name"] == "a b"
    assert [bot["slug"] for bot in api.get("/bots").json()["bots"]] == ["library", "odd"]


@pytest.mark.parametrize(
    ("moment", "status"),
    [
        ("2024-01-01", 200),
        ("0001-01-01", 200),
        ("9999-12-31T23:59:59Z", 200),
        ("0001-01-01T00:00:00+14:00", 422),
        ("9999-12-31T23:59:59-14:00", 422),
        ("-0001-01-01", 422),
        (1e30, 422),
    ],
)
def test_dates_are_understood_in_utc_or_refused(world: World, moment: object, status: int) -> None:
    with client_of(world) as api:
        dated = {"question": "When is it open?", "answer": "From ten to six.", "date": "2024-01-01T00:00:00Z"}
        api.post("/bots/library/pairs", json=dated, params={"wait": True})
        for name in ("published_from", "published_to"):
            response = api.post("/bots/library/search", json={"question": "open?", "filters": {name: moment}})
            assert response.status_code == status, response.text
        if moment == "2024-01-01":
            assert len(response.json()["hits"]) == 1


@pytest.mark.parametrize("extra", ["\ud800", "\x00", float("nan"), float("inf"), 10**300, [[["deep"]]], {"": ""}])
def test_a_pair_with_odd_fields_is_written_or_refused(world: World, extra: object) -> None:
    with client_of(world) as api:
        body = json.dumps({"question": "What is odd?", "answer": "This is.", "colour": extra})
        response = api.post("/bots/library/pairs", content=body, headers=JSON, params={"wait": True})
        assert response.status_code in (201, 422), response.text
        if response.status_code == 201:
            assert response.json()["document"]["state"] == "live"
            (hit,) = api.post("/bots/library/search", json={"question": "What is odd?"}).json()["hits"]
            assert hit["passage"] == "This is."


# In the index's expressions


@pytest.fixture(scope="module")
def index(milvus_server: EmbeddedMilvus) -> MilvusIndex:
    return MilvusIndex(milvus_server.uri)


@pytest.fixture(scope="module")
def collection(index: MilvusIndex) -> Collection:
    made = Collection(uuid4(), uuid4(), f"lockstep_{uuid4().hex}", "model", "1", 4, index_type="FLAT")
    index.create(made, uuid4())
    return made


@settings(max_examples=15, deadline=None)
@given(texts=st.lists(TEXT, min_size=1, max_size=12, unique=True))
@example(INJECTIONS)
def test_any_text_as_a_literal_finds_itself_and_nothing_else(
    index: MilvusIndex, collection: Collection, texts: list[str]
) -> None:
    bot_id = uuid4()
    vector = np.array([1, 0, 0, 0], dtype=np.float32)
    ids = {}
    for text in texts:
        pair = Pair(uuid4(), "?", ".", external_id=text, metadata=Metadata(category=text, author=text))
        ids[text] = uuid4()
        row = make_row(
            deployment_id=collection.deployment_id,
            bot_id=bot_id,
            document_id=uuid4(),
            pair=pair,
            passage=Passage(ids[text], 0, "."),
            related_nodes=(),
        )
        index.upsert(collection, [(row, Vectors(vector, vector, vector))])

    def found(**matching: tuple[str, ...]) -> set[Any]:
        wanted = Filter(**matching)  # type: ignore[arg-type]
        hits = index.search(collection, bot_id, vector, fields=["question"], limit=50, matching=wanted)["question"]
        return {candidate.passage_id for candidate in hits}

    for text in texts:
        same = {ids[other] for other in texts if clip(other, FIELD_BYTES["category"]) == text}
        assert found(category=(text,)) == same
        assert found(external_id=(text,), author=(text, "nobody")) == same
        assert found(category=(f"{text}x",)) == {ids[other] for other in texts if other == f"{text}x"}
    assert found(category=tuple(texts)) == set(ids.values())


# In Postgres's text search


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
@example("' | & ! :* \\ '' $$")
@example("한국어 검색 日本語 İıŞş")
def test_the_terms_of_any_text_are_a_tsvector_and_a_tsquery_that_finds_it(client: PostgresClient, text: str) -> None:
    asked = list(terms(text))
    if not asked:
        return
    lexemes, _ = terms_of_passage("", text)
    quoted_vector, quoted_query = (part.replace("'", "''") for part in (lexemes, tsquery_of(asked)))
    found: list[bool] = []

    def work(tx: Any) -> None:
        (row,) = tx._connection.run(f"select '{quoted_vector}'::tsvector @@ '{quoted_query}'::tsquery")
        found.append(row[0])

    client.transact(work)
    assert found == [True]
