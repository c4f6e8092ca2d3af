"""The laptop's background process: a watched bucket, a queue in front of ingest, and timers. The handlers are the cloud's."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from functions.backup import handler as backup
from functions.backup.drill import is_drill_due
from functions.ingest import handler as ingest
from functions.sync import handler as sync
from infra.local.left_hints import pass_on
from infra.local.metrics import write_samples
from infra.local.queue import HintQueue
from shared import wiring
from shared.errors import LockstepError
from shared.folder import FolderObjectStore
from shared.milvus import MilvusIndex
from shared.requested_exports import ExportKey, stored_exports
from shared.telemetry import logger, meter

MESSAGES_AT_ONCE = 10
SYNC_EVERY_SECONDS = 60.0
HEAR_SECONDS = 0.2  # an empty folder is looked through in no time
METRICS_EVERY_SECONDS = 5.0
BACKUP_LOOK_SECONDS = 60.0  # whether one is due
EXPORT_LOOK_SECONDS = 2.0  # whether one was asked for; in a folder, which costs next to nothing
INVOCATION_SECONDS = 15 * 60.0
NICENESS = 10  # embedding takes the cores that nobody else wants: a question goes before an upload


@dataclass(frozen=True, slots=True)
class Context:
    """What a function is told of its invocation."""

    deadline: float

    @classmethod
    def fresh(cls) -> Context:
        return cls(time.monotonic() + INVOCATION_SECONDS)

    def get_remaining_time_in_millis(self) -> int:
        return int(max(0.0, self.deadline - time.monotonic()) * 1000)


def main() -> None:
    """Run until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worker-metrics", type=Path, required=True, help="where its figures are left for the gateway")
    parser.add_argument("--hints", type=Path, required=True, help="where the gateway leaves hints")
    options = parser.parse_args()
    os.nice(NICENESS)
    bucket = wiring.bucket()
    assert isinstance(bucket, FolderObjectStore)
    queue = HintQueue("laptop")
    wiring.install_hints(queue)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    def hear(queue: HintQueue, bucket: FolderObjectStore, stop: threading.Event) -> None:
        """What the gateway wants done soon: a retry, a rollback, a deleted pair."""
        while not stop.wait(HEAR_SECONDS):
            pass_on(options.hints, queue)

    for work in (_watch, hear, _ingest, _sync, _back_up, _export):
        threading.Thread(target=_guarded, args=(work, queue, bucket, stop), name=work.__name__, daemon=True).start()
    while not stop.wait(METRICS_EVERY_SECONDS):
        write_samples(options.worker_metrics, meter().samples())
    # Whatever is under way is resumed by the next start; there is nothing to wait for.
    sys.exit(0)


def _guarded(work: Any, queue: HintQueue, bucket: FolderObjectStore, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            work(queue, bucket, stop)
        except Exception:
            logger().exception("the worker goes on after an error", part=work.__name__)
            stop.wait(1.0)


def _watch(queue: HintQueue, bucket: FolderObjectStore, stop: threading.Event) -> None:
    """Tell of every change below the bucket's folder."""
    from watchfiles import watch

    root = bucket.root
    for changes in watch(root, watch_filter=None, debounce=200, step=20, stop_event=stop, raise_interrupt=False):
        for _, name in changes:
            path = Path(name)
            if path.is_dir() or not path.suffix:  # a whole folder came or went: compare everything
                queue.sync_wanted()
            if not path.is_dir() and (key := bucket.key_of(path)):
                queue.object_changed(key)


def _ingest(queue: HintQueue, bucket: FolderObjectStore, stop: threading.Event) -> None:
    """Hand what is due to the function, as SQS would."""
    while not stop.is_set():
        messages = queue.receive(MESSAGES_AT_ONCE, wait_seconds=1.0)
        if not messages:
            continue
        try:
            answer = ingest.handler(queue.event(messages), Context.fresh())
            failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        except Exception:
            logger().exception("ingest failed")
            failed = {str(message.order) for message in messages}
        for message in messages:
            if str(message.order) in failed:
                queue.give_again(message)
        _settle()


def _sync(queue: HintQueue, bucket: FolderObjectStore, stop: threading.Event) -> None:
    """At the start, when asked, and now and then."""
    while not stop.is_set():
        queue.sync_asked.clear()
        sync.handler({"source": "timer"}, Context.fresh())
        _settle()
        deadline = time.monotonic() + SYNC_EVERY_SECONDS
        while not stop.is_set() and not queue.sync_asked.wait(1.0) and time.monotonic() < deadline:
            pass


def _back_up(queue: HintQueue, bucket: FolderObjectStore, stop: threading.Event) -> None:
    """Once a day, and a restore drill once a week, as long as the laptop is on."""
    while not stop.wait(BACKUP_LOOK_SECONDS):
        while not stop.is_set() and not backup.handler({"source": "timer"}, Context.fresh())["is_finished"]:
            stop.wait(BACKUP_LOOK_SECONDS)
        if is_drill_due(wiring.backups(), wiring.registry().deployment_id()):
            backup.handler({"source": "timer", "task": "drill"}, Context.fresh())


def _export(queue: HintQueue, bucket: FolderObjectStore, stop: threading.Event) -> None:
    """Soon after it was asked for. What is put off is left to `_back_up`, and so is what lies in a store elsewhere."""
    backups = wiring.backups()
    if not isinstance(backups, FolderObjectStore):
        stop.wait()
        return
    tried: set[ExportKey] = set()
    while not stop.wait(EXPORT_LOOK_SECONDS):
        waiting = {stored.key for stored in stored_exports(backups) if stored.is_waiting}
        if waiting - tried:
            backup.handler({"source": "timer", "task": "exports"}, Context.fresh())
        tried = waiting


def _settle() -> None:
    index = wiring.index()
    assert isinstance(index, MilvusIndex)
    bots = wiring.registry().bots()
    held = (collection for bot in bots for collection in (bot.collection, *bot.other_collections))
    for collection in {collection.name: collection for collection in held}.values():
        try:
            index.settle(collection)
        except LockstepError as error:
            logger().info("not settled yet", error=str(error))


if __name__ == "__main__":
    main()
