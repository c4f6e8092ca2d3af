"""What sync finds and makes good: an index that somebody else altered, terms of an older version."""

from __future__ import annotations

from uuid import uuid4

from crash.history import History
from crash.scenarios.scenario import SYNC, Scenario, live


def _let_audit_run(history: History) -> None:
    """As if a day had passed since the last one."""
    history.lab.observer.sql("delete from claims where name like 'audit:%'")


def _drifted(history: History) -> None:
    """A row is missing, one is altered, one is nobody's, and a passage has lost its marker."""
    live(history)
    observer = history.lab.observer
    bot = observer.bot(history.slug)
    rows = list(observer.rows(bot["collection"], bot["bot_id"]).values())
    observer.delete_rows(bot["collection"], [rows[0]["passage_id"]])
    stray = {**rows[2], "passage_id": str(uuid4())}
    observer.write_rows(bot["collection"], [{**rows[1], "response": "something else"}, stray])
    observer.sql(
        "delete from markers where bot_id = :bot_id and passage_id = cast(:passage_id as uuid)",
        bot_id=bot["bot_id"],
        passage_id=rows[3]["passage_id"],
    )
    _let_audit_run(history)


def _audit_again(history: History) -> None:
    history.pass_time()
    _let_audit_run(history)


def _analysed_before(history: History) -> None:
    """The terms of the passages are those of older rules."""
    live(history)
    observer = history.lab.observer
    bot_id = observer.bot(history.slug)["bot_id"]
    observer.sql("update passages set analysis = 0, lexemes = '', term_count = 0 where bot_id = :bot_id", bot_id=bot_id)


SCENARIOS = (
    Scenario("audit", _drifted, lambda h: [SYNC], _audit_again),
    Scenario("new terms", _analysed_before, lambda h: [SYNC]),
)
