"""Notices: the twin, and a webhook as a real server receives it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from pytest_httpserver import HTTPServer

from shared.domain import Notice
from shared.errors import ConfigurationError, LockstepError, StoreUnavailableError
from shared.ports import Notifier
from shared.testing import RecordingNotifier
from shared.webhook import WebhookNotifier, signature_of

SECRET = "a-secret-of-the-test"
NOTICE = Notice(
    "library",
    uuid4(),
    "library/한국어.txt",
    "rejected",
    "There is no text in it.",
    "etag",
    datetime.now(UTC),
    "rejected/etag/0",
)


def test_the_twin_remembers_what_it_was_told() -> None:
    twin = RecordingNotifier()
    notifier: Notifier = twin
    notifier.notify(NOTICE)
    assert twin.notices == [NOTICE]


def test_a_webhook_gets_the_notice_signed(httpserver: HTTPServer) -> None:
    httpserver.expect_oneshot_request("/hook", method="POST", query_string="a=b").respond_with_data(status=204)
    WebhookNotifier(httpserver.url_for("/hook?a=b"), SECRET).notify(NOTICE)
    ((request, _),) = httpserver.log
    body = json.loads(request.data)
    assert (body["document_id"], body["object_key"]) == (str(NOTICE.document_id), NOTICE.object_key)
    assert (body["state"], body["reason"], body["news"]) == ("rejected", NOTICE.reason, "rejected/etag/0")
    moment = request.headers["X-Lockstep-Timestamp"]
    assert request.headers["X-Lockstep-Signature"] == signature_of(SECRET.encode(), moment, request.data)
    assert request.headers["X-Lockstep-Signature"] != signature_of(b"another", moment, request.data)


def test_a_passing_failure_is_tried_again_a_bounded_number_of_times(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook").respond_with_data(status=503)
    with pytest.raises(StoreUnavailableError, match="503"):
        WebhookNotifier(httpserver.url_for("/hook"), SECRET).notify(NOTICE)
    assert len(httpserver.log) == 2


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404])
def test_any_other_answer_is_an_error_and_no_redirect_is_followed(httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_request("/hook").respond_with_data(status=status, headers={"Location": httpserver.url_for("/x")})
    with pytest.raises(LockstepError, match=str(status)):
        WebhookNotifier(httpserver.url_for("/hook"), SECRET).notify(NOTICE)
    assert [request.path for request, _ in httpserver.log] == ["/hook"]


def test_nobody_there_is_told_without_the_secret() -> None:
    with pytest.raises(StoreUnavailableError, match="did not answer") as caught:
        WebhookNotifier("http://127.0.0.1:9/hook", SECRET).notify(NOTICE)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("url", ["http://example.org/hook", "ftp://127.0.0.1", "hook", "", "https://"])
def test_a_url_that_others_could_read_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="LOCKSTEP_WEBHOOK_URL"):
        WebhookNotifier(url, SECRET)


def test_notices_are_never_sent_unsigned() -> None:
    with pytest.raises(ConfigurationError, match="LOCKSTEP_WEBHOOK_SECRET"):
        WebhookNotifier("https://example.org/hook", "")
