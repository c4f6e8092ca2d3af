"""Corrections: an object that replaces one pair of another document, as long as that pair is what it was.

The object is JSON: the fields of the pair that are other than its own document says, `base` (the hash of the content that
was corrected), and `removed` for a pair that shall not answer at all. An unset field is the pair's own; null empties it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, BinaryIO
from uuid import UUID

from functions.ingest.json_values import plain_text, plain_value
from functions.ingest.pairs import METADATA_TEXTS, moment_of, tags_of
from functions.ingest.parsing.cleaning import clean_value
from functions.ingest.parsing.refusals import refusing
from shared.domain import Bot, Metadata, OwnPair, Pair, qa_id_of
from shared.errors import RejectedDocumentError
from shared.keys import corrected_pair
from shared.ports import DocumentCatalog

MAX_BYTES = 4_000_000
FIELDS = {"base", "removed", "question", "answer", "published_at", "tags", "metadata", *METADATA_TEXTS}
GONE = "There is no such pair any more, so there is nothing to correct: delete this correction."
CHANGED = "The pair has changed since it was corrected: correct it as it is now, or delete this correction."


def find_corrected(documents: DocumentCatalog, bot: Bot, object_key: str, file: BinaryIO) -> tuple[OwnPair, Pair]:
    """The pair that the object corrects as its own document has it, and the pair that replaces it.

    Raises RejectedDocumentError with a reason for whoever made the correction.
    """
    qa_id = corrected_pair(object_key)
    fields = _read(file)
    own = documents.own_pair(bot, qa_id) if qa_id else None
    if own is None:
        raise RejectedDocumentError(GONE)
    if fields.get("base", own.content_hash) != own.content_hash:
        raise RejectedDocumentError(CHANGED)
    return own, _corrected(own, fields)


def pair_of(correction: Pair, document_id: UUID) -> Pair:
    """The correction as a pair of its own document: there it has an id of its own, and is known by the pair's to readers."""
    return replace(correction, qa_id=qa_id_of(document_id, "correction"))


def _read(file: BinaryIO) -> dict[str, Any]:
    content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise RejectedDocumentError(f"A correction has at most {MAX_BYTES // 1_000_000} MB.")
    with refusing("correction"):
        fields = clean_value(json.loads(content))
    if not isinstance(fields, dict) or not fields:
        raise RejectedDocumentError("A correction is a JSON object with the fields that are to be other than they are.")
    if unknown := sorted(fields.keys() - FIELDS):
        raise RejectedDocumentError(f"A correction has no field {unknown[0]!r}: it has {', '.join(sorted(FIELDS))}.")
    return fields


def _corrected(own: OwnPair, fields: Mapping[str, Any]) -> Pair:
    pair = replace(own.pair, page=own.source.page, section=own.source.section)
    if fields.get("removed"):
        # Nothing of the pair is copied: what is removed shall not be held once more.
        return Pair(pair.qa_id, "", "Removed.", is_active=False)
    question = plain_text(fields["question"]) if "question" in fields else pair.question
    response = plain_text(fields["answer"]) if "answer" in fields else pair.response
    if not response:
        raise RejectedDocumentError("The answer is empty: to remove the pair, say so with `removed`.")
    return replace(pair, question=question, response=response, metadata=_metadata(pair.metadata, fields))


def _metadata(own: Metadata, fields: Mapping[str, Any]) -> Metadata:
    changed: dict[str, Any] = {name: plain_text(fields[name]) or None for name in METADATA_TEXTS if name in fields}
    if "tags" in fields:
        changed["tags"] = tags_of(fields["tags"])
    if "published_at" in fields:
        changed["published_at"] = moment_of(fields["published_at"])
    if "metadata" in fields:
        changed["extra"] = _extra(own.extra, fields["metadata"])
    return replace(own, **changed)


def _extra(own: Mapping[str, Any], changes: Any) -> Mapping[str, Any]:
    """The record's further fields, one by one: null takes a field away."""
    if changes is None:
        return {}
    if not isinstance(changes, dict):
        raise RejectedDocumentError("`metadata` is an object of fields.")
    merged = {**own, **{name: plain_value(value) for name, value in changes.items()}}
    return {name: value for name, value in merged.items() if value is not None}
