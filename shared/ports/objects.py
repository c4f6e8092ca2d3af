"""The bucket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

if TYPE_CHECKING:
    from shared.domain import (
        ObjectVersion,
    )


@dataclass(frozen=True, slots=True)
class PresignedUpload:
    """A request that anyone may make once, without a key of their own."""

    url: str
    method: str
    headers: Mapping[str, str]
    expires_in_seconds: int


class ObjectStore(Protocol):
    """A bucket. Keys are Unicode in NFC, `/` between their parts."""

    def head(self, key: str) -> ObjectVersion | None:
        """The version that is there now; None if there is none."""
        ...

    def open(self, version: ObjectVersion) -> AbstractContextManager[BinaryIO]:
        """The content of exactly that version, seekable. Raises ObjectChangedError, NotFoundError."""
        ...

    def put(self, key: str, content: bytes | BinaryIO, *, content_type: str | None = None) -> ObjectVersion: ...

    def delete(self, key: str) -> None:
        """Nothing happens if it is not there."""
        ...

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectVersion]:
        """Objects in the order of their keys (by bytes of UTF-8), those up to `after` left out."""
        ...

    def presign_put(self, key: str, *, size: int, expires_in_seconds: int = 900) -> PresignedUpload:
        """Lets anyone put exactly `size` bytes under that key for a while."""
        ...

    def presign_get(self, key: str, *, expires_in_seconds: int = 900) -> str:
        """A URL under which anyone may fetch that object for a while, without a key of their own."""
        ...
