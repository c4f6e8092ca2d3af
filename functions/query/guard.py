"""What a request must pass before anything looks at it: host, origin, key, size. Plain ASGI, for speed."""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException

from functions.query.problems import problem_response

if TYPE_CHECKING:
    from fastapi import FastAPI

    from shared.settings import Settings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 4_000_000  # an HTTP API in front of a function takes 6 MB, a third of it is its encoding
_BODY_ROOM = 16_000  # for what a form puts around a file
_OPEN_PATHS = ("/health", "/docs", "/openapi.json")  # they hold no data


def install_guard(app: FastAPI, settings: Settings) -> None:
    """Put the guard before that app, and let the pages of the listed origins call it.

    Where no key is asked for, the list is there to keep pages out: none is told that it may come in.
    """
    app.add_middleware(Guard, settings=settings)
    origins = _listed(settings.allowed_origins)
    if not (origins and settings.api_key and settings.api_key.get_secret_value()):
        return
    from starlette.middleware.cors import CORSMiddleware

    app.add_middleware(  # around the guard: a browser asks without the key, and the page must see why it is refused
        CORSMiddleware,
        allow_origins=sorted(origins),
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "X-API-Key"],
        expose_headers=["Retry-After"],
    )


class Guard:
    """Refuses what must not get in, as problem details."""

    def __init__(self, app: App, settings: Settings) -> None:
        self._app = app
        self._hosts = _listed(settings.allowed_hosts.lower())
        self._origins = _listed(settings.allowed_origins)
        self._key = settings.api_key.get_secret_value() if settings.api_key else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(scope["path"], headers)
        if refusal is None:
            await self._app(scope, _Limited(receive).receive, send)
        else:
            await problem_response(*refusal, instance=scope["path"])(scope, receive, send)

    def _refusal(self, path: str, headers: dict[str, str]) -> tuple[int, str, str] | None:
        host = re.sub(r":\d*$", "", headers.get("host", "")).strip("[]").lower()
        if "*" not in self._hosts and host not in self._hosts:
            return 421, "Wrong host", f"This gateway does not serve the host {host!r}."
        origin = headers.get("origin")
        if origin and self._origins and origin not in self._origins:
            return 403, "Wrong origin", f"This gateway does not serve pages from {origin}."
        if self._key and not path.startswith(_OPEN_PATHS) and not self._has_key(headers):
            return 401, "No key", "Send the API key as `X-API-Key` or as `Authorization: Bearer …`."
        length = headers.get("content-length", "0")
        if not re.fullmatch("[0-9]{1,18}", length):
            return 400, "Bad length", "The header Content-Length is not a number of bytes."
        if int(length) > MAX_BODY_BYTES + _BODY_ROOM:
            return 413, "Too large", TOO_LARGE
        return None

    def _has_key(self, headers: dict[str, str]) -> bool:
        bearer = headers.get("authorization", "")
        given = headers.get("x-api-key") or (bearer[7:] if bearer.lower().startswith("bearer ") else "")
        return hmac.compare_digest(given.encode("latin-1"), (self._key or "").encode())


TOO_LARGE = (
    f"At most {MAX_BODY_BYTES // 1_000_000} MB go through here. For a larger file ask for a presigned upload "
    "(POST /bots/{bot}/uploads) and put it there, or put it into the bucket."
)


class _Limited:
    """Refuses a body that turns out to be too long: not every sender says so in a header."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._left = MAX_BODY_BYTES + _BODY_ROOM

    async def receive(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise HTTPException(413, TOO_LARGE)
        return message


def _listed(text: str) -> frozenset[str]:
    return frozenset(part.strip() for part in text.split(",") if part.strip())
