"""Hints: the twin, none at all, and SQS as a real server of its protocol receives them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from moto.server import ThreadedMotoServer

from shared.aws import SqsHints
from shared.errors import CircuitOpenError, ConfigurationError, StoreUnavailableError
from shared.hints import NoHints
from shared.ports import Hints
from shared.testing import RecordingHints

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

REGION = "eu-central-1"
SECRET = "a-secret-of-the-test"
KEYS = [
    "library/plain.txt",
    "library/with space.txt",
    "library/a+b%20c.txt",
    'library/quote\'s "x".txt',
    "library/한국어/문서.txt",
    "library/Böbrek/ıİ.md",
    "library/a&b=c#d?.txt",
    "library/😀\\.txt",
]


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def environment(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "lockstep-test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", aws)


@pytest.fixture
def sqs(environment: None) -> SQSClient:
    import boto3

    client: SQSClient = boto3.session.Session().client("sqs", region_name=REGION)
    return client


@pytest.fixture
def queues(sqs: SQSClient, request: pytest.FixtureRequest) -> tuple[str, str]:
    name = str(abs(hash(request.node.nodeid)))
    ingest, sync = (sqs.create_queue(QueueName=f"{purpose}-{name}")["QueueUrl"] for purpose in ("ingest", "sync"))
    return ingest, sync


def hints_to(ingest: str, sync: str, prefix: str = "") -> SqsHints:
    return SqsHints(ingest_queue_url=ingest, sync_queue_url=sync, bucket="documents", prefix=prefix, region=REGION)


def received(sqs: SQSClient, queue_url: str) -> list[dict[str, Any]]:
    messages = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in messages]


@pytest.fixture(params=["twin", "none", "sqs"])
def hints(request: pytest.FixtureRequest) -> Hints:
    if request.param == "twin":
        return RecordingHints()
    if request.param == "none":
        return NoHints()
    return hints_to(*request.getfixturevalue("queues"))


def test_a_hint_may_be_given_again_and_again(hints: Hints) -> None:
    for key in [*KEYS, *KEYS]:
        hints.object_changed(key)
        hints.sync_wanted()


@pytest.mark.parametrize("key", KEYS)
def test_a_changed_object_is_told_in_the_form_of_an_event_of_s3(
    sqs: SQSClient, queues: tuple[str, str], key: str
) -> None:
    from urllib.parse import unquote_plus

    hints_to(*queues).object_changed(key)
    ((record,),) = [message["Records"] for message in received(sqs, queues[0])]
    assert record["eventSource"] == "aws:s3"
    assert record["eventName"].startswith("ObjectCreated")
    assert record["s3"]["bucket"]["name"] == "documents"
    assert unquote_plus(record["s3"]["object"]["key"]) == key
    assert received(sqs, queues[1]) == []


def test_an_object_below_a_prefix_is_told_as_the_bucket_itself_tells_of_it(
    sqs: SQSClient, queues: tuple[str, str]
) -> None:
    hints_to(*queues, prefix="kb/").object_changed("library/a.txt")
    ((record,),) = [message["Records"] for message in received(sqs, queues[0])]
    assert record["s3"]["object"]["key"] == "kb%2Flibrary%2Fa.txt"


def test_a_sync_is_asked_for_in_its_own_queue(sqs: SQSClient, queues: tuple[str, str]) -> None:
    hints_to(*queues).sync_wanted()
    assert received(sqs, queues[0]) == []
    (message,) = received(sqs, queues[1])
    assert "Records" not in message


def test_a_queue_that_is_not_there_is_a_setting_to_mend(queues: tuple[str, str]) -> None:
    hints = hints_to(queues[0] + "-gone", queues[1])
    with pytest.raises(ConfigurationError, match="The queue refused") as caught:
        hints.object_changed("library/a.txt")
    assert SECRET not in str(caught.value)
    hints.sync_wanted()


def test_a_server_that_is_not_there_is_unavailable_and_then_left_alone(
    environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9")
    hints = hints_to("http://127.0.0.1:9/1/ingest", "http://127.0.0.1:9/1/sync")
    with pytest.raises(StoreUnavailableError, match="The queue did not answer") as caught:
        hints.object_changed("library/a.txt")
    assert caught.value.retryable
    assert SECRET not in str(caught.value)
    with pytest.raises(CircuitOpenError, match="The queue failed"):
        hints.sync_wanted()


def test_without_a_region_or_credentials_it_says_what_to_check(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    for region in (None, REGION):
        hints = SqsHints(ingest_queue_url="http://127.0.0.1:9/q", sync_queue_url="", bucket="b", region=region)
        with pytest.raises(ConfigurationError, match=r"The queue was not asked: .*region and the credentials"):
            hints.object_changed("library/a.txt")
