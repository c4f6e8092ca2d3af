"""The fields and indexes of a collection: the same on Milvus Lite, a server and Zilliz Cloud."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared.domain import VECTOR_FIELDS, Collection
from shared.rows import FIELD_BYTES

if TYPE_CHECKING:
    from pymilvus import CollectionSchema
    from pymilvus.milvus_client import IndexParams

# By the number of rows that a collection will hold. Zilliz Cloud chooses by itself.
INDEX_PROFILES: Mapping[str, tuple[str, Mapping[str, int]]] = {
    "auto": ("AUTOINDEX", {}),
    "small": ("FLAT", {}),  # up to some tens of thousands: exact, nothing to build
    "medium": ("HNSW", {"M": 16, "efConstruction": 200}),  # up to some millions
    "large": ("IVF_FLAT", {"nlist": 16_384}),  # beyond: less memory, faster to build
}


def make_schema(collection: Collection) -> CollectionSchema:
    """Rows are told apart by `passage_id` and kept together by `bot_id`."""
    from pymilvus import DataType, MilvusClient

    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    for name, limit in FIELD_BYTES.items():
        schema.add_field(
            name,
            DataType.VARCHAR,
            max_length=limit,
            is_primary=name == "passage_id",
            is_partition_key=name == "bot_id",
        )
    schema.add_field("part", DataType.INT64)
    schema.add_field("published_at", DataType.INT64)
    schema.add_field("is_active", DataType.BOOL)
    schema.add_field("row_hash", DataType.VARCHAR, max_length=64)
    schema.add_field("related_nodes", DataType.JSON)
    schema.add_field("metadata", DataType.JSON)
    for field in VECTOR_FIELDS:
        schema.add_field(f"{field}_vector", DataType.FLOAT_VECTOR, dim=collection.dimension)
    return schema


def index_parameters(collection: Collection, field: str) -> IndexParams:
    from pymilvus import MilvusClient

    parameters = MilvusClient.prepare_index_params()
    parameters.add_index(
        field,
        index_type=collection.index_type,
        metric_type=collection.metric,
        params=dict(collection.index_params),
    )
    return parameters


def search_parameters(collection: Collection, limit: int) -> dict[str, Any]:
    """How widely an approximate index looks: enough that nine in ten of the true nearest are found."""
    if collection.index_type == "HNSW":
        return {"params": {"ef": max(128, 2 * limit)}}
    if collection.index_type == "IVF_FLAT":
        return {"params": {"nprobe": 64}}
    return {}


def readable_fields(described: Mapping[str, Any]) -> list[str]:
    """The fields of any collection that can be read and are no vectors, its key first."""
    from pymilvus import DataType

    vectors = {kind for kind in DataType if "VECTOR" in kind.name}
    fields = sorted(described["fields"], key=lambda field: not field.get("is_primary", False))
    names = [field["name"] for field in fields if field["type"] not in vectors]
    return [*names, "$meta"] if described.get("enable_dynamic_field") else names
