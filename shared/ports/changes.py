"""The catalog as it is changed beside that: deletes, another embedder, corrections of what went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

if TYPE_CHECKING:
    from shared.domain import (
        Bot,
        Buried,
        ChangeProgress,
        Collection,
        Deletion,
        GenerationStatus,
        LivePair,
        Reopened,
    )


class DeletionCatalog(Protocol):
    """How far the catalog has followed the deletion ledger, and what is left behind a delete."""

    @property
    def connections(self) -> int:
        """Grows with every new connection: what answers now may be another store than before, or an older one."""
        ...

    def settled(self, bot: Bot) -> str:
        """The entry up to which all are applied, and below which none can come any more; empty at first."""
        ...

    def unapplied(self, bot: Bot, entries: Sequence[str]) -> list[str]:
        """Which of those entries the catalog has not applied, in their order."""
        ...

    def apply(self, bot: Bot, deletion: Deletion) -> bool:
        """Stop the answers of what the entry names, if it is there; returns whether it was. A repetition does nothing."""
        ...

    def settle(self, bot: Bot, entry: str) -> None: ...

    def buried(self, bot: Bot) -> Sequence[Buried]:
        """What was deleted since the bot came, which for a restored one is after its restore began."""
        ...

    def live_pair(self, bot: Bot, qa_id: UUID) -> LivePair:
        """Raises NotFoundError."""
        ...

    def remains(self, receipt: Mapping[str, Any]) -> dict[str, int]:
        """How many rows the catalog still has of what was deleted, by table."""
        ...

    def scrub_logs(self, receipt: Mapping[str, Any]) -> int:
        """Take the words out of answers that rest on what was deleted; returns how many those were."""
        ...

    def bot_id(self, slug: str) -> UUID:
        """Of a bot in any state. Raises NotFoundError."""
        ...

    def newest_receipts(self, limit: int) -> Sequence[Mapping[str, Any]]:
        """Of all bots, also of those that are gone."""
        ...

    def receipt(self, tombstone_id: UUID) -> Mapping[str, Any]:
        """Raises NotFoundError."""
        ...


class EmbedderChanges(Protocol):
    """A bot's way from its collection into the next one, and out of the former one.

    `settled_seconds` is longer than any function lives: after that long nobody acts any more on what was true before.
    """

    def begin(self, bot: Bot, collection: Collection, *, settled_seconds: float) -> Bot:
        """Have every write go to that collection too, from now on. Does nothing if that is so already.

        Raises ConflictError while another change, or what the last one left behind, is not finished.
        """
        ...

    def cancel(self, bot: Bot) -> Bot:
        """Give the next collection up: it is left like a former one."""
        ...

    def add_markers(self, bot: Bot, collection: Collection, *, after: UUID, limit: int) -> UUID | None:
        """Want a stretch of the bot's passages delivered there too, in the order of their ids, those up to `after` left out.

        Returns the last of the stretch; None at the end. What somebody else is changing is left to another pass.
        """
        ...

    def retry(self, bot: Bot, collection: Collection) -> int:
        """Let what failed there, or waits for its next attempt, be tried at once; returns how many."""
        ...

    def progress(self, bot: Bot, collection: Collection) -> ChangeProgress: ...

    def failures(self, bot: Bot, collection: Collection, limit: int) -> list[tuple[str, str]]:
        """Passages that could not be delivered there: the object's key and the last error of each."""
        ...

    def move(self, bot: Bot) -> bool:
        """Make the next collection the bot's own, if nothing is missing there; returns whether it is now."""
        ...

    def is_settled(self, bot: Bot, *, settled_seconds: float) -> bool:
        """Whether the bot left its former collection so long ago that nobody reads or writes its rows there."""
        ...

    def drop_markers(self, bot: Bot, collection: Collection, limit: int) -> int:
        """Forget what was wanted of a former collection that was emptied; returns how many markers that were."""
        ...

    def has_markers(self, bot: Bot, collection: Collection) -> bool: ...

    def leave(self, bot: Bot, collection: Collection) -> bool:
        """Forget the former collection if no marker is left in it; returns whether it is forgotten now."""
        ...


class Amendments(Protocol):
    """What a person changes afterwards."""

    def stuck_documents(self, bot: Bot) -> list[UUID]:
        """Documents that a retry may help: failed, rejected, or live with passages that could not be delivered again."""
        ...

    def retry(self, bot: Bot, document_id: UUID) -> Reopened:
        """Open again what failed, and have a rejected version looked at again. Raises NotFoundError."""
        ...

    def generations(self, bot: Bot, document_id: UUID) -> list[GenerationStatus]:
        """The newest first. Raises NotFoundError."""
        ...

    def roll_back(self, bot: Bot, document_id: UUID, generation: int | None) -> int:
        """Build a new generation of what the kept one holds, by default the newest; returns its number.

        Raises NotFoundError, and ConflictError if no such generation is kept or the document is being changed.
        """
        ...
