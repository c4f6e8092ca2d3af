"""Bots: create, list, get, delete."""

from __future__ import annotations

from dataclasses import asdict
from uuid import uuid4

from fastapi import APIRouter, Query

from functions.query.models import BotIn, BotOut, BotSettingsIn, BotsOut, ReceiptOut, ReceiptsOut
from functions.query.services import BotOf, ServicesOf
from shared.domain import Bot, BotSettings
from shared.keys import split_key
from shared.milvus_schema import INDEX_PROFILES
from shared.steps import step

router = APIRouter(prefix="/bots", tags=["bots"])


@router.post("", status_code=201, summary="Create a bot")
def create_bot(body: BotIn, services: ServicesOf) -> BotOut:
    """A bot is one knowledge base. Its slug is its prefix in the bucket, and is never given out twice."""
    index_type, index_params = INDEX_PROFILES[services.settings.index_profile]
    collection = services.registry.ensure_collection(
        services.embedder().model,
        metric=services.settings.index_metric,
        index_type=index_type,
        index_params=index_params,
    )
    incarnation = services.index.create(collection, uuid4())
    if incarnation != collection.incarnation:
        services.registry.set_incarnation(collection, incarnation)
    settings = BotSettings(**body.settings.model_dump())
    return _out(services.registry.register_bot(body.slug, body.name or body.slug, settings, collection))


@router.get("", summary="List the bots")
def list_bots(services: ServicesOf) -> BotsOut:
    return BotsOut(bots=[_out(bot) for bot in services.registry.bots()])


@router.get("/{bot}", summary="One bot")
def get_bot(bot: BotOf) -> BotOut:
    return _out(bot)


@router.delete("/{bot}", status_code=202, summary="Delete a bot and everything in it")
def delete_bot(bot: BotOf, services: ServicesOf) -> BotOut:
    """It answers no more from now on; its documents, rows and objects are removed by the next sync."""
    deleted = services.registry.delete_bot(bot.slug)
    step("bot-deletion.marked")
    return _out(deleted)


@router.get("/{bot}/receipts", summary="Proofs of what was deleted")
def list_receipts(bot: BotOf, services: ServicesOf, limit: int = Query(100, ge=1, le=1000)) -> ReceiptsOut:
    rows = services.delivery.receipts(bot.bot_id, limit)
    return ReceiptsOut(
        receipts=[
            ReceiptOut(
                kind=row["kind"],
                document_id=row["document_id"],
                object_path=split_key(row["object_key"])[1] if row["object_key"] else None,
                state=row["state"],
                counts=row["counts"],
                deleted_at=row["deleted_at"],
                provisional_at=row["provisional_at"],
                final_at=row["final_at"],
            )
            for row in rows
        ]
    )


def _out(bot: Bot) -> BotOut:
    return BotOut(
        bot_id=bot.bot_id,
        slug=bot.slug,
        name=bot.name,
        settings=BotSettingsIn(**asdict(bot.settings)),
        model_id=bot.collection.model_id,
        collection=bot.collection.name,
        created_at=bot.created_at,
    )
