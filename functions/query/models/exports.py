"""Exports of any size."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from functions.query.models.base import Model
from functions.query.values import Moment


class ExportIn(Model):
    """What an export of any size shall be."""

    format: Literal["jsonl", "csv", "sql", "xlsx", "parquet"] = Field(
        "jsonl", description="jsonl and csv: a file per table; parquet only where pyarrow is installed"
    )
    since: Moment | None = Field(None, description="only what was updated or logged at or after that moment")
    include_embeddings: bool = Field(False, description="also the vectors, read from the index")


class ExportFileOut(Model):
    name: str
    bytes: int
    sha256: str
    url: str = Field(description="to fetch it from, without a key; it holds for a quarter of an hour")


class ExportOut(Model):
    """An export, and how far it has come."""

    export_id: UUID
    state: Literal["requested", "finished", "failed"]
    reason: str | None = Field(description="why it failed")
    format: Literal["jsonl", "csv", "sql", "xlsx", "parquet"]
    since: datetime | None
    include_embeddings: bool
    requested_at: datetime
    expires_at: datetime = Field(description="it is forgotten then")
    finished_at: datetime | None
    as_of: datetime | None = Field(description="pass it as `since` for what will have changed until the next export")
    records: dict[str, int] = Field(description="by table")
    missing_embeddings: int = Field(description="vectors that the index did not have")
    files: list[ExportFileOut]


class ExportsOut(Model):
    exports: list[ExportOut]
