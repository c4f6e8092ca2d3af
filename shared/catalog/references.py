"""Where relations lead that name a record of another document by its id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from shared.domain import PAIRS_PER_ID, Bot

if TYPE_CHECKING:
    from shared.postgres import Row, Transaction


def follow_references(tx: Transaction, bot: Bot, contents: Mapping[str, Sequence[Any]], pairs: Sequence[Row]) -> None:
    """Bring the relations of those contents, and those that name the ids of those pairs, to where they lead now.

    Who links or unlinks pairs does it, under the graph's lock.
    """
    external_ids = sorted({row["external_id"] for row in pairs if row["external_id"]})
    key = {**contents, "bot_id": bot.bot_id, "external_ids": external_ids, "pairs_per_id": PAIRS_PER_ID}
    tx.execute("drop_references", **key)
    tx.execute("insert_references", **key)


def link_again(tx: Transaction, document: Row, generation: int) -> None:
    """Have what comes and goes with that generation of the document linked, so that what names it by its id follows."""
    key: dict[str, UUID] = {"bot_id": document["bot_id"], "document_id": document["document_id"]}
    if tx.row("names_ids", bot_id=key["bot_id"]):
        tx.rows("lock_graph", bot_id=key["bot_id"])  # whoever links one of them at this moment does not see the flip
        tx.execute("link_again", **key, generation=generation, former=document["live_generation"])
