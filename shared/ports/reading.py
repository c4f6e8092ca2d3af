"""The catalog as it is read: for a question, and for the operator."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

if TYPE_CHECKING:
    from shared.domain import (
        Bot,
        Candidate,
        Evidence,
        Filter,
        Gauges,
        Notice,
        Outcome,
        QueryLog,
        Votes,
    )


class ReadingCatalog(Protocol):
    """What a question needs."""

    def lexical_search(self, bot: Bot, question: str, *, limit: int, matching: Filter) -> list[Candidate]:
        """The passages that match the question's words best, by BM25; how common a word is may be known a little late."""
        ...

    def rarity(self, bot: Bot, asked: Collection[Sequence[str]]) -> list[float]:
        """For each group of terms the weight by which a passage that has one of them stands out: its inverse frequency."""
        ...

    def refresh_terms(self, bot: Bot, limit: int) -> int:
        """Find the terms of at most `limit` passages by the rules of today, where older ones were used; returns how many.

        When there are none, see to it that how common the bot's terms are is known well enough.
        """
        ...

    def matching_passages(self, bot: Bot, matching: Filter, limit: int) -> list[UUID]: ...

    def hydrate(self, bot: Bot, passage_ids: Sequence[UUID], matching: Filter) -> dict[UUID, Evidence]:
        """The content of those passages that may enter an answer now, by one statement."""
        ...

    def vouch(self, bot: Bot, passage_ids: Sequence[UUID]) -> set[UUID]: ...

    def superseded(self, bot: Bot, found: Mapping[UUID, UUID]) -> set[UUID]:
        """Documents that are live with one of those pairs, by other passages than those found (passage to pair)."""
        ...

    def corrections_of(self, bot: Bot, document_ids: Sequence[UUID]) -> set[UUID]:
        """The documents that correct pairs of these documents."""
        ...

    def pair(self, bot: Bot, qa_id: UUID) -> Evidence | None:
        """The pair as it answers now, by one statement; None if it does not."""
        ...

    def log(self, bot: Bot, entry: QueryLog, passage_ids: Sequence[UUID]) -> bool:
        """Keep the entry if all those passages may enter an answer now; returns whether they may, by one statement."""
        ...

    def roll_up_analytics(self, bot: Bot) -> None:
        """Bring the figures of today and yesterday up to date."""
        ...

    def forget_logs(self, bot: Bot, *, days: int, limit: int) -> int:
        """Drop at most `limit` of the questions that are older, with all that was kept of who asked; returns how many."""
        ...

    def add_feedback(self, bot: Bot, query_id: UUID, feedback: int, comment: str | None) -> None:
        """Raises NotFoundError."""
        ...

    def votes_of(self, bot: Bot, qa_ids: Collection[UUID]) -> dict[UUID, Votes]:
        """The votes on logged answers that cited these pairs, up to a hundred for each; pairs without any are left out."""
        ...

    def ping(self) -> None:
        """Raises StoreUnavailableError unless the store answers."""
        ...


class OperationsCatalog(Protocol):
    """What an operator is shown."""

    def gauges(self) -> Gauges: ...

    def record_outcome(self, operation: str, subject: str, figures: Mapping[str, Any]) -> None:
        """Keep how a run ended, in place of the one before."""
        ...

    def outcomes(self) -> list[Outcome]:
        """The last of each operation and subject; audits of collections that no bot uses are left out."""
        ...

    def untold(self, bot: Bot, age_seconds: float, limit: int) -> list[Notice]:
        """News of documents that nobody was told of and that are not older than that, oldest first."""
        ...

    def mark_told(self, bot: Bot, notice: Notice) -> None: ...
