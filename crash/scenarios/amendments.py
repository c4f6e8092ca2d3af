"""Single pairs, kept generations, another try."""

from __future__ import annotations

from collections.abc import Sequence

from crash.history import GUIDE, History
from crash.scenarios.scenario import SYNC, Scenario, changed, live, request
from crash.worker import Job


def _correct(history: History) -> Sequence[Job]:
    """Its words stay as they are, so that the checker knows them."""
    path = history.path_of_pair(1)
    qa_id = path.rpartition("/")[2]
    body = {"category": "corrected"}
    return [
        {**request(history, "PUT", f"{path}?wait=false"), "body": body},
        history.event(f".corrections/{qa_id}.json"),
    ]


def _corrected(history: History) -> None:
    live(history)
    for job in _correct(history):
        history.do(job)


def _undo(history: History) -> Sequence[Job]:
    (correction,) = [name for name in history.lab.api.documents(history.slug) or {} if name.startswith(".")]
    qa_id = correction.rpartition("/")[2].removesuffix(".json")
    return [request(history, "DELETE", f"/pairs/{qa_id}/correction?wait=false"), history.event(correction)]


def _corrected_and_removed(history: History) -> None:
    _corrected(history)
    history.remove()
    history.live()


def _write_second_edition(history: History) -> None:
    """Whatever became of the pair, the file says something new of it."""
    history.pass_time()
    history.write(GUIDE, "2")


def _delete_pair(history: History) -> Sequence[Job]:
    return [request(history, "DELETE", f"{history.path_of_pair(4)}?wait=false"), SYNC]


def _kept(history: History) -> None:
    changed(history)
    history.live()


def _roll_back(history: History) -> Sequence[Job]:
    return [request(history, "POST", f"{history.path_of()}/rollback")]


def _as_it_answers(history: History) -> None:
    """Nobody told the client which of the two it is: either stays, unless somebody removed it meanwhile."""
    history.pass_time()
    history.run_timers(rounds=6, seconds=1.0)
    if GUIDE in history.written:
        history.answering[GUIDE] = history.answered_edition()


def _failed(history: History) -> None:
    """Its second edition could not be delivered."""
    changed(history)
    history.do(history.event(seconds=0))
    bot = history.lab.observer.bot(history.slug)
    for statement in (
        "update markers set state = 'failed', attempts = 8, last_error = 'x' where bot_id = :bot_id and state = 'pending'",
        "update documents set state = 'failed', reason = 'x' where bot_id = :bot_id and building_generation is not null",
    ):
        history.lab.observer.sql(statement, bot_id=bot["bot_id"])


def _retry(history: History) -> Sequence[Job]:
    return [request(history, "POST", f"{history.path_of()}/retry"), SYNC]


def _retry_again(history: History) -> None:
    history.pass_time()
    document = (history.lab.api.documents(history.slug) or {}).get(GUIDE)  # none if somebody removed it meanwhile
    if document and document["state"] == "failed":
        history.expect(200, "POST", f"/bots/{history.slug}{history.path_of()}/retry")


SCENARIOS = (
    Scenario("correction", live, _correct),
    Scenario("correction-undone", _corrected, _undo),
    Scenario("correction-abandoned", _corrected_and_removed, lambda h: [SYNC]),
    Scenario("pair-deletion", live, _delete_pair, _write_second_edition, lacks_pairs=True),
    Scenario("rollback", _kept, _roll_back, _as_it_answers),
    Scenario("retry", _failed, _retry, _retry_again),
)
