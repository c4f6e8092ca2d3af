"""A cloud on this machine: buckets, queues, both stores, and the packaged functions in the cloud's own runtime client."""

from __future__ import annotations

import base64
import copy
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3

from infra.local.child import Child
from infra.local.milvus import free_port, is_listening
from tests.infra.packaged import Package, PackagedFunction
from tests.infra.runtime_api import Outcome
from tests.s3_server import ACCESS_KEY, SECRET_KEY

EVENTS = Path(__file__).parent.parent / "events"
DOCUMENTS, BACKUPS = "documents", "backups"
REGION = "eu-central-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_DEFAULT_REGION": REGION}


def load_event(name: str) -> Any:
    """An event as the cloud sends it, from tests/events."""
    return json.loads((EVENTS / f"{name}.json").read_text("utf-8"))


@contextmanager
def aws_server(folder: Path) -> Iterator[str]:
    """The URL of a server that plays those services of the cloud that have no other peer here: queues, and stacks."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
    server = Child("moto", command, log=folder / "moto.log")
    server.start()
    server.wait_until(lambda: is_listening(port), seconds=60)
    yield f"http://127.0.0.1:{port}"
    server.stop()


@dataclass(frozen=True, slots=True)
class Response:
    """What an HTTP API sends for what query returned."""

    status: int
    content: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.content)


@dataclass
class Cloud:
    """`environment` is what every function gets; each is started with its first event."""

    package: Package
    environment: Mapping[str, str]
    folder: Path
    s3_url: str
    aws_url: str
    _functions: dict[str, PackagedFunction] = field(default_factory=dict)

    @contextmanager
    def with_settings(self, **changes: str | None) -> Iterator[Cloud]:
        """The same deployment with other settings, for the time of a test; None leaves one out."""
        changed = {**self.environment, **changes}
        other = replace(
            self, environment={name: text for name, text in changed.items() if text is not None}, _functions={}
        )
        yield other
        other.stop()

    def invoke(self, name: str, event: Any) -> Outcome:
        if name not in self._functions:
            function = PackagedFunction(name, self.package, self.environment, logs=self.folder)
            function.start()
            self._functions[name] = function
        return self._functions[name].invoke(event)

    def result(self, name: str, event: Any) -> Any:
        """What the function returned; it must not have failed."""
        outcome = self.invoke(name, event)
        assert not outcome.is_error, outcome.payload
        return outcome.payload

    def call(self, event: Any, *, path: str = "") -> Response:
        """Give an HTTP API's event to query, to another path if one is named."""
        if path:
            event = copy.deepcopy(event)
            event["rawPath"] = event["requestContext"]["http"]["path"] = path
        returned = self.result("query", event)
        body = returned["body"].encode()
        return Response(returned["statusCode"], base64.b64decode(body) if returned["isBase64Encoded"] else body)

    def get(self, path: str) -> Response:
        return self.call(load_event("api_ready"), path=path)

    def post(self, path: str, body: Any) -> Response:
        return self.call({**load_event("api_search"), "body": json.dumps(body), "isBase64Encoded": False}, path=path)

    def create_queue(self, name: str) -> str:
        url: str = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        return url

    def take_messages(self, queue_url: str) -> dict[str, Any]:
        """What waits in a queue, as the event that its function is invoked with."""
        taken = self.sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages", [])
        for message in taken:
            self.sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        return {"Records": [{"eventSource": "aws:sqs", "messageId": m["MessageId"], "body": m["Body"]} for m in taken]}

    def logs(self) -> str:
        """Whatever the functions have written, all of them."""
        return "".join(path.read_text("utf-8") for path in sorted(self.folder.glob("*.log")))

    def stop(self) -> None:
        for function in self._functions.values():
            function.stop()

    @cached_property
    def s3(self) -> Any:
        return self._client("s3", self.s3_url)

    @cached_property
    def sqs(self) -> Any:
        return self._client("sqs", self.aws_url)

    def _client(self, service: str, url: str) -> Any:
        keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY}
        return boto3.client(service, endpoint_url=url, region_name=REGION, **keys)  # type: ignore[call-overload]


def lockstep(environment: Mapping[str, str], folder: Path, *arguments: str) -> str:
    """Run the command line as an operator of that deployment does; returns what it said."""
    command = str(Path(sys.executable).parent / "lockstep")
    variables = {"PATH": os.environ["PATH"], "LOCKSTEP_STATE": str(folder / "no-state"), **environment}
    done = subprocess.run([command, *arguments], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
