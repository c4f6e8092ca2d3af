"""Stands for requests in a package: pymilvus asks with it where the clusters of a global endpoint are, and nothing else.

The real one, with what it needs, costs every cold start some fifty milliseconds.
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
    """What is at that address. Raises RequestException."""
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    try:
        with urlopen(Request(url, headers=dict(headers)), timeout=timeout) as found:  # noqa: S310  # pymilvus gives https
            return Response(found.status, found.read())
    except HTTPError as error:
        with error:
            return Response(error.code, error.read())
    except (OSError, HTTPException) as error:
        raise RequestException(str(error)) from error
