"""Single pairs: read one as it answers, correct it, take it out. A correction is an object beside the pair's own document."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from functions.query.models.documents import DeletedOut, WrittenOut
from functions.query.models.pairs import CorrectionIn, PairOut
from functions.query.routes.documents import DONE, GONE, Wait, delete_object, document_out, encoded, put_object, waits
from functions.query.routes.questions import metadata_out, source_out
from functions.query.services import BotOf, Services, ServicesOf
from functions.query.waiting import wait_until_gone
from shared.domain import Bot, OwnPair
from shared.errors import InvalidInputError, NotFoundError
from shared.keys import correction_key
from shared.steps import step

router = APIRouter(prefix="/bots/{bot}/pairs/{qa_id}", tags=["pairs"])


@router.get("", summary="One pair as it answers now")
def get_pair(bot: BotOf, services: ServicesOf, qa_id: UUID) -> PairOut:
    evidence = services.reading.pair(bot, qa_id)
    if evidence is None:
        raise _unknown(bot, qa_id)
    return PairOut(
        qa_id=evidence.pair.qa_id,
        external_id=evidence.pair.external_id,
        question=evidence.pair.question,
        answer=evidence.pair.response,
        metadata=metadata_out(evidence.pair.metadata),
        source=source_out(evidence),
        is_corrected=evidence.is_corrected,
    )


@router.put("", status_code=202, responses=DONE, summary="Correct one pair, until its own document changes it")
def correct_pair(
    bot: BotOf, services: ServicesOf, response: Response, qa_id: UUID, body: CorrectionIn, wait: Wait = None
) -> WrittenOut:
    """The document that the pair came from stays as it is. A second correction takes the place of the first."""
    changes = body.model_dump(mode="json", exclude_unset=True)
    if not changes:
        raise InvalidInputError("The correction changes nothing: name at least one field.")
    return _write_correction(services, bot, _own(services, bot, qa_id), changes, wait, response)


@router.delete("", status_code=202, responses=GONE, summary="Delete one pair")
def delete_pair(bot: BotOf, services: ServicesOf, response: Response, qa_id: UUID, wait: Wait = None) -> DeletedOut:
    """It answers no more, and a receipt proves what became of it.

    One that was inserted singly goes with its object. One that stands with others in a file is kept out by a correction
    until the file says something else of it, or until the correction is deleted and the file is uploaded changed.
    """
    pair = services.deletions.live_pair(bot, qa_id)
    status = services.documents.document(bot, pair.document_id)
    if pair.is_alone:
        return delete_object(services, bot, status, wait, response)
    _write_correction(services, bot, _own(services, bot, qa_id), {"removed": True}, wait, response)
    services.ledger().delete_pair(bot, pair)
    services.hints.sync_wanted()
    response.status_code = 200
    return DeletedOut(document=document_out(status), is_done=True)


@router.delete("/correction", status_code=204, summary="Undo a correction")
def undo_correction(bot: BotOf, services: ServicesOf, qa_id: UUID, wait: Wait = None) -> None:
    """The pair answers again as its own document has it."""
    key = correction_key(bot.slug, qa_id)
    status = services.documents.document_of(bot, key)
    if status is None:
        raise NotFoundError(f"The pair {qa_id} of the bot {bot.slug!r} has no correction.")
    services.bucket().delete(key)
    step("correct.object-removed")
    if waits(bot, wait):
        wait_until_gone(services.documents, bot, status)


def _write_correction(
    services: Services, bot: Bot, own: OwnPair, changes: dict[str, Any], wait: bool | None, response: Response
) -> WrittenOut:
    content = encoded(json.dumps({"base": own.content_hash, **changes}, ensure_ascii=False))
    key = correction_key(bot.slug, own.pair.qa_id)
    written = put_object(services, bot, key, content, "application/json", wait, response)
    step("correct.object-written")
    return written


def _own(services: Services, bot: Bot, qa_id: UUID) -> OwnPair:
    own = services.documents.own_pair(bot, qa_id)
    if own is None:
        raise _unknown(bot, qa_id)
    return own


def _unknown(bot: Bot, qa_id: UUID) -> NotFoundError:
    return NotFoundError(f"The bot {bot.slug!r} has no pair {qa_id} that answers.")
