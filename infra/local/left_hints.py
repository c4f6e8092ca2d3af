"""Hints from the laptop's gateway to its worker: a file each, in a folder that the worker looks through now and then."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from shared.ports import Hints

_SYNC = ""  # no object has an empty key


class LeftHints:
    """The port `Hints`, for a process that has no queue of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def object_changed(self, key: str) -> None:
        self._leave(key)

    def sync_wanted(self) -> None:
        self._leave(_SYNC)

    def _leave(self, text: str) -> None:
        note = self._folder / f"{uuid4().hex}.hint"
        unfinished = note.with_suffix(".part")
        unfinished.write_text(text, "utf-8")
        os.replace(unfinished, note)


def pass_on(folder: Path, hints: Hints) -> None:
    """Hand what was left there to `hints`. A hint may be lost or come twice: sync finds what it would have told."""
    for text in set(_taken(folder)):
        if text == _SYNC:
            hints.sync_wanted()
        else:
            hints.object_changed(text)


def _taken(folder: Path) -> Iterator[str]:
    for note in folder.glob("*.hint"):
        text = note.read_text("utf-8")
        note.unlink()
        yield text
