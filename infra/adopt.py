"""Imports rows that somebody else wrote into a Milvus collection.

The bucket is the origin of everything, and so it is of these: each batch of rows becomes one object in the bot's prefix, and
ingest does the rest, with markers, proofs and vectors as for any other document. The rows themselves are never touched.
Keys and contents are the same in every run, so that a repetition goes on where the last one stopped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import UUID

from functions.ingest.columns import COLUMN_NAMES, find_columns
from shared.domain import Bot, uuid_or_none
from shared.errors import InvalidInputError
from shared.ports import ObjectStore, VectorIndex
from shared.rows import NO_DATE, tags_of
from shared.steps import step

ROWS_PER_OBJECT = 100
FOLDER = "adopted"
# What Lockstep writes into a row for itself; it says nothing of the pair.
_OF_LOCKSTEP = {
    *("passage_id", "deployment_id", "bot_id", "document_id", "qa_id", "part", "row_hash", "related_nodes"),
    *("question", "response", "external_id", "is_active", "tags", "published_at", "metadata"),
}


@dataclass(slots=True)
class Adoption:
    """What a run did, or would do."""

    rows: int = 0
    pairs: int = 0
    ours: int = 0  # rows that this deployment wrote itself
    empty: int = 0  # rows without text
    objects: int = 0
    written: int = 0  # of the objects, those that were not there yet
    fields: dict[str, str] = field(default_factory=dict)  # part of a pair to the name that the first row has for it
    example: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Adopter:
    """Reads one collection into one bot's prefix. `columns` names fields that are not found by their name."""

    index: VectorIndex
    bucket: ObjectStore
    deployment_id: UUID
    bots: frozenset[UUID]  # every bot that the deployment ever had
    columns: Mapping[str, str]

    def adopt(self, name: str, bot: Bot, *, dry_run: bool) -> Adoption:
        """Raises CollectionMissingError, InvalidInputError if no row has a text."""
        done = Adoption()
        for number, batch in enumerate(_batches(self._pairs(name, done)), start=1):
            key = f"{bot.slug}/{FOLDER}/{name}/{number:06}.jsonl"
            content = "".join(json.dumps(pair, ensure_ascii=False, default=_plain) + "\n" for pair in batch).encode()
            done.objects += 1
            if self._holds(key, content):
                continue
            done.written += 1
            if not dry_run:
                self.bucket.put(key, content, content_type="application/jsonl")
                step("adopt.object-written")
        return done

    def _pairs(self, name: str, done: Adoption) -> Iterator[dict[str, Any]]:
        names: list[str] = []
        for key, record in self.index.records(name):
            names = names or list(record)
            done.rows += 1
            if self._is_ours(record):
                done.ours += 1
                continue
            fields, pair = self._pair(key, record)
            if pair is None:
                done.empty += 1
                continue
            if done.example is None:
                done.example, done.fields = pair, fields
            done.pairs += 1
            yield pair
        if done.empty and not done.pairs:
            raise InvalidInputError(
                f"No row of {name} has a text: name its field with --response. The rows have {', '.join(names)}."
            )

    def _is_ours(self, record: Mapping[str, Any]) -> bool:
        is_of_bot = uuid_or_none(record.get("bot_id")) in self.bots
        return record.get("deployment_id") == str(self.deployment_id) and is_of_bot

    def _pair(self, key: str, record: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any] | None]:
        """The row as ingest reads records; its key is the pair's id, as no two rows share it."""
        fields = find_columns(record, self.columns)
        fields.pop("external_id", None)
        pair = _from_lockstep(record) if "row_hash" in record else _renamed(record, fields)
        has_text = any(str(pair.get(name) or "").strip() for name in ("response", "text"))
        return fields, {"id": key} | pair if has_text else None

    def _holds(self, key: str, content: bytes) -> bool:
        version = self.bucket.head(key)
        if version is None or version.size != len(content):
            return False
        with self.bucket.open(version) as file:
            return file.read() == content


def _renamed(record: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, Any]:
    parts = {part: record[name] for part, name in fields.items()}
    others = {name: value for name, value in record.items() if name not in fields.values()}
    # What is left must not be taken for a part of the pair by its name.
    kept = {
        f"original_{name}" if name.lower() in COLUMN_NAMES or name == "id" else name: others[name] for name in others
    }
    return kept | parts


def _from_lockstep(record: Mapping[str, Any]) -> dict[str, Any]:
    """A row of another deployment of Lockstep."""
    others = {name: value for name, value in record.items() if name not in _OF_LOCKSTEP and value}
    pair = dict(record["metadata"] or {}) | others | {name: record[name] for name in ("question", "response")}
    if record["external_id"]:
        pair["original_id"] = record["external_id"]
    if tags := tags_of(record["tags"]):
        pair["tags"] = tags
    if record["published_at"] > NO_DATE:
        pair["published_at"] = datetime.fromtimestamp(record["published_at"], UTC).isoformat()
    return pair | {"is_active": record["is_active"]}


def _batches(pairs: Iterator[dict[str, Any]]) -> Iterator[Sequence[dict[str, Any]]]:
    while batch := list(islice(pairs, ROWS_PER_OBJECT)):
        yield batch


def _plain(value: object) -> object:
    return list(value) if isinstance(value, Iterable) else str(value)
