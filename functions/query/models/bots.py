"""Bots, as they come in and go out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field, StringConstraints

from functions.query.models.base import Model
from functions.query.values import Label, without_controls

MAX_HALF_LIFE_DAYS = 36_500
BotName = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), BeforeValidator(without_controls)]


class BotSettingsIn(Model):
    """What may differ from bot to bot."""

    consistency: Literal["eventual", "strong"] = Field(
        default="eventual", description="strong: a write answers when its content can be found"
    )
    kept_generations: int = Field(default=1, ge=0, le=10, description="superseded contents of a document that are kept")
    recency_half_life_days: float = Field(
        default=0.0,
        ge=0,
        le=MAX_HALF_LIFE_DAYS,
        allow_inf_nan=False,
        description="what was published lately comes a little earlier, and loses half of that in so many days; 0: it does not",
    )
    columns: dict[Label, Label] = Field(
        default_factory=dict,
        description="for tables with column names of their own: question, response, external_id, … to the column's name",
    )


class BotIn(Model):
    slug: Annotated[
        str, Field(description="lower-case letters, digits, hyphens; its prefix in the bucket", examples=["care"])
    ]
    name: BotName = ""
    settings: BotSettingsIn = Field(default_factory=lambda: BotSettingsIn())


class BotChangeIn(Model):
    """What is left out stays as it is."""

    name: BotName | None = None
    consistency: Literal["eventual", "strong"] | None = None
    kept_generations: Annotated[int, Field(ge=0, le=10)] | None = Field(
        None, description="what is kept beyond it goes when its document changes next"
    )
    recency_half_life_days: Annotated[float, Field(ge=0, le=MAX_HALF_LIFE_DAYS, allow_inf_nan=False)] | None = None
    columns: dict[Label, Label] | None = Field(None, description="for what is uploaded from now on")


class BotOut(Model):
    bot_id: UUID
    slug: str
    name: str
    settings: BotSettingsIn
    model_id: str
    collection: str
    created_at: datetime


class BotsOut(Model):
    bots: list[BotOut]
