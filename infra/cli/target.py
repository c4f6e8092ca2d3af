"""Whom a command talks to: the instance that runs on the state folder, or what the environment names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from infra.local.state import DEFAULT_STATE, State
from shared import wiring
from shared.errors import LockstepError, NotFoundError, StoreUnavailableError
from shared.settings import load_settings
from shared.telemetry import logger

UrlOption = Annotated[
    str | None,
    typer.Option("--url", envvar="LOCKSTEP_URL", help="The API, if it is not the instance of the state folder."),
]
StateOption = Annotated[
    Path, typer.Option("--state", envvar="LOCKSTEP_STATE", help="The state folder of `lockstep up`.", show_default=True)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
DEFAULT = DEFAULT_STATE
TIMEOUT_SECONDS = 60.0
_PASSES = (429, 502, 503, 504)  # asking again later may help


class Api:
    """The HTTP API. A problem document becomes an error with its words."""

    def __init__(self, url: str | None, state: Path) -> None:
        import httpx2

        key = os.environ.get("LOCKSTEP_API_KEY")
        self.url = url or State(state).read_running().get("url") or "http://127.0.0.1:8000"
        self._client = httpx2.Client(
            base_url=self.url, timeout=TIMEOUT_SECONDS, headers={"X-API-Key": key} if key else {}
        )

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """The decoded answer. Raises NotFoundError for 404, StoreUnavailableError for what passes, else LockstepError."""
        import httpx2

        try:
            response = self._client.request(method, path, **arguments)
        except httpx2.TransportError as error:
            raise StoreUnavailableError(
                f"Nothing answers at {self.url} ({type(error).__name__}). Is it running? Start it with `lockstep up` "
                "(or `make up`), or name another one with --url."
            ) from None
        if not response.is_success:
            raise _error_of(response)(_detail(response))
        return self._decoded(response) if response.content else None

    def _decoded(self, response: Any) -> Any:
        try:
            return response.json()
        except ValueError:
            raise LockstepError(
                f"What answers at {self.url} sends no JSON ({response.headers.get('Content-Type', 'of no type')}): it is not "
                "the API of Lockstep. Name that with --url."
            ) from None

    def put_presigned(self, upload: Mapping[str, Any], file: Any) -> str:
        """Send a file to where a presigned upload says; returns the version that came of it. Raises LockstepError."""
        import httpx2

        try:
            response = httpx2.request(
                upload["method"], upload["url"], headers=upload["headers"], content=file, timeout=600.0
            )
        except httpx2.TransportError as error:
            raise LockstepError(f"The upload broke off ({type(error).__name__}): try again.") from None
        if not response.is_success:
            raise LockstepError(f"The upload was refused: {_detail(response)}")
        etag, version_id = response.headers.get("ETag", "").strip('"'), response.headers.get("x-amz-version-id")
        return f"{etag}@{version_id}" if version_id and version_id != "null" else etag

    def get_presigned(self, url: str, chunk_bytes: int) -> Iterator[bytes]:
        """Fetch a file from where a presigned URL says, piece by piece. Raises LockstepError."""
        import httpx2

        try:
            with httpx2.stream("GET", url, timeout=600.0) as response:
                if response.status_code >= 400:
                    response.read()
                    raise LockstepError(f"The download was refused: {_detail(response)}")
                yield from response.iter_bytes(chunk_bytes)
        except httpx2.TransportError as error:
            raise LockstepError(f"The download broke off ({type(error).__name__}): try again.") from None


def _error_of(response: Any) -> type[LockstepError]:
    if response.status_code == 404:
        return NotFoundError
    return StoreUnavailableError if response.status_code in _PASSES else LockstepError


def _detail(response: Any) -> str:
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {response.status_code}: {response.text[:300]}"


def use_stores(state: Path) -> None:
    """Let this process work on the stores that the environment names, else on those of the running instance."""
    named = {name: value for name, value in os.environ.items() if name.startswith("LOCKSTEP_")}
    # One or the other: a mixture of both would write into a deployment that nobody named.
    environment = named if named.get("LOCKSTEP_POSTGRES_URL") else State(state).read_running().get("environment", {})
    if not environment.get("LOCKSTEP_POSTGRES_URL"):
        raise LockstepError(
            f"No instance runs on {state}, and LOCKSTEP_POSTGRES_URL is not set: start one with `lockstep up`, or set "
            "the variables of your deployment."
        )
    wiring.install_settings(load_settings(environment))
    logger().setLevel("WARNING")  # a person watches; what went well is told otherwise
