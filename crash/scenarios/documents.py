"""Objects that are written, changed, spoiled and removed, and deletes by the API."""

from __future__ import annotations

from collections.abc import Sequence

from crash.faults import RefusingEmbedder
from crash.history import GUIDE, History
from crash.scenarios.scenario import SYNC, Scenario, changed, live, neighbour, removed, removed_and_swept, request
from crash.worker import Job

FOR_ONE_PART = 6  # questions of how much time is left: two before it is read, and one before each of four pairs


def _written(history: History) -> None:
    neighbour(history)
    history.write(GUIDE, "1")


def _changed_twice(history: History) -> None:
    changed(history)
    history.live()
    history.write(GUIDE, "3")


def _written_again(history: History) -> None:
    live(history)
    history.write(GUIDE, "1")


def _spoiled(history: History) -> None:
    live(history)
    history.write_nonsense()


def _removed_and_written_again(history: History) -> None:
    removed(history)
    history.lab.queue.take()
    history.live()
    history.write(GUIDE, "2")


def _building(history: History) -> None:
    """The second edition is staged and not delivered, and the third is written already."""
    changed(history)
    history.do(history.event(seconds=0))
    history.write(GUIDE, "3")


def _put_off(history: History) -> None:
    """Of the second edition the first part is staged, for there was no time for more."""
    changed(history)
    history.do(history.event(questions=FOR_ONE_PART))


def _put_off_and_changed(history: History) -> None:
    _put_off(history)
    history.write(GUIDE, "3")


def _poisoned(history: History) -> None:
    live(history)
    history.write(GUIDE, f"2 with {RefusingEmbedder.POISON}")


def _lost_collection(history: History) -> None:
    live(history)
    history.lab.observer.drop_collection(history.lab.observer.bot(history.slug)["collection"])


def _write_request(history: History) -> Sequence[Job]:
    history.touched.append(GUIDE)
    return [{"kind": "put", "bot": history.slug, "name": GUIDE, "edition": "1"}, history.event()]


def _delete_bot(history: History) -> None:
    """What the worker did not come to is asked for again."""
    status, _ = history.lab.api.send("DELETE", f"/bots/{history.slug}")
    assert status in (202, 404)
    history.is_deleted = True


def _delete_request(history: History) -> Sequence[Job]:
    return [request(history, "DELETE", f"{history.path_of()}?wait=false"), history.event()]


def _delete_document(history: History) -> None:
    if GUIDE in (history.lab.api.documents(history.slug) or {}):
        history.remove()
    history.forget(GUIDE)


SCENARIOS = (
    Scenario("upload", _written, lambda h: [h.event()]),
    Scenario("upload-in-two-looks", _written, lambda h: [h.event(questions=FOR_ONE_PART), h.event()]),
    Scenario("next-look", _put_off, lambda h: [h.event()]),
    Scenario("next-look-at-another-version", _put_off_and_changed, lambda h: [h.event()]),
    Scenario("update", changed, lambda h: [h.event()]),
    Scenario("sweep", _changed_twice, lambda h: [h.event()]),
    Scenario("re-upload", _written_again, lambda h: [h.event(), h.event()]),
    Scenario("rejection", _spoiled, lambda h: [h.event()]),
    Scenario("update-while-building", _building, lambda h: [h.event(), SYNC, h.event()]),
    Scenario("lost-event", changed, lambda h: [SYNC]),
    Scenario("delete", removed, lambda h: [h.event()]),
    Scenario("second-look", removed_and_swept, lambda h: [SYNC]),
    Scenario("write-after-delete", _removed_and_written_again, lambda h: [h.event()]),
    Scenario("poison", _poisoned, lambda h: [h.event()], is_poisoned=True),
    Scenario("index-away", changed, lambda h: [h.event()], always="index-drops"),
    Scenario("lost-collection", _lost_collection, lambda h: [SYNC]),
    Scenario("delete-request", live, _delete_request, _delete_document),
    Scenario("write-request", neighbour, _write_request),
    Scenario("bot-deletion", live, lambda h: [request(h, "DELETE", ""), SYNC], _delete_bot),
)
