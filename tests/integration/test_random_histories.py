"""Whatever happens, in whatever order: nothing drifts, nothing is lost, nobody reads a mixture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, cast
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from crash.api import Api
from crash.checker import Checker
from crash.deployment import Deployment
from crash.observer import Observer
from crash.texts import editions
from functions.query.app import create_app
from functions.sync.bucket_scan import claim_bucket
from infra.local.milvus import EmbeddedMilvus
from shared.telemetry import logger
from shared.testing import InMemoryCatalog, InMemoryObjectStore, RecordingHints
from tests.api import services_of
from tests.histories import Histories, Lab
from tests.worlds import memory_world, real_world

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
    editions_before: dict[UUID, int] = {}

    def always() -> None:
        rows = catalog.state.bots[world.bot.bot_id]
        for document in rows.documents.values():
            for generation in document.generations.values():
                if generation.state in ("live", "kept"):
                    markers = [rows.markers[passage_id] for passage_id in generation.members]
                    assert all((m.wanted, m.state) == ("present", "delivered") for m in markers), "live and not proven"
            if document.live is not None:
                members = document.generations[document.live].members
                (edition,) = editions(rows.passages[passage_id].pair.response for passage_id in members)
                assert int(edition) >= editions_before.get(document.document_id, 0), "an old edition came back"
                editions_before[document.document_id] = int(edition)

    return Histories(Lab(world, clock.pass_time, always=always))


@pytest.fixture(autouse=True)
def _quiet_logs() -> Iterator[None]:
    """Faults are injected: errors are what is expected, thousands of them."""
    level = logger().log_level
    logger().setLevel("CRITICAL")
    yield
    logger().setLevel(level)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A document of six pairs takes three transactions, between which time may run out."""
    monkeypatch.setattr("functions.ingest.staging.PART_PAIRS", 2)


def run(make: Callable[[], Histories], *, examples: int, rules: int) -> None:
    chosen = settings(SETTINGS, max_examples=examples, stateful_step_count=rules)
    run_state_machine_as_test(cast(Any, make), settings=chosen)


def test_no_history_of_the_twins_breaks_a_promise() -> None:
    run(twins, examples=100, rules=50)


def test_no_history_of_the_real_stores_breaks_a_promise(catalog_url: str, milvus_server: EmbeddedMilvus) -> None:
    observer = Observer(Deployment(catalog_url, milvus_server.uri, "nowhere"))
    slugs = (f"library-{number}" for number in count(1))
    with real_world(catalog_url, milvus_server.uri) as world, Api(create_app(services_of(world))) as api:
        observer.erase_bot(world.bot.slug)

        def real() -> Histories:
            world.objects, world.hints = InMemoryObjectStore(), RecordingHints()
            world.bot = world.register(next(slugs))
            claim_bucket(world.objects, world.registry.deployment_id())
            checker = Checker(observer, api, world.bot.slug)
            return Histories(
                Lab(
                    world,
                    observer.pass_time,
                    checker.violations,
                    checker.stuck,
                    close=lambda: observer.erase_bot(world.bot.slug),
                )
            )

        run(real, examples=10, rules=40)
    observer.close()
