"""Asks all the time, while writers come and go, and notes every answer that breaks a promise."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from crash.api import Api, answers_by_document
from crash.texts import PAIRS, editions

PAUSE_SECONDS = 0.01  # it shares the machine with the writers


class Reader(threading.Thread):
    """Searches one bot until it is told to stop."""

    def __init__(self, api: Api, bot: str, *, lacks_pairs: bool = False) -> None:
        super().__init__(name=f"reader of {bot}", daemon=True)
        self._api, self._bot, self._lacks_pairs = api, bot, lacks_pairs
        self._stop_asked = threading.Event()
        self.violations: list[str] = []
        self.searches = 0

    def run(self) -> None:
        while not self._stop_asked.is_set():
            try:
                self._look()
                self._stop_asked.wait(PAUSE_SECONDS)
            except Exception as error:
                self.violations.append(f"the API failed: {type(error).__name__}: {error}")
                return

    def stop(self) -> list[str]:
        """What was found; each kind once."""
        self._stop_asked.set()
        self.join(30)
        return list(dict.fromkeys(self.violations))

    def _look(self) -> None:
        before = self._api.documents(self._bot)
        status, found = self._api.search(self._bot, "What does it say on the topic?")
        after = self._api.documents(self._bot)
        self.searches += 1
        if before is None and after is None and status != 404:
            self.violations.append(f"a bot that is gone answered with {status}")
        if status not in (200, 404):
            self.violations.append(f"a search was answered with {status}: {found}")
        if before is not None and after is not None and status == 200:
            self.violations += violations_of(found, before, after, lacks_pairs=self._lacks_pairs)


def violations_of(
    found: Mapping[str, Any],
    before: Mapping[str, Mapping[str, Any]],
    after: Mapping[str, Mapping[str, Any]],
    *,
    lacks_pairs: bool = False,
) -> list[str]:
    """What is wrong with a search, between two looks at the documents; some pairs may be meant to be missing."""
    wrong, answering = [], answers_by_document(found)
    for name, responses in answering.items():
        if len(seen := editions(responses)) > 1:
            wrong.append(f"one answer mixes the editions {sorted(seen)} of {name}")
        if name not in before and name not in after:
            wrong.append(f"{name} answered after it was deleted")
    for name in before.keys() & after.keys():
        if lacks_pairs or name.startswith("."):  # a correction answers in the name of what it corrects
            continue
        steady = before[name]["is_answering"] and after[name]["is_answering"]
        is_same = before[name]["document_id"] == after[name]["document_id"]
        if steady and is_same and found["is_complete"] and len(answering.get(name, ())) != PAIRS:
            wrong.append(f"{name} answered with {len(answering.get(name, ()))} of its {PAIRS} pairs")
    return wrong
