"""The operations that are interrupted. A further one is a few lines: what was before, and what a worker then does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

from crash.faults import RefusingEmbedder
from crash.history import GUIDE, NEIGHBOUR, History
from crash.worker import Job
from shared import wiring
from shared.errors import NotFoundError, StoreUnavailableError
from shared.requested_exports import EXPORTS as EXPORTS_FOLDER
from shared.requested_exports import FAILURE, REQUEST, ExportKey, new_export_id
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
    return [_request(history, "DELETE", f"{history.path_of()}?wait=false"), history.event()]


def _delete_document(history: History) -> None:
    if GUIDE in (history.lab.api.documents(history.slug) or {}):
        history.remove()
    history.forget(GUIDE)


def _never_saved(history: History) -> None:
    _live(history)
    for folder in history.lab.deployment.backups.iterdir():
        shutil.rmtree(folder)


def _saved(history: History) -> None:
    _never_saved(history)
    history.do({"kind": "backup"})


def _saved_long_ago(history: History) -> None:
    """The only snapshot is so old that the next one ends its time."""
    _saved(history)
    (manifest,) = history.lab.deployment.backups.glob("snapshots/*.json")
    content = json.loads(manifest.read_text())
    taken = datetime(2001, 2, 3, tzinfo=UTC)
    content["created_at"] = taken.isoformat()
    content["snapshot_id"] = taken.strftime("%Y%m%dT%H%M%S.%fZ") + content["snapshot_id"][-9:]
    manifest.unlink()
    manifest.with_name(f"{content['snapshot_id']}.json").write_text(json.dumps(content))
    history.write(GUIDE, "2")
    history.live()


def _lost_and_saved(history: History) -> None:
    """The bot is in a snapshot, and nowhere else but in the bucket."""
    _saved(history)
    history.lab.observer.erase_bot(history.slug)


def _all_lost(history: History) -> None:
    """Its objects are gone as well."""
    _lost_and_saved(history)
    shutil.rmtree(history.lab.deployment.bucket / history.slug)


def _restore_was_broken_off(history: History) -> None:
    """Its rows are there, and it answers nothing."""
    _lost_and_saved(history)

    def die(boundary: str) -> None:
        if boundary == "restore.slice-delivered":
            raise StoreUnavailableError("The restore was broken off.")

    listen(die)
    try:
        history.do({"kind": "restore", "bot": history.slug})
    except StoreUnavailableError:
        history.pass_time()
    finally:
        listen(None)


def _discard(history: History) -> None:
    """What was discarded is restored from the start."""
    history.pass_time()
    try:
        history.do({"kind": "discard", "bot": history.slug})
    except NotFoundError:
        """The worker has come to the end of it."""
    history.do({"kind": "restore", "bot": history.slug})


def _drill_again(history: History) -> None:
    history.pass_time()
    if history.do({"kind": "drill"})["error"]:
        raise RuntimeError("The drill after the interrupted one failed.")


# Drift


def _let_audit_run(history: History) -> None:
    """As if a day had passed since the last one."""
    history.lab.observer.sql("delete from claims where name like 'audit:%'")


def _drifted(history: History) -> None:
    """A row is missing, one is altered, one is nobody's, and a passage has lost its marker."""
    _live(history)
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


# Single pairs, kept generations, another try


def _correct(history: History) -> Sequence[Job]:
    """Its words stay as they are, so that the checker knows them."""
    path = history.path_of_pair(1)
    qa_id = path.rpartition("/")[2]
    body = {"category": "corrected"}
    return [
        {**_request(history, "PUT", f"{path}?wait=false"), "body": body},
        history.event(f".corrections/{qa_id}.json"),
    ]


def _corrected(history: History) -> None:
    _live(history)
    for job in _correct(history):
        history.do(job)


