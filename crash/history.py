"""One history: a state, an operation that a fault interrupts, the confusion after it, and what is left when it is quiet."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

from crash.api import Api, answers_by_document
from crash.checker import Checker, Expected, snapshot_violations
from crash.deployment import Deployment
from crash.faults import AT_START
from crash.observer import Observer
from crash.reader import Reader
from crash.texts import content, edition_of, editions
from crash.worker import Job, Order, do
from crash.zygote import Zygote

if TYPE_CHECKING:
    from crash.scenarios import Scenario

LEASES_END_SECONDS = 150.0  # longer than any lease, shorter than a function lives
ALL_DEAD_SECONDS = 3_600.0  # no function that was alive is alive any more
ROUNDS_WHILE_STALLED = 3
MAX_ROUNDS = 20
GUIDE, NEIGHBOUR = "guide.jsonl", "neighbour.jsonl"


class Queue:
    """The port `Hints`: what this process's handlers ask for, until the timers come to it."""

    def __init__(self) -> None:
        self._keys: list[str] = []

    def object_changed(self, key: str) -> None:
        self._keys.append(key)

    def sync_wanted(self) -> None:
        """The timers run in any case."""

    def take(self) -> list[str]:
        taken, self._keys = list(dict.fromkeys(self._keys)), []
        return taken


