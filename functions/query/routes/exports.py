"""Exports: a small one as the answer itself; a large one is asked for, written by backup, and fetched from the store."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response

from functions.query.models.exports import ExportFileOut, ExportIn, ExportOut, ExportsOut
from functions.query.services import BotOf, Services, ServicesOf
from functions.query.small_export import export_table
from functions.query.values import Moment
from shared.errors import ConflictError, NotFoundError
from shared.ports import ObjectStore
from shared.requested_exports import (
    ExportKey,
    ExportRequest,
    RequestedExport,
    delete_export,
    export_of,
    exports_of,
    request_export,
)
from shared.steps import step
from shared.telemetry import logger

URL_SECONDS = 900
MEDIA_TYPES = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8; header=present"}

router = APIRouter(prefix="/bots/{bot}", tags=["exports"])

Since = Annotated[Moment | None, Query(description="only what was updated or logged at or after that moment")]


@router.get(
    "/export",
    summary="One table of what is live, as a file of up to 4 MB",
    response_class=Response,
    responses={200: {"content": {kind.partition(";")[0]: {} for kind in MEDIA_TYPES.values()}}},
)
def export_small(
    bot: BotOf,
    services: ServicesOf,
    table: Literal["pairs", "relations", "sources", "logs"] = "pairs",
    form: Annotated[Literal["jsonl", "csv"], Query(alias="format")] = "jsonl",
    since: Since = None,
) -> Response:
    """At most 10,000 records, as of one moment. In csv, a text that a spreadsheet would run as a formula has an apostrophe
    in front. For more, for other formats and for vectors: `POST /bots/{bot}/exports`.
    """
    content = export_table(services.live_records(), bot, table, form, since)
    name = f"{bot.slug}-{table}.{form}"
    return Response(
        content, media_type=MEDIA_TYPES[form], headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


@router.post("/exports", status_code=202, summary="Ask for an export of any size")
def create_export(bot: BotOf, services: ServicesOf, body: ExportIn) -> ExportOut:
    """All tables of what is live, as of one moment, written into the object store. `GET …/exports/{export_id}` tells when
    it is finished, and has a URL for each file. It is kept for 7 days.
    """
    request = ExportRequest(body.format, body.since.isoformat() if body.since else None, body.include_embeddings)
    export = request_export(_store(services), bot, request)
    step("export.requested")
    logger().info("export requested", bot=bot.slug, export=str(export.key.export_id), format=body.format)
    return _out(export, _store(services))


@router.get("/exports", summary="List the exports that were asked for, the newest first")
def list_exports(bot: BotOf, services: ServicesOf) -> ExportsOut:
    store = _store(services)
    return ExportsOut(exports=[_out(export, store) for export in exports_of(store, bot)])


@router.get("/exports/{export_id}", summary="One export, with a URL for each of its files")
def get_export(bot: BotOf, services: ServicesOf, export_id: UUID) -> ExportOut:
    """The URLs need no key and hold for a quarter of an hour; asking again gives new ones."""
    store = _store(services)
    return _out(export_of(store, bot, export_id), store)


@router.delete("/exports/{export_id}", status_code=204, summary="Delete an export, or take the request back")
def remove_export(bot: BotOf, services: ServicesOf, export_id: UUID) -> None:
    if not delete_export(_store(services), ExportKey(bot.bot_id, export_id)):
        raise NotFoundError(f"The bot {bot.slug!r} has no export {export_id}.")
    step("export.deleted")


def _store(services: Services) -> ObjectStore:
    if services.settings.backup_url is None:
        raise ConflictError(
            "This deployment has no place for exports: set LOCKSTEP_BACKUP_URL. What is small comes with GET …/export."
        )
    return services.backups()


def _out(export: RequestedExport, store: ObjectStore) -> ExportOut:
    key, request, manifest = export.key, export.request, export.manifest
    return ExportOut(
        export_id=key.export_id,
        state=export.state,
        reason=export.failure,
        format=request.format,  # type: ignore[arg-type]  # pydantic checks it
        since=request.since,  # type: ignore[arg-type]
        include_embeddings=request.include_embeddings,
        requested_at=key.requested_at,
        expires_at=key.expires_at,
        finished_at=manifest.finished_at if manifest else None,  # type: ignore[arg-type]
        as_of=manifest.as_of if manifest else None,  # type: ignore[arg-type]
        records=dict(manifest.records) if manifest else {},
        missing_embeddings=manifest.missing_embeddings if manifest else 0,
        files=[
            ExportFileOut(
                name=file.name,
                bytes=file.bytes,
                sha256=file.sha256,
                url=store.presign_get(file.key, expires_in_seconds=URL_SECONDS),
            )
            for file in (manifest.files if manifest else ())
        ],
    )
