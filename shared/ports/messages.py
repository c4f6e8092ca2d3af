"""What is sent to another invocation, or to somebody outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from shared.domain import (
        Notice,
    )


class Hints(Protocol):
    """Asks another invocation to look. A hint may come twice, late or never: nothing depends on it."""

    def object_changed(self, key: str) -> None: ...

    def sync_wanted(self) -> None: ...


class Notifier(Protocol):
    """Tells somebody outside."""

    def notify(self, notice: Notice) -> None:
        """Raises LockstepError if it was not understood there; StoreUnavailableError if nobody answered."""
        ...
