"""Random histories: workers and readers that go on only when they are told to, faults between any two calls of a store."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from crash.faults import CALLS, Fate, FaultyPort
from crash.reader import violations_of
from crash.texts import PAIRS, content, edition_of, editions
from functions.query.retrieval import Retrieval
from functions.sync.comparison import Comparer, Extent
from functions.sync.verify import verify
from shared.domain import Filter
from shared.errors import LeasedError, LockstepError, OutOfTimeError
from tests.worlds import World

NAMES = ("guide.jsonl", "manual.jsonl")
NONSENSE = b"PK\x03\x04 this is no archive"
LEASES_END_SECONDS = 150.0
ALL_DEAD_SECONDS = 3_600.0
LONGEST_LIFE_SECONDS = 900.0
CALL_SECONDS = 10.0  # what a call takes of the time that a process has left
ROUNDS = 25
PORTS = {
    "registry": "catalog",
    "documents": "catalog",
    "delivery": "catalog",
    "reading": "catalog",
    "index": "index",
    "objects": "bucket",
}


class Died(BaseException):
    """The process is no more: whatever it still tries has no effect."""


class Process(threading.Thread):
    """One invocation, in a thread that waits before each call of a store until it is told to go on."""

    def __init__(self, world: World, job: Callable[[World], Any], *, budget: int = 10_000) -> None:
        super().__init__(daemon=True)
        self.lived_seconds = 0.0
        self.outcome: Any = None
        self.error: Exception | None = None
        self._world, self._job, self._budget = world, job, budget
        self._fate, self._is_dead = Fate(), False
        self.has_ended = False
        self._go, self._waits = threading.Semaphore(0), threading.Semaphore(0)
        self.start()
        self._waits.acquire()

    def advance(self, calls: int) -> None:
        """Go on until before the call after so many."""
        for _ in range(calls):
            if self.has_ended:
                return
            self._go.release()
            self._waits.acquire()

    def finish(self) -> None:
        while not self.has_ended:
            self.advance(1)

    def kill(self) -> None:
        """What is under way is lost, and no clean-up is done."""
        self._is_dead = True
        self.finish()

    def break_next(self, fault: str) -> None:
        """The next call of that store goes wrong."""
        self._fate.fault = fault
        self._fate.boundary, self._fate.passing = fault, 1
        self._fate.at(fault)

    def run(self) -> None:
        try:
            self._pause()
            self.outcome = self._job(self._wrapped())
            self._fate.end()
        except Died:
            pass
        except Exception as error:
            self.error = error
        finally:
            self.has_ended = True
            self._waits.release()

    def call(self, store: str, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if threading.current_thread() is not self:  # a search asks the catalog beside the index
            return work(*args, **kwargs)
        self._pause()
        return self._fate.call(store, work, *args, **kwargs)

    def _pause(self) -> None:
        if not self._is_dead:
            self._budget -= 1
            self._waits.release()
            self._go.acquire()
        if self._is_dead:
            raise Died

    def _wrapped(self) -> World:
        """The world as this process sees it."""
        world = copy.copy(self._world)
        for name, store in PORTS.items():
            setattr(world, name, FaultyPort(getattr(world, name), store, self))  # type: ignore[arg-type]
        world.time_left = lambda: max(0, self._budget) * CALL_SECONDS
        return world


def tell_of(*names: str) -> Callable[[World], None]:
    """What ingest does with an event."""

    def work(world: World) -> None:
        for name in names:
            try:
                document_id = world.look(name)
            except (LeasedError, OutOfTimeError):
                world.hints.object_changed(world.key(name))
                continue
            if document_id:
                try:
                    world.deliver(document_id)
                except LockstepError:
                    world.hints.sync_wanted()

    return work


@dataclass
class Lab:
    """A world whose time can be made to pass."""

    world: World
    pass_time: Callable[[float], None]
    check: Callable[[Mapping[str, str]], list[str]] = field(default=lambda expected: [])
    stuck: Callable[[], list[str]] = list  # what the timers must still come to
    always: Callable[[], None] = lambda: None  # raises AssertionError for what must not be at any moment
    close: Callable[[], None] = lambda: None


class Histories(RuleBasedStateMachine):
    """Everything that can happen to two documents of one bot."""

    def __init__(self, lab: Lab) -> None:
        super().__init__()
        self.lab, self.world = lab, lab.world
        self.retrieval = self.world.retrieval()
        self.editions = count(1)
        self.workers: list[Process] = []
        self.readers: list[Process] = []

    # The bucket

    @initialize()
    def begin_with_what_is_live(self) -> None:
        for name in NAMES:
            self.world.put(name, content(name, "0"))

    @rule(name=st.sampled_from(NAMES))
    def write(self, name: str) -> None:
        self.world.objects.put(self.world.key(name), content(name, str(next(self.editions))))

    @precondition(lambda self: len(self.workers) < 3)
    @rule(name=st.sampled_from(NAMES), calls=st.integers(0, 40))
    def update(self, name: str, calls: int) -> None:
        self.write(name)
        self.workers.append(Process(self.world, tell_of(name)))
        self.workers[-1].advance(calls)
        self._forget_ended()

    @rule(name=st.sampled_from(NAMES))
    def write_nonsense(self, name: str) -> None:
        self.world.objects.put(self.world.key(name), NONSENSE)

    @rule(name=st.sampled_from(NAMES))
    def remove(self, name: str) -> None:
        self.world.objects.delete(self.world.key(name))

    # Workers

    @rule(name=st.sampled_from(NAMES), calls=st.integers(1, 40))
    def stall(self, name: str, calls: int) -> None:
        """A worker stalls until others have gone on, and then goes on itself."""
        self.write(name)
        stalled = Process(self.world, tell_of(name))
        stalled.advance(calls)
        self._pass_time(LEASES_END_SECONDS)
        self.write(name)
        Process(self.world, tell_of(name)).finish()
        self.lab.always()
        stalled.finish()

    @rule(name=st.sampled_from(NAMES), budget=st.integers(8, 11))
    def hurry(self, name: str, budget: int) -> None:
        """A worker whose time runs out between two parts of a document."""
        self.write(name)
        Process(self.world, tell_of(name), budget=budget).finish()

    @precondition(lambda self: len(self.workers) < 3)
    @rule(names=st.permutations(NAMES), how_many=st.integers(1, 2), budget=st.sampled_from((10_000, 12, 25)))
    def send_event(self, names: list[str], how_many: int, budget: int) -> None:
        self.workers.append(Process(self.world, tell_of(*names[:how_many]), budget=budget))

    @precondition(lambda self: len(self.workers) < 3)
    @rule(budget=st.sampled_from((10_000, 25)))
    def start_timer(self, budget: int) -> None:
        self.workers.append(Process(self.world, lambda world: world.sync(), budget=budget))

    @precondition(lambda self: self.workers)
    @rule(which=st.integers(0, 2), calls=st.integers(1, 12))
    def go_on(self, which: int, calls: int) -> None:
        self.workers[which % len(self.workers)].advance(calls)
        self._forget_ended()

    @precondition(lambda self: self.workers)
    @rule(which=st.integers(0, 2))
    def finish(self, which: int) -> None:
        self.workers[which % len(self.workers)].finish()
        self._forget_ended()

    @precondition(lambda self: self.workers)
    @rule(which=st.integers(0, 2))
    def kill(self, which: int) -> None:
        self.workers[which % len(self.workers)].kill()
        self._forget_ended()

    @precondition(lambda self: self.workers)
    @rule(which=st.integers(0, 2), fault=st.sampled_from(CALLS))
    def break_store(self, which: int, fault: str) -> None:
        self.workers[which % len(self.workers)].break_next(fault)

    @rule()
    def time_passes(self) -> None:
        """Leases end; a function that has lived too long is ended."""
        self._pass_time(LEASES_END_SECONDS)
        for worker in self.workers:
            worker.lived_seconds += LEASES_END_SECONDS
            if worker.lived_seconds > LONGEST_LIFE_SECONDS:
                worker.kill()
        self._forget_ended()

    @invariant()
    def holds_at_every_moment(self) -> None:
        self.lab.always()

    # Readers

    @precondition(lambda self: len(self.readers) < 2)
    @rule()
    def start_reading(self) -> None:
        self.readers.append(Process(self.world, self._read))

    @precondition(lambda self: self.readers)
    @rule(which=st.integers(0, 1), calls=st.integers(1, 6))
    def go_on_reading(self, which: int, calls: int) -> None:
        self.readers[which % len(self.readers)].advance(calls)
        self._forget_ended()

    @precondition(lambda self: self.workers)
    @rule(which=st.integers(0, 2), before=st.integers(1, 6), meanwhile=st.integers(5, 40))
    def read_meanwhile(self, which: int, before: int, meanwhile: int) -> None:
        """A reader that is overtaken by a writer."""
        reader = Process(self.world, self._read)
        self.readers.append(reader)
        reader.advance(before)
        self.workers[which % len(self.workers)].advance(meanwhile)
        reader.finish()
        self._forget_ended()

    def _read(self, world: World) -> list[str]:
        retrieval = Retrieval(reading=world.reading, index=world.index, embedders=world.embedders(), graph=world.graph)
        before = self._documents(world)
        found = retrieval.search(world.bot, "What does it say on the topic?", top_k=50, matching=Filter())
        hits = [
            {"response": hit.evidence.pair.response, "source": {"object_path": hit.evidence.source.object_path}}
            for hit in found.hits
        ]
        retrieval._lexical.shutdown()
        return violations_of({"hits": hits, "is_complete": found.is_complete}, before, self._documents(world))

    @staticmethod
    def _documents(world: World) -> dict[str, dict[str, Any]]:
        return {
            status.object_key.partition("/")[2]: {
                "document_id": status.document_id,
                "is_answering": status.is_answering,
            }
            for status in world.documents.documents(world.bot, after="", limit=10)
        }

    # The end

    def teardown(self) -> None:
        try:
            for process in (*self.workers, *self.readers):
                process.finish()
            self._forget_ended()
            self._become_quiet()
            self._check()
        finally:
            for process in (*self.workers, *self.readers):
                process.kill()
            self.retrieval._lexical.shutdown()
            self.lab.close()

    def _become_quiet(self) -> None:
        for _ in range(ROUNDS):
            self._pass_time(ALL_DEAD_SECONDS)
            keys, self.world.hints.keys = list(dict.fromkeys(self.world.hints.keys)), []
            for key in keys:
                tell_of(key.partition("/")[2])(self.world)
            is_finished = self.world.sync()
            if is_finished and not self.world.hints.keys and not self._unfinished() and not self.lab.stuck():
                return
        raise AssertionError(f"not quiet after {ROUNDS} rounds of the timers: {self._unfinished()} {self.lab.stuck()}")

    def _unfinished(self) -> list[Any]:
        return self.world.delivery.unfinished_documents(self.world.bot, 10)

    def _check(self) -> None:
        comparer = Comparer(self.world.registry, self.world.delivery, self.world.index)
        drift = verify([Extent(self.world.refreshed().collection)], comparer).drift
        assert drift.is_clean, drift
        documents = self._documents(self.world)
        expected, is_nonsense = {}, set()
        for version in self.world.objects.list(f"{self.world.bot.slug}/"):
            name = version.key.partition("/")[2]
            with self.world.objects.open(version) as file:
                held = file.read()
            if held == NONSENSE:
                is_nonsense.add(name)
            else:
                expected[name] = edition_of(held)
            assert name in documents
        assert self._read(self.world) == []
        found = self.retrieval.search(self.world.bot, "What does it say on the topic?", top_k=50, matching=Filter())
        said: dict[str, set[str]] = {}
        for hit in found.hits:
            said.setdefault(hit.evidence.source.object_path, set()).add(hit.evidence.pair.response)
        assert all(len(responses) == PAIRS for responses in said.values())
        for name, edition in expected.items():
            assert f"edition {edition}." in " ".join(said.get(name, ())), (name, edition, said.get(name))
        what_it_was = {name: editions(said[name]).pop() for name in is_nonsense & said.keys()}  # it stays live
        violations = self.lab.check(expected | what_it_was)
        assert not violations, violations

    def _pass_time(self, seconds: float) -> None:
        self.lab.pass_time(seconds)

    def _forget_ended(self) -> None:
        for process in (*self.workers, *self.readers):
            if process.has_ended and process.error and not isinstance(process.error, LockstepError):
                raise process.error
        for reader in self.readers:
            if reader.has_ended:
                assert not reader.outcome, reader.outcome
        self.workers = [worker for worker in self.workers if not worker.has_ended]
        self.readers = [reader for reader in self.readers if not reader.has_ended]
