"""Ids and hashes that every process computes alike."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import BinaryIO
from uuid import UUID, uuid5


def qa_id_of(document_id: UUID, key: str) -> UUID:
    """The stable id of a pair: the same document and key give the same id, in every generation."""
    return uuid5(document_id, key)


def uuid_or_none(text: object) -> UUID | None:
    """The id that `text` is, written as Lockstep writes ids; None for anything else."""
    try:
        found = UUID(str(text))
    except ValueError:
        return None
    return found if str(found) == text else None


def sha256_of(value: object) -> str:
    """sha256 of the canonical JSON of a value: sorted keys, no spaces, UTF-8."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def sha256_of_file(file: BinaryIO) -> str:
    """sha256 of what is left to read of a file."""
    digest = hashlib.sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no canonical form")
