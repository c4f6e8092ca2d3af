"""What a person changes afterwards: retry what failed, roll back to what was kept."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from shared.catalog.documents import abandon_unfinished
from shared.domain import Bot, GenerationStatus, Reopened
from shared.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from shared.postgres import PostgresClient, Row, Transaction

ROLLBACK_TIMEOUT_SECONDS = 60.0


class PostgresAmendments:
    """The port `Amendments`."""

    def __init__(self, client: PostgresClient) -> None:
        self._client = client

    def stuck_documents(self, bot: Bot) -> list[UUID]:
        rows = self._client.transact(lambda tx: tx.rows("stuck_documents", bot_id=bot.bot_id), read_only=True)
        return [row["document_id"] for row in rows]

    def retry(self, bot: Bot, document_id: UUID) -> Reopened:
        key = {"bot_id": bot.bot_id, "document_id": document_id}

        def work(tx: Transaction) -> Reopened:
            document = _lock(tx, bot, document_id)
            passages = tx.execute("reopen_failed", **key)
            tx.execute("build_again", **key)
            forgotten = tx.execute("forget_rejection", **key)
            return Reopened(document_id, document["object_key"], passages, forgotten == 1)

        return self._client.transact(work)

    def generations(self, bot: Bot, document_id: UUID) -> list[GenerationStatus]:
        key = {"bot_id": bot.bot_id, "document_id": document_id}

        def work(tx: Transaction) -> list[Row]:
            if tx.row("document", **key) is None:
                raise _unknown(bot, document_id)
            return tx.rows("generations", **key)

        return [GenerationStatus(**row) for row in self._client.transact(work, read_only=True)]

    def roll_back(self, bot: Bot, document_id: UUID, generation: int | None) -> int:
        key = {"bot_id": bot.bot_id, "document_id": document_id}

        def work(tx: Transaction) -> int:
            document = _lock(tx, bot, document_id)
            if document["is_leased"] or (document["building_generation"] and document["state"] != "failed"):
                raise ConflictError(
                    "The document is being changed at this moment: wait until it is live, and try again."
                )
            kept = tx.value("kept_generation", **key, generation=generation)
            if kept is None:
                raise ConflictError(_nothing_kept(bot, generation))
            abandon_unfinished(tx, key)
            begun = int(tx.value("begin_rollback", **key))
            tx.execute("copy_generation", **key, kept=kept, generation=begun)
            tx.execute("copy_membership", **key, kept=kept, generation=begun)
            return begun

        return self._client.transact(work, timeout_seconds=ROLLBACK_TIMEOUT_SECONDS)


def _lock(tx: Transaction, bot: Bot, document_id: UUID) -> Row:
    if tx.value("share_bot", bot_id=bot.bot_id) != "active":
        raise NotFoundError(f"There is no bot {bot.slug!r}.")
    document = tx.row("lock_document", bot_id=bot.bot_id, document_id=document_id)
    if document is None or document["deleted_at"] is not None:
        raise _unknown(bot, document_id)
    return document


def _unknown(bot: Bot, document_id: UUID) -> NotFoundError:
    return NotFoundError(f"The bot {bot.slug!r} has no document {document_id}.")


def _nothing_kept(bot: Bot, generation: int | None) -> str:
    which = "No earlier generation" if generation is None else f"The generation {generation}"
    kept = bot.settings.kept_generations
    return f"{which} of the document is kept: the bot keeps {kept} (its setting kept_generations) of each document."
