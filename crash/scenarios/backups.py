"""Snapshots, restores and drills."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime

from crash.history import GUIDE, History
from crash.scenarios.scenario import Scenario, break_off, live
from shared.errors import NotFoundError


def _never_saved(history: History) -> None:
    live(history)
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
    break_off(history, {"kind": "restore", "bot": history.slug}, "restore.slice-delivered")


def _restore(history: History) -> None:
    """A restore that was interrupted is begun again, unless it has come so far that the timers finish it."""
    history.pass_time()
    if history.lab.api.documents(history.slug) is None:
        history.do({"kind": "restore", "bot": history.slug})


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


def _back_up_again(history: History) -> None:
    history.pass_time()
    history.do({"kind": "backup"})


SCENARIOS = (
    Scenario("snapshot", _never_saved, lambda h: [{"kind": "backup"}], _back_up_again),
    Scenario("second-snapshot", _saved_long_ago, lambda h: [{"kind": "backup"}], _back_up_again),
    Scenario("restore", _lost_and_saved, lambda h: [{"kind": "restore", "bot": h.slug}], _restore),
    Scenario("restore-all", _all_lost, lambda h: [{"kind": "restore", "bot": h.slug}], _restore),
    Scenario("discard", _restore_was_broken_off, lambda h: [{"kind": "discard", "bot": h.slug}], _discard),
    Scenario("drill", _saved, lambda h: [{"kind": "drill"}], _drill_again),
)
