"""Between the catalog's rows and the words of the domain."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.analysis import ANALYSIS_VERSION
from shared.domain import (
    HEADING_SEPARATOR,
    Bot,
    BotSettings,
    Collection,
    DocumentStatus,
    Evidence,
    Fields,
    Filter,
    IndexRow,
    Metadata,
    OwnPair,
    Pair,
    Passage,
    Source,
    StagedPair,
    alternatives,
)
from shared.postgres import Row
from shared.rows import make_row

_METADATA_COLUMNS = (
    "category",
    "subcategory",
    "source",
    "source_type",
    "author",
    "published_at",
    "language",
    "difficulty",
)
EXCERPT_CHARACTERS = 240
MAX_PARTS = 32  # of metadata, which one look into its index is for
OUTDATED = (
    "The pair that it corrects has changed since, or is gone: this correction answers no more. Correct the pair as it is "
    "now, or delete the correction."
)


def counts_of(row: Row | None) -> str:
    """What is told of a delete, by store, as JSON."""
    catalog = dict(row or {})
    return to_json({"index": {"rows": catalog.pop("index_rows", 0)}, "catalog": catalog})


def bot_from(row: Row) -> Bot:
    return Bot(
        bot_id=row["bot_id"],
        slug=row["slug"],
        name=row["bot_name"],
        collection=collection_from(row, row["deployment_id"]),
        settings=BotSettings(**row["settings"]),
        created_at=row["bot_created_at"],
        next_collection=_other_collection(row["next_collection"], row["deployment_id"]),
        former_collection=_other_collection(row["former_collection"], row["deployment_id"]),
    )


def _other_collection(row: Row | None, deployment_id: UUID) -> Collection | None:
    """From a row that came as JSON, where ids are text."""
    if row is None:
        return None
    ids = {name: UUID(row[name]) for name in ("collection_id", "incarnation") if row[name]}
    return collection_from(row | ids, deployment_id)


def collection_from(row: Row, deployment_id: UUID) -> Collection:
    return Collection(
        collection_id=row["collection_id"],
        deployment_id=deployment_id,
        name=row["name"],
        model_id=row["model_id"],
        model_revision=row["model_revision"],
        dimension=row["dimension"],
        metric=row["metric"],
        index_type=row["index_type"],
        index_params=row["index_params"],
        incarnation=row["incarnation"],
    )


def pair_from(row: Row) -> Pair:
    metadata = Metadata(
        tags=tuple(row["tags"]), extra=row["metadata"], **{name: row[name] for name in _METADATA_COLUMNS}
    )
    return Pair(
        qa_id=row["qa_id"],
        question=row["question"],
        response=row["response"],
        external_id=row["external_id"],
        heading_path=tuple(row["heading_path"]),
        page=row.get("page"),
        section=row.get("section"),
        is_active=row.get("is_active", True),
        metadata=metadata,
        addresses=tuple(row.get("addresses") or ()),
        links=tuple(row.get("links") or ()),
    )


def own_pair_from(row: Row) -> OwnPair:
    return OwnPair(pair_from(row), row["content_hash"], row["document_id"], _source_from(row))


def evidence_from(row: Row) -> Evidence:
    return Evidence(
        passage_id=row["passage_id"],
        document_id=row["document_id"],
        generation=row["generation"],
        text=row["text"],
        part=row["part"],
        pair=pair_from(row),
        source=_source_from(row),
        is_corrected=row["is_corrected"],
    )


def _source_from(row: Row) -> Source:
    return Source(
        name=row["source_name"],
        object_path=row["object_path"],
        page=row["page"],
        section=row["section"],
        excerpt=row["excerpt"],
    )


def status_from(row: Row) -> DocumentStatus:
    return DocumentStatus(
        document_id=row["document_id"],
        object_key=row["object_key"],
        state=row["state"],
        reason=row["reason"] or (OUTDATED if row["is_outdated"] else None),
        is_answering=row["live_generation"] is not None and not row["is_outdated"],
        title=row["title"],
        pairs=row["pair_count"] or 0,
        passages=row["passage_count"] or 0,
        progress=_progress(row["building_passages"], row["waiting_passages"]),
        seen_version=row["seen_version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        live_at=row["live_at"],
    )


def _progress(passages: int | None, waiting: int | None) -> float | None:
    return None if passages is None or waiting is None else max(0.0, 1 - waiting / max(1, passages))


def filter_parameters(matching: Filter) -> dict[str, Any]:
    """The parameters of {pair_filter}; None demands nothing."""
    named = {field.name: getattr(matching, field.name) for field in fields(Fields)}
    parameters = {name: list(value) if isinstance(value, tuple) else value for name, value in named.items()}
    together, others = _metadata_demanded(matching)
    return parameters | {
        "metadata": None if together is None else [to_json(part) for part in together],
        "other_metadata": to_json(others) if others else None,
        "must_not": _excluded(matching.must_not),
    }


def _metadata_demanded(wanted: Fields) -> tuple[list[Mapping[str, Any]] | None, list[list[Mapping[str, Any]]]]:
    """Of which parts metadata must hold any, which an index finds; and lists of parts of each of which it must hold any."""
    if wanted.metadata is None:
        return None, []
    together: list[Mapping[str, Any]] = [{}]
    others = []
    for name, value in wanted.metadata.items():
        parts = alternatives(name, value)
        if len(together) * len(parts) <= MAX_PARTS:
            together = [{**one, **part} for one in together for part in parts]
        else:
            others.append(parts)
    return together, others


def _excluded(unwanted: Fields | None) -> str | None:
    if unwanted is None or unwanted.names_nothing:
        return None
    named = {field.name: getattr(unwanted, field.name) for field in fields(Fields)}
    metadata = [part for name, value in (unwanted.metadata or {}).items() for part in alternatives(name, value)]
    return to_json({name: value for name, value in named.items() if value is not None} | {"metadata": metadata})


# What `stage` writes, one list of records per table


def pair_records(pairs: Iterable[StagedPair]) -> list[dict[str, Any]]:
    return [
        {
            "qa_id": staged.pair.qa_id,
            "external_id": staged.pair.external_id,
            "content_hash": staged.pair.content_hash,
            "question": staged.pair.question,
            "response": staged.pair.response,
            "heading_path": staged.pair.heading_path,
            "addresses": staged.pair.addresses,
            "links": staged.pair.links,
            "tags": staged.pair.metadata.tags,
            "metadata": staged.pair.metadata.extra,
            "is_active": staged.pair.is_active,
            **{name: getattr(staged.pair.metadata, name) for name in _METADATA_COLUMNS},
        }
        for staged in pairs
    ]


def passage_records(pairs: Iterable[StagedPair]) -> list[dict[str, Any]]:
    return [
        {
            "passage_id": staged.passage.passage_id,
            "qa_id": pair.pair.qa_id,
            "part": staged.passage.part,
            "text": staged.passage.text,
            "text_hash": staged.text_hash,
            "row_hash": staged.row_hash,
            "related_nodes": staged.related_nodes,
            "lexemes": staged.lexemes,
            "term_count": staged.term_count,
            "analysis": ANALYSIS_VERSION,
        }
        for pair in pairs
        for staged in pair.passages
    ]


def source_records(pairs: Iterable[StagedPair], *, name: str, object_path: str) -> list[dict[str, Any]]:
    return [
        {
            "passage_id": staged.passage.passage_id,
            "name": name,
            "object_path": object_path,
            "page": staged.passage.page or pair.pair.page,
            "section": pair.pair.section or HEADING_SEPARATOR.join(pair.pair.heading_path) or None,
            "excerpt": staged.passage.text[:EXCERPT_CHARACTERS],
        }
        for pair in pairs
        for staged in pair.passages
    ]


def relation_records(pairs: Iterable[StagedPair]) -> list[dict[str, Any]]:
    return [
        {
            "source_qa_id": staged.pair.qa_id,
            "target_qa_id": relation.target_qa_id,
            "type": relation.type,
            "confidence": relation.confidence,
            "target_external_id": relation.target_external_id,
        }
        for staged in pairs
        for relation in staged.pair.relations
    ]


def index_row_from(row: Row, collection: Collection, bot_id: UUID) -> IndexRow:
    """The row that the index must hold for a passage and its pair."""
    return make_row(
        deployment_id=collection.deployment_id,
        bot_id=bot_id,
        document_id=row["document_id"],
        pair=pair_from(row),
        passage=Passage(row["passage_id"], row["part"], row["text"]),
        related_nodes=row["related_nodes"],
    )


def to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no place in the catalog")
