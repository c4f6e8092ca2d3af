"""Receipts: the proofs of what was deleted. They outlive the bot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from functions.query.models.receipts import ReceiptOut, ReceiptsOut
from functions.query.services import BotOf, ServicesOf
from functions.query.values import Plain
from shared.keys import split_key

router = APIRouter(tags=["receipts"])

Limit = Annotated[int, Query(ge=1, le=1000)]


@router.get("/bots/{bot}/receipts", summary="Proofs of what was deleted from a bot")
def list_receipts_of_bot(bot: BotOf, services: ServicesOf, limit: Limit = 100) -> ReceiptsOut:
    return _list_out(services.delivery.receipts(bot.bot_id, limit))


@router.get("/receipts", summary="Proofs of what was deleted, the newest first")
def list_receipts(
    services: ServicesOf,
    bot: Annotated[Plain | None, Query(description="of this bot only, even if it is gone")] = None,
    limit: Limit = 100,
) -> ReceiptsOut:
    if bot is None:
        return _list_out(services.deletions.newest_receipts(limit))
    return _list_out(services.delivery.receipts(services.deletions.bot_id(bot), limit))


@router.get("/receipts/{receipt_id}", summary="One proof")
def get_receipt(services: ServicesOf, receipt_id: UUID) -> ReceiptOut:
    return _out(services.deletions.receipt(receipt_id))


def _list_out(rows: Sequence[Mapping[str, Any]]) -> ReceiptsOut:
    return ReceiptsOut(receipts=[_out(row) for row in rows])


def _out(row: Mapping[str, Any]) -> ReceiptOut:
    return ReceiptOut(
        receipt_id=row["tombstone_id"],
        bot=row["slug"],
        kind=row["kind"],
        document_id=row["document_id"],
        qa_id=row["qa_id"],
        object_path=split_key(row["object_key"])[1] if row["object_key"] else None,
        state=row["state"],
        counts=row["counts"],
        verified=row["verified"],
        deleted_at=row["deleted_at"],
        provisional_at=row["provisional_at"],
        final_at=row["final_at"],
    )
