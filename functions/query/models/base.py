"""What all models have, and the form of every error."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from functions.query.values import Json


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    """A problem in the form of RFC 9457."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str | None = None
    errors: list[Json] | None = Field(None, description="which fields are wrong, and how")
