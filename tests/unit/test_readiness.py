"""Waiting for the gateway: what is hopeless ends it at once, and what is said names the part, its words and its log."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.local.child import Child
from infra.local.readiness import parts_of, wait_until_ready
from shared.errors import ConfigurationError, LockstepError

FOREVER = 600.0
Start = Callable[[str, str], Child]
READY = {"catalog": "ok", "index": "ok", "model": "ok"}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a child that runs this Python; its log has lines of an earlier time."""
    made: list[Child] = []

    def child(name: str, code: str) -> Child:
        (tmp_path / f"{name}.log").write_text("of an earlier time\n")
        made.append(Child(name, [sys.executable, "-c", code], log=tmp_path / f"{name}.log"))
        made[-1].start()
        return made[-1]

    yield child
    for each in made:
        each.stop()


def test_it_ends_when_every_part_is_ready(start: Start) -> None:
    told = [{}, {"catalog": "ok", "index": "StoreUnavailableError: It is away."}, READY]
    wait_until_ready(lambda: told.pop(0), {"index": start("Milvus", "input()")}, seconds=FOREVER, pause=0)
    assert told == []


def test_a_child_that_ended_is_told_at_once_with_its_own_last_words(start: Start) -> None:
    child = start("Milvus", "raise SystemExit('the schema is damaged')")
    with pytest.raises(LockstepError, match=r"Milvus ended while starting.*\n.*the schema is damaged") as caught:
        wait_until_ready(lambda: {"index": "StoreUnavailableError: away"}, {"index": child}, seconds=FOREVER)
    assert "earlier time" not in str(caught.value)


@pytest.mark.parametrize("kind", ["ConfigurationError", "MismatchError", "EmbedderMismatchError"])
def test_what_no_waiting_mends_is_told_at_once_in_its_own_words(kind: str) -> None:
    parts = READY | {"model": f"{kind}: There is no model in /nowhere: `make up` builds it."}
    with pytest.raises(ConfigurationError, match="The model cannot be used: There is no model in /nowhere: `make up`"):
        wait_until_ready(lambda: parts, {}, seconds=FOREVER)


def test_when_the_time_is_up_the_parts_that_are_away_are_told_with_their_logs(start: Start) -> None:
    children = {
        name: start(log, f"import time; print('{log} says', flush=True); time.sleep(600)")
        for name, log in (("catalog", "Postgres"), ("index", "Milvus"))
    }
    children["index"].wait_until(lambda: "says" in children["index"].log_tail(), seconds=FOREVER)
    parts = {"catalog": "ok", "index": "StoreUnavailableError: It does not answer."}
    with pytest.raises(LockstepError, match="index: StoreUnavailableError: It does not answer") as caught:
        wait_until_ready(lambda: parts, children, seconds=0)
    assert "Milvus says" in str(caught.value)
    assert "made anew from the catalog" in str(caught.value)
    assert "Postgres" not in str(caught.value)


def test_a_gateway_that_never_answers_is_told_with_its_log(start: Start) -> None:
    gateway = start("Gateway", "import time; time.sleep(600)")
    with pytest.raises(LockstepError, match=r"gateway: it does not answer\nThe end of .*Gateway.log:\n\(empty\)"):
        wait_until_ready(dict, {"gateway": gateway}, seconds=0)


@pytest.mark.parametrize(
    ("answer", "parts"),
    [
        (b'{"is_ready": true, "parts": {"model": "ok"}}', {"model": "ok"}),
        (b'{"title": "Not configured", "detail": "A setting is missing."}', {"gateway": "A setting is missing."}),
        (b"<h1>Bad gateway</h1>", {"gateway": "<h1>Bad gateway</h1>"}),
        (b"[]", {"gateway": "[]"}),
    ],
)
def test_whatever_answers_is_passed_on(answer: bytes, parts: dict[str, str]) -> None:
    assert parts_of(answer) == parts
