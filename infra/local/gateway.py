"""The laptop's HTTP gateway: the query function's app under uvicorn, presigned uploads and downloads, metrics."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from functions.query.app import app as query_app
from functions.query.guard import Guard
from functions.query.problems import problem_response
from infra.local.left_hints import LeftHints
from infra.local.metrics import METRICS, MetricsPage
from shared import wiring
from shared.errors import LockstepError
from shared.folder import FolderObjectStore
from shared.keys import object_key, split_key
from shared.ports import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

UPLOADS = "/presigned/"
PRESIGNED = ("PUT", "GET", "HEAD")
CONCURRENT_REQUESTS = 12  # each may hold a connection to Postgres


class Gateway:
    """The query app, and beside it PUT and GET on presigned URLs and GET /metrics."""

    def __init__(self, app: Callable[..., Awaitable[None]], metrics: Callable[..., Awaitable[None]]) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["method"] in PRESIGNED and scope["path"].startswith(UPLOADS):
            from starlette.requests import Request

            request = Request(scope, receive)
            response = await (_store_upload(request) if request.method == "PUT" else _download(request))
            await response(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] == METRICS:
            await self._metrics(scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def _store_upload(request: Request) -> Any:
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import Response

    bucket = wiring.bucket()
    assert isinstance(bucket, FolderObjectStore)
    key = request.url.path.removeprefix(UPLOADS)
    query = request.query_params
    try:
        size, expires = int(query.get("size", "")), int(query.get("expires", ""))
        key = object_key(*split_key(key))
    except (ValueError, LockstepError):
        return problem_response(400, "Bad upload", "This is not a URL that POST /bots/{bot}/uploads gave out.")
    if not bucket.accepts(key, size=size, expires=expires, signature=query.get("signature", "")):
        return problem_response(403, "Upload refused", "The signature is wrong or has expired: ask for a new upload.")
    with tempfile.TemporaryFile() as file:
        received = 0
        async for chunk in request.stream():
            received += len(chunk)
            if received > size:
                break
            file.write(chunk)
        if received != size:
            return problem_response(400, "Wrong size", f"The upload was signed for {size} bytes.")
        file.seek(0)
        version = await run_in_threadpool(bucket.put, key, file)
    return Response(status_code=200, headers={"ETag": f'"{version.etag}"'})


async def _download(request: Request) -> Any:
    """A file of the bucket or of the snapshots' folder, whichever signed for it: an export."""
    from starlette.responses import FileResponse

    key, query = request.url.path.removeprefix(UPLOADS), request.query_params
    try:
        expires = int(query.get("expires", ""))
        found = (_signed_file(store, key, expires, query.get("signature", "")) for store in _stores())
        file = next(filter(None, found), None)
    except (ValueError, LockstepError):
        return problem_response(400, "Bad download", "This is not a URL that GET /bots/{bot}/exports gave out.")
    if file is None:
        return problem_response(
            403,
            "Download refused",
            "The signature is wrong or has expired, or the file is gone: ask for the export again.",
        )
    return FileResponse(file, filename=file.name)


def _stores() -> list[ObjectStore]:
    return [wiring.bucket(), *([wiring.backups()] if wiring.settings().backup_url else [])]


def _signed_file(store: ObjectStore, key: str, expires: int, signature: str) -> Path | None:
    if not isinstance(store, FolderObjectStore):
        return None
    return store.signed_file(key, expires=expires, signature=signature)


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--worker-metrics", type=Path, required=True, help="where the worker leaves its figures")
    parser.add_argument("--hints", type=Path, required=True, help="where the worker looks for hints")
    options = parser.parse_args()
    wiring.install_hints(LeftHints(options.hints))
    wiring.warm_up()
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            import anyio.to_thread

            anyio.to_thread.current_default_thread_limiter().total_tokens = CONCURRENT_REQUESTS
            await super().startup(sockets)

    config = uvicorn.Config(
        Gateway(query_app(), Guard(MetricsPage(options.worker_metrics), wiring.settings())),
        host=options.host,
        port=options.port,
        log_level="warning",
        lifespan="off",
        access_log=False,
    )
    Server(config).run()


if __name__ == "__main__":
    main()
