"""The index on Milvus: Lite, a server or Zilliz Cloud, told apart by URI and token only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID

from shared import milvus_expressions as expressions
from shared.domain import VECTOR_FIELDS, Candidate, Collection, Filter, IndexRow, KeyRange, StoredRow, Vectors
from shared.errors import CollectionMissingError, MismatchError, StoreUnavailableError
from shared.milvus_connection import MilvusConnection, TimeLeft
from shared.milvus_rows import candidate_of, record_of, row_of, stored_row_of
from shared.milvus_schema import index_parameters, make_schema, readable_fields, search_parameters
from shared.steps import step

if TYPE_CHECKING:
    from pymilvus import MilvusClient

    from shared.domain import Vector

CALL_TIMEOUT_SECONDS = 10.0
PING_TIMEOUT_SECONDS = 2.0
LONG_TIMEOUT_SECONDS = 60.0  # for what no question waits for
RECORDS_AT_ONCE = 500
LITE_PARTITIONS = 16


class MilvusIndex:
    """The port `VectorIndex`. Safe for threads."""

    def __init__(self, uri: str, token: str = "", *, timeout_seconds: float = CALL_TIMEOUT_SECONDS) -> None:
        self._timeout = timeout_seconds
        self._connection = MilvusConnection(uri, token, timeout_seconds)
        self._call = self._connection.call
        self._client = self._connection.client

    @property
    def write_timeout_seconds(self) -> float:
        """No write starts with less lease left than this."""
        return self._timeout

    # Collections

    def create(self, collection: Collection, incarnation: UUID) -> UUID:
        existing = self.incarnation(collection)
        if existing is None:
            self._create(collection, incarnation)
            step("collection.created")
            existing = self.incarnation(collection)
            assert existing is not None
        self._index_and_load(collection)
        step("collection.loaded")
        return existing

    def incarnation(self, collection: Collection) -> UUID | None:
        def work(client: MilvusClient, left: TimeLeft) -> UUID | None:
            if not client.has_collection(collection.name, timeout=left()):
                return None
            described = client.describe_collection(collection.name, timeout=left())
            return _check_identity(collection, described["properties"])

        return self._call(work)

    def _create(self, collection: Collection, incarnation: UUID) -> None:
        def work(client: MilvusClient, left: TimeLeft) -> None:
            client.create_collection(
                collection.name,
                schema=make_schema(collection),
                properties=_identity(collection, incarnation),
                consistency_level="Strong",
                timeout=left(),
            )

        try:
            self._call(work, seconds=LONG_TIMEOUT_SECONDS)
        except StoreUnavailableError:
            if self.incarnation(collection) is None:  # else somebody else created it meanwhile
                raise

    def _index_and_load(self, collection: Collection) -> None:
        def work(client: MilvusClient, left: TimeLeft) -> None:
            present = {
                client.describe_index(collection.name, name, timeout=left())["field_name"]
                for name in client.list_indexes(collection.name, timeout=left())
            }
            for field in VECTOR_FIELDS:
                if f"{field}_vector" not in present:
                    parameters = index_parameters(collection, f"{field}_vector")
                    client.create_index(collection.name, parameters, sync=False, timeout=left())
            client.load_collection(collection.name, timeout=left())

        self._call(work, seconds=LONG_TIMEOUT_SECONDS)

    # Rows

    def upsert(
        self,
        collection: Collection,
        rows: Sequence[tuple[IndexRow, Vectors]],
        *,
        within_seconds: float | None = None,
    ) -> None:
        records = [record_of(row, vectors) for row, vectors in rows]
        self._call(
            lambda client, left: client.upsert(collection.name, records, timeout=left()),
            collection,
            # pymilvus reads the schema first, and may try again: each may take as long as it is given.
            within_seconds=None if within_seconds is None else within_seconds / 2,
        )

    def fetch(
        self, collection: Collection, bot_id: UUID, passage_ids: Sequence[UUID]
    ) -> dict[UUID, tuple[IndexRow, Vectors]]:
        records = self._query(collection, bot_id, passage_ids, ["*"])
        rows = [found for record in records if (found := row_of(record)) is not None]
        return {row.passage_id: (row, vectors) for row, vectors in rows}

    def present(self, collection: Collection, bot_id: UUID, passage_ids: Sequence[UUID]) -> set[UUID]:
        return {UUID(record["passage_id"]) for record in self._query(collection, bot_id, passage_ids, ["passage_id"])}

    def _query(
        self, collection: Collection, bot_id: UUID, passage_ids: Sequence[UUID], fields: list[str]
    ) -> list[dict[str, Any]]:
        if not passage_ids:
            return []
        expression = expressions.with_ids(expressions.rows_of(collection, bot_id), passage_ids)
        return self._read(collection, expression, fields)

    def _read(
        self,
        collection: Collection,
        expression: str,
        fields: list[str],
        *,
        seconds: float | None = None,
        **options: Any,
    ) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._call(
            lambda client, left: client.query(
                collection.name,
                filter=expression,
                output_fields=fields,
                consistency_level="Strong",
                strict_float32=True,  # vectors as arrays, not as lists of numbers
                timeout=left(),
                **options,
            ),
            collection,
            seconds=seconds,
        )
        return found

    def delete(self, collection: Collection, bot_id: UUID, keys: Sequence[UUID] | Sequence[str]) -> None:
        if keys:
            self._delete(collection, expressions.with_ids(expressions.rows_of(collection, bot_id), keys))

    def delete_bot(self, collection: Collection, bot_id: UUID) -> None:
        self._delete(collection, expressions.rows_of(collection, bot_id))

    def _delete(self, collection: Collection, expression: str) -> None:
        self._call(lambda client, left: client.delete(collection.name, filter=expression, timeout=left()), collection)

    def drop_empty(self, collection: Collection) -> bool:
        if self.incarnation(collection) is None:
            return True
        if self._count(collection, ""):
            return False
        self._call(
            lambda client, left: client.drop_collection(collection.name, timeout=left()), seconds=LONG_TIMEOUT_SECONDS
        )
        self._connection.forget(collection)
        return True

    def is_empty(self, collection: Collection, bot_id: UUID) -> bool:
        expression = expressions.rows_of(collection, bot_id)
        return not self._read(collection, expression, ["passage_id"], limit=1)

    def count(self, collection: Collection, bot_id: UUID) -> int:
        return self._count(collection, expressions.rows_of(collection, bot_id))

    def count_foreign(self, collection: Collection) -> int:
        return self._count(collection, expressions.rows_of_others(collection))

    def _count(self, collection: Collection, expression: str) -> int:
        rows = self._read(collection, expression, ["count(*)"], seconds=LONG_TIMEOUT_SECONDS)
        return int(rows[0]["count(*)"])

    # Everything, whoever wrote it

    def stored(
        self,
        collection: Collection,
        keys: KeyRange,
        *,
        limit: int,
        bot_id: UUID | None = None,
        document_id: UUID | None = None,
    ) -> list[StoredRow]:
        expression = expressions.with_keys(expressions.rows_of(collection, bot_id), keys)
        if document_id is not None:
            expression = expressions.with_document(expression, document_id)
        records = self._read(collection, expression, ["*"], seconds=LONG_TIMEOUT_SECONDS, limit=limit)
        return [stored_row_of(record) for record in records]

    def records(self, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        def describe(client: MilvusClient, left: TimeLeft) -> dict[str, Any]:
            if not client.has_collection(name, timeout=left()):
                raise CollectionMissingError(f"There is no collection {name!r} in this Milvus.")
            client.load_collection(name, timeout=left())
            described: dict[str, Any] = client.describe_collection(name, timeout=left())
            return described

        key, *others = readable_fields(self._call(describe, seconds=LONG_TIMEOUT_SECONDS))
        pages = self._call(
            lambda client, _: client.query_iterator(
                name,
                batch_size=RECORDS_AT_ONCE,
                output_fields=[key, *others],
                consistency_level="Strong",
                timeout=LONG_TIMEOUT_SECONDS,  # of each page
            ),
            seconds=LONG_TIMEOUT_SECONDS,
        )
        try:
            while page := self._call(lambda *_: pages.next(), seconds=LONG_TIMEOUT_SECONDS):
                yield from ((str(record.pop(key)), record) for record in page)
        finally:
            pages.close()

    # Search

    def search(
        self,
        collection: Collection,
        bot_id: UUID,
        vector: Vector,
        *,
        fields: Sequence[str],
        limit: int,
        matching: Filter | None = None,
        passage_ids: Sequence[UUID] | None = None,
    ) -> dict[str, list[Candidate]]:
        expression = expressions.matching(expressions.rows_of(collection, bot_id), matching or Filter())
        if passage_ids is not None:
            expression = expressions.with_ids(expression, passage_ids)

        def one(field: str) -> list[Candidate]:
            return self._search(collection, bot_id, [vector], expression, field=field, limit=limit)[0]

        return dict(zip(fields, self._searchers.map(one, fields), strict=True))

    def nearest(
        self, collection: Collection, bot_id: UUID, vectors: Sequence[Vector], *, field: str, limit: int
    ) -> list[list[Candidate]]:
        if not vectors:
            return []
        expression = expressions.first_passages(expressions.rows_of(collection, bot_id))
        found = self._search(collection, bot_id, vectors, expression, field=field, limit=limit)
        if collection.metric != "L2":
            return found
        # Vectors are of unit length, and Milvus tells the square of their distance.
        return [[replace(candidate, score=1 + candidate.score / 2) for candidate in near] for near in found]

    def _search(
        self,
        collection: Collection,
        bot_id: UUID,
        vectors: Sequence[Vector],
        expression: str,
        *,
        field: str,
        limit: int,
    ) -> list[list[Candidate]]:
        answered = self._call(
            lambda client, left: client.search(
                collection.name,
                list(vectors),
                anns_field=f"{field}_vector",
                filter=expression,
                limit=limit,
                output_fields=["qa_id", "document_id"],
                search_params=search_parameters(collection, limit),
                partition_names=self._partitions_of(bot_id),
                consistency_level="Strong",
                timeout=left(),
            ),
            collection,
        )
        candidates = ([candidate_of(hit, collection.metric) for hit in hits] for hits in answered)
        return [[candidate for candidate in found if candidate is not None] for found in candidates]

    def _partitions_of(self, bot_id: UUID) -> list[str] | None:
        """Where Milvus Lite keeps the rows of a bot: by the filter alone it would look through those of all bots.

        A server finds that out by itself, and refuses to be told.
        """
        return [lite_partition(bot_id)] if self._connection.is_lite else None

    @cached_property
    def _searchers(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max_workers=2 * len(VECTOR_FIELDS), thread_name_prefix="index-search")

    def ping(self, collections: Sequence[Collection] = ()) -> None:
        def work(client: MilvusClient, left: TimeLeft) -> None:
            there = client.list_collections(timeout=min(left(), PING_TIMEOUT_SECONDS))
            for collection in collections:
                if collection.name in there:
                    client.load_collection(collection.name, timeout=left())  # at once if it is loaded

        self._call(work)

    def settle(self, collection: Collection) -> None:
        """Have written rows moved into indexed segments now. Only Milvus Lite needs it, which searches the others in Python."""
        self._call(
            lambda client, left: client.flush(collection.name, timeout=left()), collection, seconds=LONG_TIMEOUT_SECONDS
        )


def lite_partition(bot_id: UUID) -> str:
    """Where Milvus Lite puts the rows of a bot."""
    digest = hashlib.md5(str(bot_id).encode(), usedforsecurity=False).hexdigest()
    return f"_pk_{int(digest, 16) % LITE_PARTITIONS}"


# What a collection says of itself, in its properties


def _identity(collection: Collection, incarnation: UUID) -> dict[str, str]:
    return {
        "lockstep.deployment_id": str(collection.deployment_id),
        "lockstep.model_id": collection.model_id,
        "lockstep.model_revision": collection.model_revision,
        "lockstep.incarnation": str(incarnation),
    }


def _check_identity(collection: Collection, properties: Mapping[str, str]) -> UUID:
    if "lockstep.incarnation" not in properties:
        raise MismatchError(f"The collection {collection.name} was not made by Lockstep.")
    incarnation = UUID(properties["lockstep.incarnation"])
    if not _identity(collection, incarnation).items() <= properties.items():
        raise MismatchError(
            f"The collection {collection.name} is of another deployment or embedder: {dict(properties)}."
        )
    return incarnation
