"""Stands for requests in a package: pymilvus asks with it where the clusters of a global endpoint are, and nothing else.

The real one, with what it needs, takes 1.9 MiB, and some thirty milliseconds of processor time at every cold start.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any


class RequestException(OSError):  # noqa: N818  # what requests calls it
    """There was no answer."""


exceptions = SimpleNamespace(RequestException=RequestException)


class Response:
    """An answer, whatever its status."""

    def __init__(self, status_code: int, body: bytes) -> None:
        self.status_code = status_code
        self.text = body.decode("utf-8", "replace")

    def json(self) -> Any:
        """Its body, which is JSON. Raises RequestException if it is not."""
        import json

        try:
            return json.loads(self.text)
        except ValueError as error:
            raise RequestException(f"the answer is not JSON: {error}") from error


def get(url: str, *, headers: Mapping[str, str], timeout: float) -> Response:
    """What is at that address, or at the one that it sends to: there without the headers, one of which is a token.

    Raises RequestException.
    """
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    request = Request(url)  # noqa: S310  # pymilvus gives https
    for name, value in headers.items():
        request.add_unredirected_header(name, value)
    try:
        try:
            found = urlopen(request, timeout=timeout)  # noqa: S310
        except HTTPError as error:
            found = error  # an answer too
        with found:
            return Response(found.status, found.read())
    except (OSError, HTTPException) as error:
        raise RequestException(str(error)) from error
