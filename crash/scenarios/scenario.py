"""What a scenario is, and the states that several begin with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from crash.history import GUIDE, NEIGHBOUR, History
from crash.worker import Job
from shared.errors import StoreUnavailableError
from shared.steps import listen

SYNC: Job = {"kind": "sync"}


def _nothing(history: History) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Scenario:
    """`prepare` sets the state up, `jobs` are what the interrupted worker does, `afterwards` is what then happens."""

    name: str
    prepare: Callable[[History], None]
    jobs: Callable[[History], Sequence[Job]]
    afterwards: Callable[[History], None] = _nothing
    always: str | None = None  # a fault that lasts as long as the worker
    is_poisoned: bool = False
    lacks_pairs: bool = False  # for a while, a document answers with fewer pairs than it has


def request(history: History, method: str, path: str) -> Job:
    """A request to the API for something of the history's bot."""
    return {"kind": "request", "method": method, "path": f"/bots/{history.slug}{path}"}


def break_off(history: History, job: Job, boundary: str) -> None:
    """Do it until a store goes away at that boundary; and time passes."""

    def die(reached: str) -> None:
        if reached == boundary:
            raise StoreUnavailableError("It was broken off.")

    listen(die)
    try:
        history.do(job)
    except StoreUnavailableError:
        history.pass_time()
    finally:
        listen(None)


def neighbour(history: History) -> None:
    """Another document of the bot is live: nothing that happens to the guide may touch it."""
    history.write(NEIGHBOUR)
    history.live(NEIGHBOUR)


def live(history: History) -> None:
    """The guide is live with its first content."""
    neighbour(history)
    history.write(GUIDE, "1")
    history.live()


def changed(history: History) -> None:
    """The guide is live, and its second content lies in the bucket."""
    live(history)
    history.write(GUIDE, "2")


def removed(history: History) -> None:
    """The guide was live and asked about, and its object is gone."""
    live(history)
    history.ask()
    history.remove()


def removed_and_swept(history: History) -> None:
    """All that follows the removal has been done, and what waits for a second look may be looked at."""
    removed(history)
    history.live()
    history.pass_time()
