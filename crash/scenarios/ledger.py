"""The deletion ledger, and what came behind a delete."""

from __future__ import annotations

import json
from uuid import UUID, uuid4

from crash.history import GUIDE, History
from crash.scenarios.scenario import SYNC, Scenario, live, removed_and_swept
from shared import wiring


def _behind(history: History) -> None:
    """The ledger has a delete that the catalog does not know: it was set back, or its worker died."""
    live(history)
    bot = wiring.registry().bot(history.slug)
    document_id = UUID(history.path_of().rpartition("/")[2])
    wiring.ledger().append(bot, "document", document_id=document_id, object_key=f"{history.slug}/{GUIDE}")
    _enter_long_ago(history)


def _enter_long_ago(history: History) -> None:
    """An entry that is so old that it is settled, of a document that nobody has."""
    folder = history.lab.deployment.bucket / ".lockstep" / "ledger" / history.slug
    newest = json.loads(max(folder.iterdir()).read_text())
    old = {**newest, "entry": "001000000000000-0123456789ab", "document_id": str(uuid4()), "object_key": None}
    (folder / f"{old['entry']}.json").write_text(json.dumps(old))


def _bot_behind(history: History) -> None:
    """The ledger has the delete of the bot."""
    live(history)
    wiring.ledger().append(wiring.registry().bot(history.slug), "bot")
    history.is_deleted = True


def _logged_late(history: History) -> None:
    """An answer that was on its way when its document went, and a question of long ago."""
    removed_and_swept(history)
    bot_id = history.lab.observer.bot(history.slug)["bot_id"]
    history.lab.observer.sql(
        "insert into query_logs (bot_id, query_id, question, answer, response_time_ms, document_ids, citations) "
        "select bot_id, gen_random_uuid(), 'q', 'a', 1, array[document_id], '[]' from tombstones where bot_id = :bot_id",
        bot_id=bot_id,
    )
    history.lab.observer.sql(
        "insert into query_logs (bot_id, query_id, question, response_time_ms, created_at) "
        "values (:bot_id, gen_random_uuid(), 'q', 1, now() - interval '3 years')",
        bot_id=bot_id,
    )


SCENARIOS = (
    Scenario("behind", _behind, lambda h: [SYNC]),
    Scenario("bot-behind", _bot_behind, lambda h: [SYNC]),
    Scenario("late-logs", _logged_late, lambda h: [SYNC]),
)