def _undo(history: History) -> Sequence[Job]:
    (correction,) = [name for name in history.lab.api.documents(history.slug) or {} if name.startswith(".")]
    qa_id = correction.rpartition("/")[2].removesuffix(".json")
    return [_request(history, "DELETE", f"/pairs/{qa_id}/correction?wait=false"), history.event(correction)]


def _corrected_and_removed(history: History) -> None:
    _corrected(history)
    history.remove()
    history.live()


def _write_second_edition(history: History) -> None:
    """Whatever became of the pair, the file says something new of it."""
    history.pass_time()
    history.write(GUIDE, "2")


def _delete_pair(history: History) -> Sequence[Job]:
    return [_request(history, "DELETE", f"{history.path_of_pair(4)}?wait=false"), SYNC]


def _kept(history: History) -> None:
    _changed(history)
    history.live()


def _roll_back(history: History) -> Sequence[Job]:
    return [_request(history, "POST", f"{history.path_of()}/rollback")]


def _as_it_answers(history: History) -> None:
    """Nobody told the client which of the two it is: either stays, unless somebody removed it meanwhile."""
    history.pass_time()
    history.run_timers(rounds=6, seconds=1.0)
    if GUIDE in history.written:
        history.answering[GUIDE] = history.answered_edition()


def _failed(history: History) -> None:
    """Its second edition could not be delivered."""
    _changed(history)
    history.do(history.event(seconds=0))
    bot = history.lab.observer.bot(history.slug)
    for statement in (
        "update markers set state = 'failed', attempts = 8, last_error = 'x' where bot_id = :bot_id and state = 'pending'",
        "update documents set state = 'failed', reason = 'x' where bot_id = :bot_id and building_generation is not null",
    ):
        history.lab.observer.sql(statement, bot_id=bot["bot_id"])


def _retry(history: History) -> Sequence[Job]:
    return [_request(history, "POST", f"{history.path_of()}/retry"), SYNC]


def _retry_again(history: History) -> None:
    history.pass_time()
    document = (history.lab.api.documents(history.slug) or {}).get(GUIDE)  # none if somebody removed it meanwhile
    if document and document["state"] == "failed":
        history.expect(200, "POST", f"/bots/{history.slug}{history.path_of()}/retry")


# Another embedder


def _reembed_again(history: History) -> None:
    history.pass_time()
    history.do({"kind": "reembed", "bot": history.slug})


def _moved(history: History) -> None:
    _live(history)
    history.do({"kind": "reembed", "bot": history.slug})
    history.pass_time()


def _moved_and_lost(history: History) -> None:
    """The bot is on its way, and the collection that it is on its way to is gone."""
    _live(history)

    def die(boundary: str) -> None:
        if boundary == "reembed.documents-delivered":
            raise StoreUnavailableError("The change was broken off.")

    listen(die)
    try:
        history.do({"kind": "reembed", "bot": history.slug})
    except StoreUnavailableError:
        history.pass_time()
    finally:
        listen(None)
    (other,) = history.lab.observer.sql(
        "select c.name from bots b join collections c on c.collection_id = b.next_collection_id where b.slug = :slug",
        slug=history.slug,
    )
    history.lab.observer.drop_collection(other["name"])


# The deletion ledger


def _behind(history: History) -> None:
    """The ledger has a delete that the catalog does not know: it was set back, or its worker died."""
    _live(history)
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
    _live(history)
    wiring.ledger().append(wiring.registry().bot(history.slug), "bot")
    history.is_deleted = True


def _logged_late(history: History) -> None:
    """An answer that was on its way when its document went, and a question of long ago."""
    _removed_and_swept(history)
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


def _restore(history: History) -> None:
    """A restore that was interrupted is begun again, unless it has come so far that the timers finish it."""
    history.pass_time()
    if history.lab.api.documents(history.slug) is None:
        history.do({"kind": "restore", "bot": history.slug})


def _back_up_again(history: History) -> None:
    history.pass_time()
    history.do({"kind": "backup"})


