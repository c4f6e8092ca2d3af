"""What an operator is shown of a deployment: the same from the twin and from Postgres."""

from __future__ import annotations

from uuid import uuid4

from shared.catalog.operations import PostgresOperations
from shared.domain import Drift, Notice
from shared.errors import StoreUnavailableError
from shared.notices import tell_of_documents
from shared.operations import measure_deployment, record_drift, record_drill, record_snapshot
from shared.ports import Notifier, OperationsCatalog
from shared.telemetry import Meter
from shared.testing import RecordingNotifier
from tests.worlds import World


def gauges(catalog: OperationsCatalog) -> dict[str, float]:
    """As they are shown: `markers failed`, `drift missing` …"""
    meter = Meter()
    measure_deployment(catalog, meter)
    return {" ".join([it.name, *(value for _, value in it.dimensions)]): it.value for it in meter.samples()}


def test_an_empty_deployment_has_nothing_and_no_snapshot_yet(world: World) -> None:
    catalog = world.operations
    found = gauges(catalog)
    assert {name: value for name, value in found.items() if value} == {
        "snapshot_age_seconds": found["snapshot_age_seconds"]
    }
    assert found["snapshot_age_seconds"] > 0
    assert "drill_failed" not in found
    assert "drift missing" not in found


def test_what_waits_and_what_there_is_is_counted(world: World) -> None:
    catalog = world.operations
    world.put("a.txt", "The first.")
    world.objects.put(world.key("b.txt"), b"The second.")
    world.look("b.txt")
    world.put("c.bin", bytes(range(256)))
    found = gauges(catalog)
    assert (found["documents live"], found["documents building"], found["documents rejected"]) == (1, 1, 1)
    assert (found["markers pending_present"], found["markers pending_absent"], found["markers failed"]) == (1, 0, 0)
    assert 0 < found["oldest_marker_seconds"] < 60
    world.sync()
    found = gauges(catalog)
    assert (found["documents live"], found["markers pending_present"], found["oldest_marker_seconds"]) == (2, 0, 0)


def test_a_passage_that_is_to_go_waits_since_then_and_not_since_it_was_made(world: World) -> None:
    catalog = world.operations
    world.put("a.txt", "The first.")
    if isinstance(catalog, PostgresOperations):
        age = "update markers set created_at = now() - interval '3 days', delivered_at = now() - interval '2 days'"
        catalog._client.transact(lambda tx: tx.script(age))
    world.objects.delete(world.key("a.txt"))
    document_id = world.look("a.txt")
    assert document_id is not None
    world.delivery.sweep(world.bot, document_id)
    found = gauges(catalog)
    assert (found["documents deleting"], found["markers pending_absent"]) == (1, 1)
    assert found["oldest_marker_seconds"] < 60


def test_the_last_outcomes_are_kept(world: World) -> None:
    catalog = world.operations
    collection = world.bot.collection.name
    record_snapshot(catalog, "20260101T000000Z", size_bytes=5, bots=1)
    record_snapshot(catalog, "20260102T000000Z", size_bytes=7, bots=2)
    record_drill(catalog, "20260102T000000Z", failure="3 of 9 passages are missing")
    record_drift(catalog, collection, Drift(checked=10, missing=1, orphaned=2, corrupt=3, foreign=4))
    record_drift(catalog, "a_collection_of_nobody", Drift(checked=10, missing=100, orphaned=0, corrupt=0, foreign=0))
    outcomes = {outcome.operation: outcome for outcome in catalog.outcomes()}
    assert outcomes["snapshot"].figures == {"snapshot_id": "20260102T000000Z", "bytes": 7, "bots": 2}
    assert outcomes["drill"].figures["failure"] == "3 of 9 passages are missing"
    assert (outcomes["audit"].subject, outcomes["audit"].figures["checked"]) == (collection, 10)
    assert 0 <= outcomes["snapshot"].age_seconds < 60
    found = gauges(catalog)
    assert [found[f"drift {kind}"] for kind in ("missing", "orphaned", "corrupt", "foreign")] == [1, 2, 3, 4]
    assert (found["drill_failed"], found["snapshot_bytes"]) == (1, 7)
    assert found["snapshot_age_seconds"] < 60


def test_an_outcome_that_cannot_be_kept_breaks_nothing() -> None:
    class Away:
        def record_outcome(self, *arguments: object) -> None:
            raise StoreUnavailableError

    record_snapshot(Away(), "x", size_bytes=1, bots=1)  # type: ignore[arg-type]
    record_drift(Away(), "x", Drift(checked=1, missing=1, orphaned=0, corrupt=0, foreign=0))  # type: ignore[arg-type]
    record_drill(Away(), "x", failure=None)  # type: ignore[arg-type]


# Notices


def tell(world: World, notifier: Notifier) -> None:
    catalog = world.operations
    tell_of_documents(
        world.refreshed(), registry=world.registry, catalog=catalog, notifier=lambda: notifier, time_left=lambda: 900.0
    )


def test_news_of_documents_are_told_once(world: World) -> None:
    notifier = RecordingNotifier()
    world.put("a.txt", "The first.")
    world.put("b.bin", bytes(range(256)))
    world.objects.put(world.key("c.txt"), b"The third.")
    world.look("c.txt")
    tell(world, notifier)
    assert [(it.object_key, it.state) for it in notifier.notices] == [
        ("library/a.txt", "live"),
        ("library/b.bin", "rejected"),
    ]
    assert notifier.notices[1].reason
    tell(world, notifier)
    assert len(notifier.notices) == 2
    world.put("a.txt", "The first, changed.")
    world.remove("b.bin")
    tell(world, notifier)
    assert [(it.object_key, it.news) for it in notifier.notices[2:]] == [("library/a.txt", "live/2")]


def test_a_receiver_that_is_away_is_told_later_and_breaks_nothing(world: World) -> None:
    class Away:
        def notify(self, notice: Notice) -> None:
            raise StoreUnavailableError

    world.put("a.txt", "The first.")
    tell(world, Away())
    notifier = RecordingNotifier()
    tell(world, notifier)
    assert [it.state for it in notifier.notices] == ["live"]


def test_what_another_worker_tells_of_is_left_to_it(world: World) -> None:
    world.put("a.txt", "The first.")
    world.registry.claim_lease(f"notices:{world.bot.bot_id}", uuid4(), 60)
    notifier = RecordingNotifier()
    tell(world, notifier)
    assert notifier.notices == []