@dataclass(frozen=True, slots=True)
class Lab:
    """What histories share."""

    deployment: Deployment
    zygote: Zygote
    observer: Observer
    api: Api
    reading: Api  # the reader's own
    queue: Queue


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a history."""

    steps: list[str]  # that the interrupted worker passed
    is_hit: bool  # whether the fault came to pass
    violations: list[str]
    searches: int


@dataclass
class History:
    """One bot and what happens to it."""

    lab: Lab
    slug: str
    luck: random.Random
    written: dict[str, str] = field(default_factory=dict)  # the edition that is in the bucket, by name
    answering: dict[str, str] = field(default_factory=dict)  # where another one must answer: the new one was rejected
    touched: list[str] = field(default_factory=list)
    is_deleted: bool = False

    # What happens from outside

    def write(self, name: str = GUIDE, edition: str = "1") -> None:
        """Write an object with the API."""
        self._put(name, content(name, edition))
        self.written[name] = edition

    def write_nonsense(self, name: str = GUIDE) -> None:
        """Write an object that will be rejected: what it was goes on to answer."""
        self._put(name, b"PK\x03\x04 this is no archive")
        self.answering[name] = self.written[name]

    def remove(self, name: str = GUIDE) -> None:
        """Delete a document with the API, which removes its object."""
        status, answer = self.lab.api.send("DELETE", f"/bots/{self.slug}{self.path_of(name)}?wait=false")
        if status not in (200, 202):
            raise RuntimeError(f"DELETE {name} was answered with {status}: {answer}")
        self.forget(name)

    def path_of(self, name: str = GUIDE) -> str:
        """Where the API has that document."""
        return f"/documents/{(self.lab.api.documents(self.slug) or {})[name]['document_id']}"

    def path_of_pair(self, topic: int) -> str:
        """Where the API has the pair of the guide on that topic."""
        _, found = self.lab.api.search(self.slug, f"What does {GUIDE} say on topic {topic}?")
        of_guide = [hit for hit in found["hits"] if hit["source"]["object_path"] == GUIDE]
        return next(f"/pairs/{hit['qa_id']}" for hit in of_guide if hit["external_id"] == str(topic))

    def answered_edition(self, name: str = GUIDE) -> str:
        """The edition that answers now."""
        _, found = self.lab.api.search(self.slug, f"What does {name} say on the topic?")
        (edition,) = editions(answers_by_document(found)[name])
        return edition

    def forget(self, name: str) -> None:
        """The object is gone."""
        self.touched.append(name)
        self.written.pop(name, None)
        self.answering.pop(name, None)

    def ask(self) -> None:
        """So that the logs quote what may be deleted later."""
        self.expect(200, "POST", f"/bots/{self.slug}/ask", {"question": f"What does {GUIDE} say on topic 3?"})

    def expect(self, status: int, method: str, path: str, body: Any = None) -> Any:
        """Send a request. Raises RuntimeError for another status."""
        found, answer = self.lab.api.send(method, path, body)
        if found != status:
            raise RuntimeError(f"{method} {path} was answered with {found}: {answer}")
        return answer

    def _put(self, name: str, body: bytes) -> None:
        status, answer = self.lab.api.put(self.slug, name, body)
        if status not in (201, 202):
            raise RuntimeError(f"PUT {name} was answered with {status}: {answer}")
        self.touched.append(name)

    # Jobs

    def do(self, job: Job) -> Any:
        """Undisturbed."""
        return do(job)

    def event(self, *names: str, **more: Any) -> Job:
        """The event that tells of those objects."""
        return {"kind": "event", "keys": [f"{self.slug}/{name}" for name in names or (GUIDE,)], **more}

    def live(self, *names: str) -> None:
        """Bring what was written to live, undisturbed."""
        self.do(self.event(*names))

    # Time

    def pass_time(self, seconds: float = ALL_DEAD_SECONDS) -> None:
        self.lab.observer.pass_time(seconds)

    def run_timers(self, *, rounds: int, seconds: float) -> bool:
        """Let the timers run, and what they ask for be done; returns whether nothing is left to do."""
        for _ in range(rounds):
            self.pass_time(seconds)
            for key in self.lab.queue.take():
                do({"kind": "event", "keys": [key]})
            is_finished = do({"kind": "sync"})["is_finished"]
            if is_finished and not self._is_restless():
                return True
        return False

    def _is_restless(self) -> bool:
        keys = self.lab.queue.take()
        for key in keys:
            self.lab.queue.object_changed(key)
        return bool(keys) or bool(self.checker.stuck())

    @property
    def checker(self) -> Checker:
        return Checker(self.lab.observer, self.lab.api, self.slug)

    @property
    def expected(self) -> Expected | None:
        return None if self.is_deleted else {**self._in_bucket(), **self.answering}

    def _in_bucket(self) -> dict[str, str]:
        """The edition of each object that is there, whoever put it there."""
        folder = self.lab.deployment.bucket / self.slug
        files = [path for path in folder.iterdir() if path.is_file()] if folder.exists() else []
        return {path.name: edition_of(path.read_bytes()) for path in files if path.name not in self.answering}

    def _lost(self) -> Iterator[str]:
        """What was acknowledged and is no longer in the bucket as it was written."""
        if self.is_deleted:
            return
        found = self._in_bucket()
        for name, edition in self.written.items():
            if name not in self.answering and found.get(name) != edition:
                yield f"edition {edition} of {name} was acknowledged, the bucket has {found.get(name)}"

    # The story

    def scout(self, scenario: Scenario) -> list[str]:
        """The boundaries that the worker passes when nobody disturbs it."""
        self.expect(201, "POST", "/bots", {"slug": self.slug})
        scenario.prepare(self)
        return self._interrupt(scenario, None, AT_START, 1)[0]

    def run(self, scenario: Scenario, fault: str | None, boundary: str, passing: int) -> Outcome:
        """Set the state up, interrupt the operation, confuse everything, wait until it is quiet, and check."""
        self.expect(201, "POST", "/bots", {"slug": self.slug})
        scenario.prepare(self)
        self.lab.queue.take()
        reader = Reader(self.lab.reading, self.slug, lacks_pairs=scenario.lacks_pairs)
        reader.start()
        try:
            steps, how_it_ended = self._interrupt(scenario, fault, boundary, passing)
            scenario.afterwards(self)
            violations = list(self._confuse())
        finally:
            seen = reader.stop()
        if how_it_ended in ("hung", "broke"):
            violations.append(f"the worker {how_it_ended}")
        violations += [*self._lost(), *self.checker.violations(self.expected)]
        violations += snapshot_violations(self.lab.deployment.backups)
        is_hit = fault is None or "hit" in steps or how_it_ended == "killed"
        return Outcome([name for name in steps if name != "hit"], is_hit, seen + violations, reader.searches)

    def _interrupt(self, scenario: Scenario, fault: str | None, boundary: str, passing: int) -> tuple[list[str], str]:
        zygote, diary = self.lab.zygote, Path(self.lab.deployment.root) / f"{self.slug}.diary"
        order = Order(
            tuple(scenario.jobs(self)),
            str(diary),
            fault,
            boundary,
            passing,
            always=scenario.always,
            is_poisoned=scenario.is_poisoned,
        )
        pid = zygote.start(order)
        how_it_ended = zygote.wait(pid)
        if how_it_ended == "stopped":
            self._overtake(fault)
            zygote.resume(pid)
            how_it_ended = zygote.wait(pid)
        return self._read(diary), how_it_ended

    def _overtake(self, fault: str | None) -> None:
        """While a worker stalls its lease ends, others take over, and the world goes on."""
        if not self.is_deleted and fault == "stall-replaced":
            self._write_meanwhile("while it stalled")
            self.run_timers(rounds=ROUNDS_WHILE_STALLED, seconds=LEASES_END_SECONDS)
            self._write_meanwhile("once more")  # so that what the worker holds is neither live nor kept when it goes on
        elif not self.is_deleted and fault == "stall-removed" and GUIDE in self.written:
            (Path(self.lab.deployment.bucket) / self.slug / GUIDE).unlink(missing_ok=True)
            self.forget(GUIDE)
        self.run_timers(rounds=ROUNDS_WHILE_STALLED, seconds=LEASES_END_SECONDS)

    def _write_meanwhile(self, edition: str) -> None:
        """Unless it is the bot's own deletion that stalls."""
        if self.lab.api.send("GET", f"/bots/{self.slug}")[0] == 200:
            self.write(GUIDE, edition)

    def _read(self, diary: Path) -> list[str]:
        steps = []
        for line in diary.read_text("utf-8").splitlines():
            kind, _, text = line.partition(" ")
            if kind in ("step", "hit"):
                steps.append(text.strip('"') if kind == "step" else kind)
            elif kind == "hint":
                self.lab.queue.object_changed(text.strip('"'))
        diary.unlink()
        return steps

    def _confuse(self) -> Iterator[str]:
        """Events twice, in another order, or not at all; two workers at once; the timers; and old events again."""
        names = list(dict.fromkeys(self.touched))
        events = [self.event(name) for name in names * self.luck.choice((0, 1, 2))]
        self.luck.shuffle(events)
        self.pass_time(LEASES_END_SECONDS)
        with ThreadPoolExecutor(max_workers=2) as workers:
            for job in [*events, {"kind": "sync"}]:
                workers.submit(_attempt, job)
        if not self.run_timers(rounds=MAX_ROUNDS, seconds=ALL_DEAD_SECONDS):
            yield f"it was not quiet after {MAX_ROUNDS} rounds of the timers"
        for name in names:
            _attempt(self.event(name))
        if not self.run_timers(rounds=3, seconds=ALL_DEAD_SECONDS):
            yield "old events woke something up"


def _attempt(job: Job) -> None:
    """One invocation, whose failure is somebody else's to repeat."""
    try:
        do(job)
    except Exception:
        return


@contextmanager
def a_history(lab: Lab, slug: str, name: str) -> Iterator[History]:
    """A history with a bot of its own, which is removed without a trace at the end. Its luck is that of its name."""
    history = History(lab, slug, random.Random(crc32(name.encode())))
    try:
        yield history
    finally:
        lab.queue.take()
        lab.observer.erase_bot(slug)
