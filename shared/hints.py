"""No hints at all: what they would ask for is found by the next sync."""

from __future__ import annotations


class NoHints:
    """The port `Hints`, for a process that has no queue to write to."""

    def object_changed(self, key: str) -> None:
        """Nothing: the bucket scan finds the object."""

    def sync_wanted(self) -> None:
        """Nothing: the timer comes."""
