"""A worker process: does its jobs with the same handlers as the laptop and the cloud, until its fate overtakes it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from crash.api import Api
from crash.deployment import Deployment
from crash.faults import AT_START, Fate
from crash.texts import content
from functions.backup import handler as backup
from functions.backup.build import build_restore
from functions.ingest import handler as ingest
from functions.sync import handler as sync
from functions.sync.reembed import Reembed
from infra.local.worker import INVOCATION_SECONDS, Context
from shared import wiring
from shared.aws import object_event
from shared.snapshots import read_manifest
from shared.steps import listen

Job = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker is to do, what happens to it, and where it writes down what it passed."""

    jobs: tuple[Job, ...]
    diary: str
    fault: str | None = None
    boundary: str = AT_START
    passing: int = 1
    always: str | None = None
    is_poisoned: bool = False

    def as_line(self) -> str:
        return json.dumps(asdict(self))


class Diary:
    """Lines that survive the process. It is the port `Hints` as well: what a worker asks for is in a queue of its own."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(self, kind: str, text: str) -> None:
        os.write(self._file, f"{kind} {json.dumps(text)}\n".encode())

    def object_changed(self, key: str) -> None:
        self.write("hint", key)

    def sync_wanted(self) -> None:
        """The timers run in any case."""


def work(deployment: Deployment, order: Order) -> None:
    """Do the jobs, one after the other; what one of them raises ends it, as it ends an invocation."""
    diary = Diary(order.diary)
    fate = Fate(order.fault, order.boundary, order.passing, order.always, lambda: diary.write("hit", ""))

    def at(boundary: str) -> None:
        diary.write("step", boundary)
        fate.at(boundary)

    deployment.enter(fate, diary, is_poisoned=order.is_poisoned)
    listen(at)
    at(AT_START)
    for job in order.jobs:
        try:
            do(job)
        except Exception as error:
            diary.write("error", f"{type(error).__name__}: {error}")
    listen(None)
    fate.end()
    diary.write("done", "")


def do(job: Job) -> Any:
    """One invocation."""
    match job["kind"]:
        case "event":
            event = object_event("crash", job["keys"][0])
            event["Records"] = [object_event("crash", key)["Records"][0] for key in job["keys"]]
            return ingest.handler(event, _context(job))
        case "sync":
            return sync.handler({"source": "timer"}, _context(job))
        case "backup":
            return backup.handler({"source": "timer"}, _context(job))
        case "drill" | "exports" as task:
            return backup.handler({"task": task}, _context(job))
        case "restore":
            restore = build_restore(wiring.backups(), report=_silent)
            return restore.run(read_manifest(wiring.backups()), [job["bot"]])
        case "discard":
            return build_restore(wiring.backups(), report=_silent).discard(job["bot"])
        case "reembed":
            return _reembed(job["bot"])
        case "request":
            return Api().send(job["method"], job["path"], job.get("body"))
        case "put":
            return Api().put(job["bot"], job["name"], content(job["name"], job["edition"]))
        case unknown:
            raise ValueError(f"{unknown!r} is not a job")


def _reembed(slug: str) -> bool:
    registry, embedder = wiring.registry(), wiring.next_embedder()
    if registry.bot(slug).collection.is_of(embedder.model):
        return True
    collection = registry.ensure_collection(embedder.model, metric="COSINE", index_type="FLAT", index_params={})
    change = Reembed(
        registry=registry,
        changes=wiring.changes(),
        catalog=wiring.delivery_catalog(),
        index=wiring.index(),
        embedder=embedder,
        hints=wiring.hints(),
        report=_silent,
    )
    return change.move(registry.bot(slug), collection)


def _silent(message: str) -> None:
    """Nobody watches."""


class Hurried:
    """An invocation whose time is up when it has asked so often how much is left."""

    def __init__(self, questions: int) -> None:
        self._questions = questions

    def get_remaining_time_in_millis(self) -> int:
        self._questions -= 1
        return int(INVOCATION_SECONDS * 1000) if self._questions >= 0 else 0


def _context(job: Job) -> Context | Hurried:
    if "questions" in job:
        return Hurried(job["questions"])
    return Context(time.monotonic() + job["seconds"]) if "seconds" in job else Context.fresh()
