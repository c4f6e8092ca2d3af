"""Receipts of deletions."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from functions.query.models.base import Model
from functions.query.values import Json


class ReceiptOut(Model):
    """The proof that what was deleted is gone."""

    receipt_id: UUID
    bot: str
    kind: Literal["bot", "document", "pair"]
    document_id: UUID | None
    qa_id: UUID | None
    object_path: str | None
    state: Literal["provisional", "final"] = Field(description="final after a second look, which found nothing left")
    counts: Json = Field(description="what was deleted: rows of the catalog by table, rows of the index")
    verified: Json | None = Field(description="what the second look counted in both stores: zeros")
    deleted_at: datetime
    provisional_at: datetime
    final_at: datetime | None


class ReceiptsOut(Model):
    receipts: list[ReceiptOut]
