"""A change of embedder: the bot's next collection, the move, and leaving the former one.

Writers of passages and flips share the bot's row; whatever changes its collections locks it. So no passage is written, and
no generation flipped, that knows of one collection only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from shared.catalog.mapping import bot_from
from shared.catalog.statistics import refresh_statistics
from shared.domain import Bot, ChangeProgress, Collection
from shared.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from shared.postgres import PostgresClient, Row, Transaction

LONG_TIMEOUT_SECONDS = 60.0


class PostgresChanges:
    """The port `EmbedderChanges`."""

    def __init__(self, client: PostgresClient) -> None:
        self._client = client

    def begin(self, bot: Bot, collection: Collection, *, settled_seconds: float) -> Bot:
        def work(tx: Transaction) -> Bot:
            row = _lock(tx, bot)
            if row["next_collection_id"] != collection.collection_id:
                check_begin(bot, row, collection.collection_id, settled_seconds)
                tx.execute("begin_change", bot_id=bot.bot_id, collection_id=collection.collection_id)
            return _bot(tx, bot)

        return self._client.transact(work)

    def cancel(self, bot: Bot) -> Bot:
        def work(tx: Transaction) -> Bot:
            if _lock(tx, bot)["next_collection_id"] is not None:
                tx.execute("cancel_change", bot_id=bot.bot_id)
            return _bot(tx, bot)

        return self._client.transact(work)

    def add_markers(self, bot: Bot, collection: Collection, *, after: UUID, limit: int) -> UUID | None:
        def work(tx: Transaction) -> UUID | None:
            row = tx.row("insert_next_markers", **_key(bot, collection), after=after, limit=limit)
            is_first = after == UUID(int=0)
            refresh_statistics(tx, bot.bot_id, has_new_markers=is_first and row is not None)
            return None if row is None else row["passage_id"]

        return self._client.transact(work, timeout_seconds=LONG_TIMEOUT_SECONDS)

    def retry(self, bot: Bot, collection: Collection) -> int:
        return self._client.transact(lambda tx: tx.execute("retry_markers", **_key(bot, collection)))

    def progress(self, bot: Bot, collection: Collection) -> ChangeProgress:
        return self._client.transact(
            lambda tx: _progress(tx, bot, collection.collection_id),
            read_only=True,
            timeout_seconds=LONG_TIMEOUT_SECONDS,
        )

    def failures(self, bot: Bot, collection: Collection, limit: int) -> list[tuple[str, str]]:
        rows = self._client.transact(
            lambda tx: tx.rows("change_failures", **_key(bot, collection), limit=limit), read_only=True
        )
        return [(row["object_key"], row["last_error"]) for row in rows]

    def move(self, bot: Bot) -> bool:
        def work(tx: Transaction) -> bool:
            next_id = _lock(tx, bot)["next_collection_id"]
            if next_id is None or not _progress(tx, bot, next_id).is_complete:
                return False
            tx.execute("move_bot", bot_id=bot.bot_id)
            tx.execute("compare_all_again", bot_id=bot.bot_id)
            tx.execute("retry_markers", bot_id=bot.bot_id, collection_id=next_id)
            tx.execute("retry_documents", bot_id=bot.bot_id)
            return True

        return self._client.transact(work, timeout_seconds=LONG_TIMEOUT_SECONDS)

    def is_settled(self, bot: Bot, *, settled_seconds: float) -> bool:
        def work(tx: Transaction) -> bool:
            row = _lock(tx, bot)
            return row["former_collection_id"] is not None and bool(row["seconds_ago"] > settled_seconds)

        return self._client.transact(work)

    def drop_markers(self, bot: Bot, collection: Collection, limit: int) -> int:
        def work(tx: Transaction) -> int:
            dropped = tx.execute("drop_left_markers", **_key(bot, collection), limit=limit)
            return dropped or tx.execute("drop_proven_markers", **_key(bot, collection))

        return self._client.transact(work, timeout_seconds=LONG_TIMEOUT_SECONDS)

    def has_markers(self, bot: Bot, collection: Collection) -> bool:
        return bool(self._client.transact(lambda tx: tx.value("has_markers", **_key(bot, collection)), read_only=True))

    def leave(self, bot: Bot, collection: Collection) -> bool:
        def work(tx: Transaction) -> bool:
            row = _lock(tx, bot)
            if row["former_collection_id"] == collection.collection_id:
                if tx.value("has_markers", **_key(bot, collection)):
                    return False
                tx.execute("leave_collection", **_key(bot, collection))
            return True

        return self._client.transact(work)


def check_begin(bot: Bot, row: Row, wanted: UUID, settled_seconds: float) -> None:
    """Raises ConflictError unless a bot in that state may begin to move into that collection.

    Back into the collection that it has just left it may go at once, as long as nothing has begun to empty it. Once that
    is emptied, its passages may come again under the same ids only when nobody is alive who was emptying it.
    """
    if row["collection_id"] == wanted:
        raise ConflictError(f"{bot.slug!r} is embedded with that model already.")
    if row["next_collection_id"] is not None:
        raise ConflictError(f"{bot.slug!r} is on its way to another model: finish that, or give it up with --cancel.")
    is_settled = row["seconds_ago"] is None or row["seconds_ago"] > settled_seconds
    if row["former_collection_id"] == wanted and not is_settled:
        return
    if row["former_collection_id"] is not None:
        raise ConflictError(
            f"The collection that {bot.slug!r} left is still to be emptied; sync does that {settled_seconds / 60:.0f} "
            "minutes after the move. Try again later."
        )
    if not is_settled:
        left = (settled_seconds - row["seconds_ago"]) / 60
        raise ConflictError(f"{bot.slug!r} has only just left a collection: try again in {left:.0f} minutes.")


def _key(bot: Bot, collection: Collection) -> dict[str, UUID]:
    return {"bot_id": bot.bot_id, "collection_id": collection.collection_id}


def _lock(tx: Transaction, bot: Bot) -> Row:
    row = tx.row("lock_change", bot_id=bot.bot_id)
    if row is None or row["state"] != "active":
        raise NotFoundError(f"There is no bot {bot.slug!r}.")
    return row


def _bot(tx: Transaction, bot: Bot) -> Bot:
    row = tx.row("bot_by_id", bot_id=bot.bot_id)
    assert row is not None
    return bot_from(row)


def _progress(tx: Transaction, bot: Bot, collection_id: UUID) -> ChangeProgress:
    row = tx.row("change_progress", bot_id=bot.bot_id, collection_id=collection_id)
    assert row is not None
    return ChangeProgress(**row)
