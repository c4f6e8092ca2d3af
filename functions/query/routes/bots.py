"""Bots: create, list, get, change, delete."""

from __future__ import annotations

from dataclasses import asdict
from uuid import uuid4

from fastapi import APIRouter

from functions.query.models.bots import BotChangeIn, BotIn, BotOut, BotSettingsIn, BotsOut
from functions.query.services import BotOf, ServicesOf
from shared.domain import Bot, BotSettings
from shared.milvus_schema import INDEX_PROFILES

router = APIRouter(prefix="/bots", tags=["bots"])


@router.post("", status_code=201, summary="Create a bot")
def create_bot(body: BotIn, services: ServicesOf) -> BotOut:
    """A bot is one knowledge base. Its slug is its prefix in the bucket, and is never given out twice."""
    index_type, index_params = INDEX_PROFILES[services.settings.index_profile]
    collection = services.registry.ensure_collection(
        services.embedders.own().model,
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


@router.patch("/{bot}", summary="Change a bot's name or settings")
def change_bot(bot: BotOf, services: ServicesOf, body: BotChangeIn) -> BotOut:
    changes = body.model_dump(exclude_none=True, exclude={"name"})
    return _out(services.registry.change_bot(bot.slug, name=body.name, settings=changes))


@router.delete("/{bot}", status_code=202, summary="Delete a bot and everything in it")
def delete_bot(bot: BotOf, services: ServicesOf) -> BotOut:
    """It answers no more from now on; its documents, rows and objects are removed by the next sync.

    `GET /receipts?bot=…` shows the proof, also when the bot is gone.
    """
    return _out(services.ledger().delete_bot(bot))


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
