"""The operations that are interrupted. A further one is a few lines: what was before, and what a worker then does."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from crash.faults import RefusingEmbedder
from crash.history import GUIDE, NEIGHBOUR, History
from crash.worker import Job

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


def _neighbour(history: History) -> None:
    history.write(NEIGHBOUR)
    history.live(NEIGHBOUR)


def _live(history: History) -> None:
    _neighbour(history)
    history.write(GUIDE, "1")
    history.live()


def _written(history: History) -> None:
    _neighbour(history)
    history.write(GUIDE, "1")


def _changed(history: History) -> None:
    _live(history)
    history.write(GUIDE, "2")


def _changed_twice(history: History) -> None:
    _changed(history)
    history.live()
    history.write(GUIDE, "3")


def _written_again(history: History) -> None:
    _live(history)
    history.write(GUIDE, "1")


def _spoiled(history: History) -> None:
    _live(history)
    history.write_nonsense()


def _removed(history: History) -> None:
    _live(history)
    history.ask()
    history.remove()


def _removed_and_swept(history: History) -> None:
    _removed(history)
    history.live()
    history.pass_time()


def _removed_and_written_again(history: History) -> None:
    _removed(history)
    history.lab.queue.take()
    history.live()
    history.write(GUIDE, "2")


def _building(history: History) -> None:
    """The second edition is staged and not delivered, and the third is written already."""
    _changed(history)
    history.do(history.event(seconds=0))
    history.write(GUIDE, "3")


def _poisoned(history: History) -> None:
    _live(history)
    history.write(GUIDE, f"2 with {RefusingEmbedder.POISON}")


def _lost_collection(history: History) -> None:
    _live(history)
    history.lab.observer.drop_collection(history.lab.observer.bot(history.slug)["collection"])


def _write_request(history: History) -> Sequence[Job]:
    history.touched.append(GUIDE)
    return [{"kind": "put", "bot": history.slug, "name": GUIDE, "edition": "1"}, history.event()]


def _request(history: History, method: str, path: str) -> Job:
    return {"kind": "request", "method": method, "path": f"/bots/{history.slug}{path}"}


def _delete_bot(history: History) -> None:
    """What the worker did not come to is asked for again."""
    status, _ = history.lab.api.send("DELETE", f"/bots/{history.slug}")
    assert status in (202, 404)
    history.is_deleted = True


def _delete_request(history: History) -> Sequence[Job]:
    document_id = (history.lab.api.documents(history.slug) or {})[GUIDE]["document_id"]
    return [_request(history, "DELETE", f"/documents/{document_id}?wait=false"), history.event()]


def _delete_document(history: History) -> None:
    for document in (history.lab.api.documents(history.slug) or {}).values():
        if document["name"] == GUIDE:
            history.expect(202, "DELETE", f"/bots/{history.slug}/documents/{document['document_id']}?wait=false")
    history.forget(GUIDE)


def _saved(history: History) -> None:
    _live(history)
    for folder in history.lab.deployment.backups.iterdir():
        shutil.rmtree(folder)
    history.do({"kind": "backup"})


def _lost_and_saved(history: History) -> None:
    """The bot is in a snapshot, and nowhere else but in the bucket."""
    _saved(history)
    history.lab.observer.erase_bot(history.slug)


def _restore(history: History) -> None:
    """A restore that was interrupted is begun again, unless it has come so far that the timers finish it."""
    history.pass_time()
    if history.lab.api.documents(history.slug) is None:
        history.do({"kind": "restore", "bot": history.slug})


def _back_up_again(history: History) -> None:
    history.pass_time()
    history.do({"kind": "backup"})


SCENARIOS = (
    Scenario("upload", _written, lambda h: [h.event()]),
    Scenario("update", _changed, lambda h: [h.event()]),
    Scenario("sweep", _changed_twice, lambda h: [h.event()]),
    Scenario("re-upload", _written_again, lambda h: [h.event(), h.event()]),
    Scenario("rejection", _spoiled, lambda h: [h.event()]),
    Scenario("update-while-building", _building, lambda h: [h.event(), SYNC, h.event()]),
    Scenario("lost-event", _changed, lambda h: [SYNC]),
    Scenario("delete", _removed, lambda h: [h.event()]),
    Scenario("second-look", _removed_and_swept, lambda h: [SYNC]),
    Scenario("write-after-delete", _removed_and_written_again, lambda h: [h.event()]),
    Scenario("poison", _poisoned, lambda h: [h.event()], is_poisoned=True),
    Scenario("index-away", _changed, lambda h: [h.event()], always="index-drops"),
    Scenario("lost-collection", _lost_collection, lambda h: [SYNC]),
    Scenario("delete-request", _live, _delete_request, _delete_document),
    Scenario("write-request", _neighbour, _write_request),
    Scenario("bot-deletion", _live, lambda h: [_request(h, "DELETE", ""), SYNC], _delete_bot),
    Scenario("snapshot", _live, lambda h: [{"kind": "backup"}], _back_up_again),
    Scenario("restore", _lost_and_saved, lambda h: [{"kind": "restore", "bot": h.slug}], _restore),
)
