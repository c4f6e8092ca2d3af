"""Leaves the collection that a bot has moved away from: empties it, and drops it behind the last bot."""

from __future__ import annotations

from shared.domain import Bot, Collection
from shared.errors import CollectionMissingError
from shared.ports import EmbedderChanges, Registry, VectorIndex
from shared.steps import step
from shared.telemetry import logger

MARKERS_AT_ONCE = 5_000


def leave_former(
    bot: Bot, registry: Registry, changes: EmbedderChanges, index: VectorIndex, *, settled_seconds: float
) -> None:
    """Go on with leaving the bot's former collection, once nobody asks it any more. Every step may be repeated."""
    former = bot.former_collection
    if former is None or not changes.is_settled(bot, settled_seconds=settled_seconds):
        return
    if not remove_rows(bot, former, index):
        return
    step("reembed.former-emptied")
    while changes.drop_markers(bot, former, MARKERS_AT_ONCE):
        step("reembed.former-markers-dropped")
    if changes.has_markers(bot, former):  # passages that are on their way out: the next sync finds them gone
        return
    if not _is_used_by_others(bot, former, registry) and index.drop_empty(former):
        step("reembed.former-dropped")
        logger().info("collection dropped: no bot uses it any more", collection=former.name)
    if changes.leave(bot, former):
        step("reembed.former-left")


def remove_rows(bot: Bot, collection: Collection, index: VectorIndex) -> bool:
    """Remove the bot's rows from a collection; returns whether none is there now."""
    try:
        index.delete_bot(collection, bot.bot_id)
        return index.is_empty(collection, bot.bot_id)
    except CollectionMissingError:
        return True


def _is_used_by_others(bot: Bot, collection: Collection, registry: Registry) -> bool:
    return any(
        other.bot_id != bot.bot_id
        and collection.collection_id in {held.collection_id for held in (other.collection, *other.other_collections)}
        for other in (*registry.bots(), *registry.deleting_bots())
    )
