"""Problem documents (RFC 9457): one for every family of errors, and nothing of the inside in any."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.exceptions import HTTPException

from functions.query.models.documents import PairIn
from functions.query.models.questions import AskIn
from functions.query.problems import MEDIA_TYPE, install_problem_handlers
from shared.errors import (
    BehindError,
    CircuitOpenError,
    CollectionMissingError,
    ConfigurationError,
    ConflictError,
    EmbedderMismatchError,
    InvalidInputError,
    LeasedError,
    LockstepError,
    MismatchError,
    NotFoundError,
    ObjectChangedError,
    OutOfTimeError,
    OverdueError,
    RefusedRowError,
    RejectedDocumentError,
    StoreUnavailableError,
    SupersededError,
    TooLargeError,
)

STATUS: dict[type[LockstepError], int] = {
    InvalidInputError: 422,
    NotFoundError: 404,
    ConflictError: 409,
    TooLargeError: 413,
    StoreUnavailableError: 503,
    OverdueError: 503,
    CircuitOpenError: 503,
    CollectionMissingError: 503,
    BehindError: 503,
    LeasedError: 503,
    ConfigurationError: 500,
    EmbedderMismatchError: 503,
    MismatchError: 500,
    LockstepError: 500,
    ObjectChangedError: 500,
    OutOfTimeError: 500,
    RefusedRowError: 500,
    RejectedDocumentError: 500,
    SupersededError: 500,
}


class Failing:
    """An app whose one route raises what it is told to."""

    def __init__(self) -> None:
        self.error: Exception = LockstepError()
        app = FastAPI()
        install_problem_handlers(app)

        @app.get("/fail")
        def fail() -> None:
            raise self.error

        @app.post("/ask")
        def ask(body: AskIn) -> None:
            """Takes what the API takes."""

        @app.post("/pairs")
        def pairs(body: PairIn) -> None:
            """Takes what the API takes."""

        self.client = TestClient(app, raise_server_exceptions=False)

    def problem(self, error: Exception) -> Any:
        self.error = error
        return self.client.get("/fail")


@pytest.fixture
def failing() -> Iterator[Failing]:
    yield Failing()


def check(response: Any, status: int, instance: str) -> dict[str, Any]:
    """The problem document of a response, which must have the shape of RFC 9457."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == MEDIA_TYPE == "application/problem+json"
    found: dict[str, Any] = response.json()
    assert set(found) - {"errors"} == {"type", "title", "status", "detail", "instance"}
    assert (found["type"], found["status"], found["instance"]) == ("about:blank", status, instance)
    assert found["title"] and found["detail"]
    return found


def families(kind: type[LockstepError] = LockstepError) -> Iterator[type[LockstepError]]:
    if kind.__module__ == LockstepError.__module__:
        yield kind
    for below in kind.__subclasses__():
        yield from families(below)


def test_every_family_of_errors_has_its_status_here() -> None:
    assert set(families()) == set(STATUS)


@pytest.mark.parametrize(("kind", "status"), STATUS.items())
def test_an_error_becomes_a_problem_that_says_what_it_says(
    failing: Failing, kind: type[LockstepError], status: int
) -> None:
    found = check(failing.problem(kind("The kettle is cold.")), status, "/fail")
    assert found["detail"] == "The kettle is cold."


@pytest.mark.parametrize("kind", STATUS)
def test_an_error_without_a_message_says_what_its_family_means(failing: Failing, kind: type[LockstepError]) -> None:
    assert failing.problem(kind()).json()["detail"] == kind.__doc__


@pytest.mark.parametrize(("kind", "status"), STATUS.items())
def test_what_passes_says_when_to_come_back_and_the_rest_does_not(
    failing: Failing, kind: type[LockstepError], status: int
) -> None:
    waits = failing.problem(kind()).headers.get("retry-after")
    assert (waits is not None and int(waits) >= 1) is (status == 503)


@pytest.mark.parametrize(("seconds", "header"), [(0.1, "1"), (7.2, "8"), (30, "30")])
def test_a_circuit_says_how_long_it_stays_open_in_whole_seconds(failing: Failing, seconds: float, header: str) -> None:
    response = failing.problem(CircuitOpenError(retry_after_seconds=seconds))
    assert response.headers["retry-after"] == header


def test_what_the_caller_can_mend_is_no_error_of_ours_and_the_rest_is_logged(
    failing: Failing, caplog: pytest.LogCaptureFixture
) -> None:
    for kind, status in STATUS.items():
        caplog.clear()
        failing.problem(kind("The kettle is cold."))
        assert bool(caplog.records) is (status >= 500), kind


# Surprises


