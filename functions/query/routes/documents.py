"""Documents: every write is an object in the bucket, every delete the removal of one; ingest does the rest."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, File, Form, Query, Response, UploadFile

from functions.query.guard import MAX_BODY_BYTES, TOO_LARGE
from functions.query.models.documents import (
    DeletedOut,
    DocumentOut,
    DocumentsOut,
    PairIn,
    PairsIn,
    UploadIn,
    UploadOut,
    WrittenOut,
)
from functions.query.services import BotOf, Services, ServicesOf
from functions.query.values import Plain
from functions.query.waiting import wait_until_gone, wait_until_seen
from shared.domain import Bot, DocumentStatus
from shared.errors import InvalidInputError, TooLargeError
from shared.keys import object_key, split_key
from shared.steps import step
from shared.telemetry import logger

router = APIRouter(prefix="/bots/{bot}", tags=["documents"])

Wait = Annotated[
    bool | None,
    Query(description="answer when ingest is done with it (at most 25 s); default: what the bot's consistency says"),
]
# What a write answers when there was nothing to wait for any more, beside 202.
DONE: dict[int | str, dict[str, Any]] = {
    201: {"model": WrittenOut, "description": "Ingest is done with it: it is live, or rejected with a reason"}
}
GONE: dict[int | str, dict[str, Any]] = {200: {"model": DeletedOut, "description": "It answers no more"}}
Name = Annotated[str, Query(min_length=1, description="the object's name", examples=["guides/kidney.pdf"])]


@router.post("/documents", status_code=202, responses=DONE, summary="Upload a file of up to 4 MB")
def upload_document(
    bot: BotOf,
    services: ServicesOf,
    response: Response,
    file: Annotated[UploadFile, File()],
    name: Annotated[str, Form(description="default: the file's own name")] = "",
    wait: Wait = None,
) -> WrittenOut:
    content = file.file.read(MAX_BODY_BYTES + 1)
    return _write(services, bot, name or file.filename or "", content, file.content_type, wait, response)


@router.put(
    "/documents",
    status_code=202,
    responses=DONE,
    summary="Put content of up to 4 MB under a name",
    openapi_extra={"requestBody": {"required": True}},
)
def put_document(
    bot: BotOf,
    services: ServicesOf,
    response: Response,
    name: Name,
    content: Annotated[bytes, Body(media_type="application/octet-stream")] = b"",  # it says itself that it is empty
    wait: Wait = None,
) -> WrittenOut:
    """The same name replaces the document: until the new content can answer, the old one does."""
    return _write(services, bot, name, content, "application/octet-stream", wait, response)


@router.post("/uploads", status_code=201, summary="Get a presigned upload for a file of any size")
def presign_upload(bot: BotOf, services: ServicesOf, body: UploadIn) -> UploadOut:
    limit = services.settings.max_object_mb * 1_000_000
    if body.size > limit:
        raise TooLargeError(f"A document has at most {limit // 1_000_000} MB: split it into smaller files.")
    presigned = services.bucket().presign_put(object_key(bot.slug, body.name), size=body.size)
    return UploadOut(
        url=presigned.url,
        method=presigned.method,
        headers=dict(presigned.headers),
        expires_in_seconds=presigned.expires_in_seconds,
    )


@router.post("/pairs", status_code=202, responses=DONE, summary="Insert or replace one question with its answer")
def insert_pair(bot: BotOf, services: ServicesOf, response: Response, body: PairIn, wait: Wait = None) -> WrittenOut:
    record = encoded(json.dumps(body.model_dump(exclude_none=True), ensure_ascii=False))
    name = f"pairs/{_file_name(body.id or body.question)}.json"
    return _write(services, bot, name, record, "application/json", wait, response)


@router.post(
    "/pairs/batch",
    status_code=202,
    responses=DONE,
    summary="Insert or replace up to 1,000 questions with their answers",
)
def insert_pairs(bot: BotOf, services: ServicesOf, response: Response, body: PairsIn, wait: Wait = None) -> WrittenOut:
    """They become one document. Give it a name to replace it later; without one, the same pairs get the same name."""
    lines = [json.dumps(pair.model_dump(exclude_none=True), ensure_ascii=False) for pair in body.pairs]
    content = encoded("\n".join(lines))
    name = f"pairs/{_file_name(body.name or sha256(content).hexdigest()[:32])}.jsonl"
    return _write(services, bot, name, content, "application/jsonl", wait, response)


@router.get("/documents", summary="List documents with state and reason")
def list_documents(
    bot: BotOf,
    services: ServicesOf,
    after: Annotated[Plain, Query(description="names up to this one are left out")] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    state: Annotated[str | None, Query(pattern="^(observing|building|live|rejected|failed)$")] = None,
    name: Annotated[str | None, Query(description="the document of that name only")] = None,
) -> DocumentsOut:
    if name is not None:
        found = services.documents.document_of(bot, object_key(bot.slug, name))
        return DocumentsOut(documents=[document_out(found)] if found else [], next_after=None)
    start = f"{bot.slug}/{after}"
    page: Sequence[DocumentStatus] = services.documents.documents(bot, after=start, limit=limit, state=state)
    documents = [document_out(status) for status in page]
    return DocumentsOut(documents=documents, next_after=documents[-1].name if len(documents) == limit else None)


@router.get("/documents/{document_id}", summary="One document")
def get_document(bot: BotOf, services: ServicesOf, document_id: UUID) -> DocumentOut:
    return document_out(services.documents.document(bot, document_id))


@router.delete("/documents/{document_id}", status_code=202, responses=GONE, summary="Delete a document")
def delete_document(
    bot: BotOf, services: ServicesOf, response: Response, document_id: UUID, wait: Wait = None
) -> DeletedOut:
    """Removes its object. 200: deleted, it answers no more. 202: accepted, ingest deletes it in a moment.

    A receipt proves what became of it.
    """
    return delete_object(services, bot, services.documents.document(bot, document_id), wait, response)


def delete_object(
    services: Services, bot: Bot, status: DocumentStatus, wait: bool | None, response: Response
) -> DeletedOut:
    """Remove a document's object, and wait for what follows."""
    services.bucket().delete(status.object_key)
    step("delete.object-removed")
    logger().info("object deleted", key=status.object_key, document_id=str(status.document_id))
    is_done = wait_until_gone(services.documents, bot, status, seconds=None if waits(bot, wait) else 0)
    if is_done:
        response.status_code = 200
    return DeletedOut(document=document_out(status), is_done=is_done)


