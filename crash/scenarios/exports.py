"""Exports that are asked for over the API."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from crash.history import History
from crash.scenarios.scenario import Scenario, live, request
from crash.worker import Job
from shared.requested_exports import EXPORTS as EXPORTS_FOLDER
from shared.requested_exports import FAILURE, REQUEST, ExportKey, new_export_id

EXPORTS: Job = {"kind": "exports"}


def _export(history: History) -> Sequence[Job]:
    return [{**request(history, "POST", "/exports"), "body": {"format": "csv"}}, EXPORTS]


def _exported(history: History) -> None:
    live(history)
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
    live(history)
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
    return [request(history, "DELETE", f"/exports/{export['export_id']}")]


SCENARIOS = (
    Scenario("export", live, _export, _export_again),
    Scenario("export-damaged", _damaged_exports, lambda h: [EXPORTS], _settle_exports),
    Scenario("export-deletion", _exported, _delete_export),
)
