"""Waits for ingest to finish with what was written, a little shorter than an HTTP API waits for us."""

from __future__ import annotations

import time
from dataclasses import dataclass

from shared.domain import Bot, DocumentStatus, ObjectVersion
from shared.ports import DocumentCatalog

WAIT_SECONDS = 25.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.5


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a written object, and whether ingest is done with that very content."""

    status: DocumentStatus | None
    is_done: bool


def wait_until_seen(
    documents: DocumentCatalog, bot: Bot, version: ObjectVersion, *, seconds: float | None = None
) -> Seen:
    """Wait until the version is live, rejected or failed. With 0 seconds, look once."""
    deadline = time.monotonic() + (WAIT_SECONDS if seconds is None else seconds)
    pause = _FIRST_PAUSE
    while True:
        status = documents.document_of(bot, version.key)
        is_done = (
            status is not None
            and status.seen_version == version.token
            and status.state not in ("observing", "building")
        )
        if is_done or time.monotonic() + pause > deadline:
            return Seen(status, is_done)
        time.sleep(pause)
        pause = min(_LONGEST_PAUSE, pause * 1.5)


def wait_until_gone(
    documents: DocumentCatalog, bot: Bot, status: DocumentStatus, *, seconds: float | None = None
) -> bool:
    """Wait until the document answers no more; returns whether that is so. With 0 seconds, look once."""
    deadline = time.monotonic() + (WAIT_SECONDS if seconds is None else seconds)
    while True:
        found = documents.document_of(bot, status.object_key)
        if found is None or found.document_id != status.document_id:
            return True
        if time.monotonic() + _FIRST_PAUSE > deadline:
            return False
        time.sleep(_FIRST_PAUSE)