def _write(
    services: Services,
    bot: Bot,
    name: str,
    content: bytes,
    content_type: str | None,
    wait: bool | None,
    response: Response,
) -> WrittenOut:
    if not content:
        raise InvalidInputError("The content is empty.")
    return put_object(services, bot, object_key(bot.slug, name), content, content_type, wait, response)


def put_object(
    services: Services,
    bot: Bot,
    key: str,
    content: bytes,
    content_type: str | None,
    wait: bool | None,
    response: Response,
) -> WrittenOut:
    """Put it into the bucket, and wait for what comes of it if that is wanted. Raises TooLargeError."""
    if len(content) > MAX_BODY_BYTES:
        raise TooLargeError(TOO_LARGE)
    version = services.bucket().put(key, content, content_type=content_type)
    step("upload.object-written")
    logger().info("object written", key=key, version=version.token)  # what ingest will name with the document's id
    found = wait_until_seen(services.documents, bot, version, seconds=None if waits(bot, wait) else 0)
    if found.is_done:
        response.status_code = 201
    return WrittenOut(
        name=split_key(key)[1],
        size=version.size,
        version=version.token,
        is_done=found.is_done,
        document=document_out(found.status) if found.status else None,
    )


def waits(bot: Bot, wait: bool | None) -> bool:
    """Whether a write answers only when ingest is done with it."""
    return bot.settings.consistency == "strong" if wait is None else wait


def encoded(text: str) -> bytes:
    """As UTF-8. Raises InvalidInputError."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidInputError("The text is not valid Unicode: it holds half a surrogate pair.") from None


def _file_name(wanted: str) -> str:
    is_safe = re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", wanted)
    return wanted if is_safe else sha256(wanted.encode()).hexdigest()[:32]


def document_out(status: DocumentStatus) -> DocumentOut:
    """What is told of a document."""
    return DocumentOut(
        document_id=status.document_id,
        name=split_key(status.object_key)[1],
        state=status.state,  # type: ignore[arg-type]  # pydantic checks it
        reason=status.reason,
        version=status.seen_version,
        is_answering=status.is_answering,
        title=status.title,
        pairs=status.pairs,
        passages=status.passages,
        progress=status.progress,
        created_at=status.created_at,
        updated_at=status.updated_at,
        live_at=status.live_at,
    )
