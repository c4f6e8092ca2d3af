"""Writes the files of a snapshot, and the notes that tell the next invocation which of them are whole."""

from __future__ import annotations

import gzip
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from shared.domain import sha256_of_file
from shared.ports import ObjectStore
from shared.snapshots import PARTS, Part, read_json, write_json


class BotParts:
    """The parts of one bot in the snapshot under way.

    A part counts once a note names it. Each invocation writes under names of its own, so that one which had stood still
    cannot alter what another wrote.
    """

    def __init__(self, store: ObjectStore, snapshot_id: str, bot_id: str) -> None:
        self._store = store
        self._prefix = f"{PARTS}{snapshot_id}/{bot_id}"
        self._attempt = secrets.token_hex(4)

    def put(
        self,
        name: str,
        kind: str,
        file: BinaryIO,
        *,
        rows: int,
        object_key: str | None = None,
        version: str | None = None,
    ) -> Part:
        """Store a file from its beginning."""
        file.seek(0)
        digest = sha256_of_file(file)
        size = file.tell()
        file.seek(0)
        key = f"{self._prefix}/{self._attempt}/{name}"
        self._store.put(key, file)
        return Part(key, kind, rows, size, digest, object_key, version)

    def note(self, name: str, content: Mapping[str, Any]) -> None:
        write_json(self._store, self._note_key(name), content)

    def read_note(self, name: str) -> dict[str, Any] | None:
        return read_json(self._store, self._note_key(name))

    def numbered_notes(self, name: str) -> Iterator[dict[str, Any]]:
        """The notes NAME-0, NAME-1 and so on, as far as there are any."""
        number = 0
        while (content := self.read_note(f"{name}-{number}")) is not None:
            yield content
            number += 1

    def _note_key(self, name: str) -> str:
        return f"{self._prefix}/{name}.json"


@contextmanager
def compressed_file() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """A temporary file, and a gzip writer into it that must be closed before the file is read."""
    with tempfile.TemporaryFile() as file:
        # No name and no time, so that the same rows give the same bytes.
        yield file, cast(BinaryIO, gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=1, mtime=0))
