"""Whatever happens, in whatever order: nothing drifts, nothing is lost, nobody reads a mixture."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from functions.sync.bucket_scan import claim_bucket
from shared.telemetry import logger
from shared.testing import InMemoryCatalog
from tests.histories import Histories, Lab
from tests.worlds import memory_world

SETTINGS = settings(
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


class Clock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pass_time(self, seconds: float) -> None:
        self.now += seconds


def twins() -> Histories:
    clock = Clock()
    catalog = InMemoryCatalog(clock)
    world = memory_world(
        registry=catalog.registry, documents=catalog.documents, delivery=catalog.delivery, reading=catalog.reading
    )
    claim_bucket(world.objects, world.registry.deployment_id())
    return Histories(Lab(world, clock.pass_time))


@pytest.fixture(autouse=True)
def _quiet_logs() -> Iterator[None]:
    """Faults are injected: errors are what is expected, thousands of them."""
    level = logger().log_level
    logger().setLevel("CRITICAL")
    yield
    logger().setLevel(level)


def test_no_history_of_the_twins_breaks_a_promise() -> None:
    run_state_machine_as_test(
        twins,
        settings=settings(SETTINGS, max_examples=int(__import__("os").environ.get("N", "60")), stateful_step_count=40),
    )  # type: ignore[no-untyped-call]