EXPORTS: Job = {"kind": "exports"}


def _export(history: History) -> Sequence[Job]:
    return [{**_request(history, "POST", "/exports"), "body": {"format": "csv"}}, EXPORTS]


def _exported(history: History) -> None:
    _live(history)
    history.expect(202, "POST", f"/bots/{history.slug}/exports", {"format": "csv"})
    history.do(EXPORTS)


def _export_again(history: History) -> None:
    """Whatever was asked for is there in the end."""
    history.pass_time()
    history.do(EXPORTS)
    exports = history.expect(200, "GET", f"/bots/{history.slug}/exports")["exports"]
    if any(export["state"] != "finished" for export in exports):
        raise RuntimeError(f"An export was not finished: {exports}")


def _damaged_exports(history: History) -> None:
    """A request that cannot be read, and a file whose request was deleted while it was written."""
    _live(history)
    bot_id = UUID(str(history.lab.observer.bot(history.slug)["bot_id"]))
    for name in (REQUEST, "0123/pairs.csv"):
        path = history.lab.deployment.backups / f"{ExportKey(bot_id, new_export_id()).prefix}{name}"
        path.parent.mkdir(parents=True)
        path.write_text("damaged")


def _settle_exports(history: History) -> None:
    history.pass_time()
    history.do(EXPORTS)
    bot_id = history.lab.observer.bot(history.slug)["bot_id"]
    left = [path.name for path in (history.lab.deployment.backups / EXPORTS_FOLDER / str(bot_id)).rglob("*.*")]
    if sorted(left) != [FAILURE, REQUEST]:
        raise RuntimeError(f"Of a damaged request and a file without one there is left: {left}")


def _delete_export(history: History) -> Sequence[Job]:
    (export,) = history.expect(200, "GET", f"/bots/{history.slug}/exports")["exports"]
    return [_request(history, "DELETE", f"/exports/{export['export_id']}")]


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
    Scenario("snapshot", _never_saved, lambda h: [{"kind": "backup"}], _back_up_again),
    Scenario("second-snapshot", _saved_long_ago, lambda h: [{"kind": "backup"}], _back_up_again),
    Scenario("restore", _lost_and_saved, lambda h: [{"kind": "restore", "bot": h.slug}], _restore),
    Scenario("restore-all", _all_lost, lambda h: [{"kind": "restore", "bot": h.slug}], _restore),
    Scenario("discard", _restore_was_broken_off, lambda h: [{"kind": "discard", "bot": h.slug}], _discard),
    Scenario("drill", _saved, lambda h: [{"kind": "drill"}], _drill_again),
    Scenario("export", _live, _export, _export_again),
    Scenario("export-damaged", _damaged_exports, lambda h: [EXPORTS], _settle_exports),
    Scenario("export-deletion", _exported, _delete_export),
    Scenario("audit", _drifted, lambda h: [SYNC], _audit_again),
    Scenario("correction", _live, _correct),
    Scenario("correction-undone", _corrected, _undo),
    Scenario("correction-abandoned", _corrected_and_removed, lambda h: [SYNC]),
    Scenario("pair-deletion", _live, _delete_pair, _write_second_edition, lacks_pairs=True),
    Scenario("rollback", _kept, _roll_back, _as_it_answers),
    Scenario("retry", _failed, _retry, _retry_again),
    Scenario("reembed", _live, lambda h: [{"kind": "reembed", "bot": h.slug}], _reembed_again),
    Scenario("reembed-lost", _moved_and_lost, lambda h: [{"kind": "reembed", "bot": h.slug}], _reembed_again),
    Scenario("reembed-left", _moved, lambda h: [SYNC]),
    Scenario("behind", _behind, lambda h: [SYNC]),
    Scenario("bot-behind", _bot_behind, lambda h: [SYNC]),
    Scenario("late-logs", _logged_late, lambda h: [SYNC]),
)
