"""A bucket in memory."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO
from urllib.parse import quote

from shared.domain import ObjectVersion
from shared.errors import NotFoundError, ObjectChangedError
from shared.ports import PresignedUpload


class InMemoryObjectStore:
    """The port `ObjectStore`."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}

    def head(self, key: str) -> ObjectVersion | None:
        return _version(key, self.contents[key]) if key in self.contents else None

    @contextmanager
    def open(self, version: ObjectVersion) -> Iterator[BinaryIO]:
        if version.key not in self.contents:
            raise NotFoundError(f"There is no object {version.key}.")
        content = self.contents[version.key]
        if _version(version.key, content) != version:
            raise ObjectChangedError(f"{version.key} changed.")
        yield io.BytesIO(content)

    def put(self, key: str, content: bytes | BinaryIO, *, content_type: str | None = None) -> ObjectVersion:
        self.contents[key] = content if isinstance(content, bytes) else content.read()
        return _version(key, self.contents[key])

    def delete(self, key: str) -> None:
        self.contents.pop(key, None)

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectVersion]:
        for key in sorted(self.contents, key=str.encode):
            if key.startswith(prefix) and key.encode() > after.encode():
                yield _version(key, self.contents[key])

    def presign_put(self, key: str, *, size: int, expires_in_seconds: int = 900) -> PresignedUpload:
        return PresignedUpload(f"memory:{key}", "PUT", {"Content-Length": str(size)}, expires_in_seconds)

    def presign_get(self, key: str, *, expires_in_seconds: int = 900) -> str:
        return f"memory:{quote(key)}?expires_in={expires_in_seconds}"


def _version(key: str, content: bytes) -> ObjectVersion:
    return ObjectVersion(key, hashlib.md5(content, usedforsecurity=False).hexdigest(), len(content))