def test_a_surprise_shows_nothing_and_is_logged_with_where_it_was(
    failing: Failing, caplog: pytest.LogCaptureFixture
) -> None:
    found = check(failing.problem(KeyError("secret detail")), 500, "/fail")
    assert "secret" not in json.dumps(found)
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], KeyError)
    assert record.exc_info[2] is not None


# What the framework refuses


def test_a_path_that_is_not_there_says_where_to_look(failing: Failing) -> None:
    assert "/docs" in check(failing.client.get("/nowhere"), 404, "/nowhere")["detail"]


def test_a_method_that_is_not_there_says_which_are(failing: Failing) -> None:
    response = failing.client.delete("/fail")
    check(response, 405, "/fail")
    assert response.headers["allow"] == "GET"


@pytest.mark.parametrize("status", [400, 403, 413, 418, 429])
def test_whatever_the_framework_raises_is_a_problem(failing: Failing, status: int) -> None:
    response = failing.problem(HTTPException(status, "The kettle is cold.", headers={"X-Reason": "cold"}))
    assert check(response, status, "/fail")["detail"] == "The kettle is cold."
    assert response.headers["x-reason"] == "cold"


# Requests that are not valid


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["question"]),
        ({"question": "x", "top_k": "many"}, ["top_k"]),
        ({"question": "x" * 8_001, "top_k": 0}, ["question", "top_k"]),
        ({"question": "x", "filters": {"category": ["ok", ""]}}, ["filters.category.1"]),
        ({"question": "x", "filters": {"colour": ["red"]}}, ["filters"]),
        ({"question": "x", "user_id": "a\x00b"}, ["user_id"]),
        ([], [""]),
        (None, [""]),
    ],
)
def test_a_request_that_is_not_valid_names_each_field(failing: Failing, body: object, fields: list[str]) -> None:
    found = check(failing.client.post("/ask", json=body), 422, "/ask")
    assert [error["field"] for error in found["errors"]] == fields
    assert all(error["message"] for error in found["errors"])
    assert all((field or "body") in found["detail"] for field in fields)


def test_a_long_list_of_mistakes_is_told_in_a_few_and_listed_whole(failing: Failing) -> None:
    body = {"question": "x", "filters": {"tags": [""] * 50}}
    found = check(failing.client.post("/ask", json=body), 422, "/ask")
    assert len(found["errors"]) == 50
    assert found["detail"].count("filters.tags") == 5


@pytest.mark.parametrize("content", [b'{"question": "x"', b"\xff\xfe\x00", b"question=x", b"NaN", b"[" * 100_000])
def test_a_body_that_is_no_json_is_refused(failing: Failing, content: bytes) -> None:
    response = failing.client.post("/ask", content=content, headers={"content-type": "application/json"})
    check(response, response.status_code, "/ask")
    assert response.status_code in (400, 422)


@pytest.mark.parametrize(
    ("content", "why", "where"),
    [
        ("{bad", "Expecting property name enclosed in double quotes", "line 1, column 2"),
        ('{"question": "x"', "Expecting ',' delimiter", "line 1, column 17"),
        ('\n{"question":\n  oops}', "Expecting value", "line 3, column 3"),
        ('{"문": x}', "Expecting value", "line 1, column 7"),
    ],
)
def test_a_body_that_is_no_json_is_told_what_is_wrong_and_where(
    failing: Failing, content: str, why: str, where: str
) -> None:
    response = failing.client.post("/ask", content=content, headers={"content-type": "application/json"})
    found = check(response, 422, "/ask")
    assert found["detail"] == f"body: It is not JSON: {why} ({where})"
    assert found["errors"] == [{"field": "", "message": f"It is not JSON: {why} ({where})"}]


@pytest.mark.parametrize("kind", [None, "application/x-www-form-urlencoded", "text/plain", "nonsense"])
def test_a_body_that_is_not_sent_as_json_is_told_how_to(failing: Failing, kind: str | None) -> None:
    headers = {"content-type": kind} if kind else {}
    found = check(failing.client.post("/ask", content='{"question": "x"}', headers=headers), 422, "/ask")
    assert "`Content-Type: application/json`" in found["detail"]
    assert [error["field"] for error in found["errors"]] == [""]


@pytest.mark.parametrize("path", ["/ask", "/pairs"])
def test_a_problem_does_not_repeat_what_was_sent(failing: Failing, path: str) -> None:
    body = json.dumps({"question": 7, "answer": "hush-hush", "user_id": "hush-hush\x00", "\ud800": 1})
    response = failing.client.post(path, content=body, headers={"content-type": "application/json"})
    check(response, 422, path)
    assert "hush" not in response.text
