"""What a person changes afterwards: retry what failed, look at the generations, roll back to one that is kept."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from functions.query.models.documents import DocumentOut, GenerationOut, GenerationsOut, ReopenedOut
from functions.query.routes.documents import document_out
from functions.query.services import BotOf, ServicesOf
from shared.steps import step

router = APIRouter(prefix="/bots/{bot}/documents/{document_id}", tags=["documents"])


@router.post("/retry", status_code=202, summary="Try again what failed or was rejected")
def retry_document(bot: BotOf, services: ServicesOf, document_id: UUID) -> ReopenedOut:
    """After the cause is mended. What failed is delivered again from the first attempt on; a rejected version is parsed
    once more. The next sync goes on with it."""
    reopened = services.amendments.retry(bot, document_id)
    step("retry.reopened")
    if reopened.is_looked_at_again:
        services.hints.object_changed(reopened.object_key)
    services.hints.sync_wanted()
    return ReopenedOut(
        document=document_out(services.documents.document(bot, document_id)),
        passages=reopened.passages,
        is_looked_at_again=reopened.is_looked_at_again,
    )


@router.get("/generations", summary="The generations of a document, the newest first")
def list_generations(bot: BotOf, services: ServicesOf, document_id: UUID) -> GenerationsOut:
    found = services.amendments.generations(bot, document_id)
    return GenerationsOut(generations=[GenerationOut(**asdict(generation)) for generation in found])


@router.post("/rollback", summary="Put a document back to a content that is kept")
def roll_back_document(
    bot: BotOf,
    services: ServicesOf,
    document_id: UUID,
    generation: Annotated[int | None, Query(ge=1, description="default: the newest that is kept")] = None,
) -> DocumentOut:
    """Nothing is embedded again. The object in the bucket stays as it is, and counts as seen: the document follows it
    again when the object changes next."""
    services.amendments.roll_back(bot, document_id, generation)
    step("rollback.built")
    # All that it holds was delivered before, unless the index was lost since: then sync makes it live.
    services.delivery.flip(bot, document_id)
    step("rollback.flipped")
    services.hints.sync_wanted()  # to sweep what is kept no longer
    return document_out(services.documents.document(bot, document_id))
