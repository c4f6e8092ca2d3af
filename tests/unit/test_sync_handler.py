"""The door of sync: it does what there is time for, and asks for another run only when time ran out."""

from __future__ import annotations

from typing import Any

import pytest

from functions.sync.bucket_scan import claim_bucket
from functions.sync.handler import handler
from shared import wiring
from shared.errors import StoreUnavailableError
from tests.worlds import World, memory_world, wired


class Invocation:
    """What a function is told of its invocation."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self._seconds * 1000)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Twins in place of everything that the composition root builds, with a document that waits for delivery."""
    made = memory_world()
    claim_bucket(made.objects, made.registry.deployment_id())
    for name, part in wired(made).items():
        monkeypatch.setattr(wiring, name, lambda part=part: part)
    made.objects.put(made.key("a.txt"), b"This is a.txt.")
    made.look("a.txt")
    return made


def invoke(seconds: float, event: Any = None) -> dict[str, bool]:
    return handler(event or {"source": "timer"}, Invocation(seconds))


@pytest.mark.parametrize(
    "event",
    [
        {"source": "timer"},
        {"source": "lockstep", "detail-type": "sync wanted"},
        {"Records": [{"body": "{}"}]},
        {},
        None,
    ],
)
def test_whatever_asks_for_it_a_run_does_all_there_is(world: World, event: Any) -> None:
    assert invoke(900, event) == {"is_finished": True}
    assert world.answers("This is a.txt") == ["This is a.txt."]
    assert world.hints.syncs == 0


def test_a_run_whose_time_ran_out_asks_for_another(world: World) -> None:
    assert invoke(1) == {"is_finished": False}
    assert world.hints.syncs == 1


def test_a_store_that_is_away_is_asked_again_by_the_timer_and_not_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise StoreUnavailableError()

    with monkeypatch.context() as patched:
        patched.setattr(world.index, "upsert", away)
        assert invoke(900) == {"is_finished": False}
    assert world.hints.syncs == 0
    assert invoke(900) == {"is_finished": True}
    assert world.answers("This is a.txt") == ["This is a.txt."]
