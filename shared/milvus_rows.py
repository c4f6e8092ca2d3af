"""Between Lockstep's rows and Milvus's records. A record may have been written by anybody, so that none is trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared.domain import VECTOR_FIELDS, Candidate, IndexRow, StoredRow, Vectors, uuid_or_none

if TYPE_CHECKING:
    from shared.domain import Vector

_UUIDS = ("passage_id", "deployment_id", "bot_id", "document_id", "qa_id")


def record_of(row: IndexRow, vectors: Vectors) -> dict[str, Any]:
    record = {name: getattr(row, name) for name in IndexRow.__dataclass_fields__}
    record |= {name: str(record[name]) for name in _UUIDS}
    record |= {f"{field}_vector": getattr(vectors, field) for field in VECTOR_FIELDS}
    return record | {"related_nodes": list(row.related_nodes), "metadata": dict(row.metadata), "row_hash": row.row_hash}


def row_of(record: Mapping[str, Any]) -> tuple[IndexRow, Vectors] | None:
    """None if Lockstep cannot have written it."""
    row = _scalars_of(record)
    return None if row is None else (row, Vectors(*(_vector(record, field) for field in VECTOR_FIELDS)))


def stored_row_of(record: Mapping[str, Any]) -> StoredRow:
    row = _scalars_of(record)
    # Whoever altered a field may have left the hash beside it, and the other way round.
    is_whole = row is not None and row.row_hash == record["row_hash"]
    return StoredRow(
        key=record["passage_id"],
        bot_id=uuid_or_none(record["bot_id"]),
        row_hash=row.row_hash if row is not None and is_whole else "",
        vector_digest=Vectors(*(_vector(record, field) for field in VECTOR_FIELDS)).digest,
    )


def candidate_of(hit: Any, metric: str) -> Candidate | None:
    """None if Lockstep cannot have written the row."""
    entity = hit["entity"]
    ids = [uuid_or_none(text) for text in (hit["passage_id"], entity["qa_id"], entity["document_id"])]
    passage_id, qa_id, document_id = ids
    if passage_id is None or qa_id is None or document_id is None:
        return None
    score = -hit["distance"] if metric == "L2" else hit["distance"]
    return Candidate(passage_id, qa_id, document_id, float(score))


def _scalars_of(record: Mapping[str, Any]) -> IndexRow | None:
    values = {name: record[name] for name in IndexRow.__dataclass_fields__}
    ids = {name: uuid_or_none(record[name]) for name in _UUIDS}
    if None in ids.values() or not isinstance(record["related_nodes"], list):
        return None
    return IndexRow(**values | ids | {"related_nodes": tuple(record["related_nodes"])})


def _vector(record: Mapping[str, Any], field: str) -> Vector:
    import numpy as np

    return np.asarray(record[f"{field}_vector"], dtype="<f4")
