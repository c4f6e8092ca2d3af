"""Collections in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from shared.domain import Candidate, Collection, Fields, Filter, IndexRow, KeyRange, StoredRow, Vectors
from shared.errors import CollectionMissingError, MismatchError, RefusedRowError
from shared.rows import FIELD_BYTES, NO_DATE, clip, is_kept_whole, seconds_of, tag_token, whole_seconds_within

if TYPE_CHECKING:
    from shared.domain import Vector

Rows = dict[UUID, tuple[IndexRow, Vectors]]
_SCALARS = ("category", "subcategory", "source", "source_type", "author", "language", "difficulty", "external_id")


class InMemoryVectorIndex:
    """The port `VectorIndex`."""

    def __init__(self) -> None:
        self.rows: dict[str, Rows] = {}
        self.others: dict[str, dict[str, Mapping[str, Any]]] = {}  # collections that somebody else made
        self._identities: dict[str, tuple[UUID, str, str, UUID]] = {}

    @property
    def write_timeout_seconds(self) -> float:
        return 10.0

    def create(self, collection: Collection, incarnation: UUID) -> UUID:
        existing = self.incarnation(collection)
        if existing is not None:
            return existing
        self.rows[collection.name] = {}
        self._identities[collection.name] = (
            collection.deployment_id,
            collection.model_id,
            collection.model_revision,
            incarnation,
        )
        return incarnation

    def incarnation(self, collection: Collection) -> UUID | None:
        if collection.name not in self._identities:
            return None
        *identity, incarnation = self._identities[collection.name]
        if identity != [collection.deployment_id, collection.model_id, collection.model_revision]:
            raise MismatchError(f"The collection {collection.name} is of another deployment or embedder.")
        return incarnation

    def drop(self, collection: Collection) -> None:
        """Lose the collection, as an accident would."""
        del self.rows[collection.name], self._identities[collection.name]

    def upsert(
        self,
        collection: Collection,
        rows: Sequence[tuple[IndexRow, Vectors]],
        *,
        within_seconds: float | None = None,
    ) -> None:
        held = self._rows(collection)
        for row, vectors in rows:
            _check(row, vectors, collection)
        held.update({row.passage_id: (row, vectors) for row, vectors in rows})

    def fetch(
        self, collection: Collection, bot_id: UUID, passage_ids: Sequence[UUID]
    ) -> dict[UUID, tuple[IndexRow, Vectors]]:
        mine = self._of_bot(collection, bot_id)
        return {passage_id: mine[passage_id] for passage_id in passage_ids if passage_id in mine}

    def present(self, collection: Collection, bot_id: UUID, passage_ids: Sequence[UUID]) -> set[UUID]:
        return set(self.fetch(collection, bot_id, passage_ids))

    def stored(
        self,
        collection: Collection,
        keys: KeyRange,
        *,
        limit: int,
        bot_id: UUID | None = None,
        document_id: UUID | None = None,
    ) -> list[StoredRow]:
        found = [
            StoredRow(str(passage_id), row.bot_id, row.row_hash, vectors.digest)
            for passage_id, (row, vectors) in self._rows(collection).items()
            if keys.first <= passage_id <= keys.last
            and row.deployment_id == collection.deployment_id
            and bot_id in (None, row.bot_id)
            and document_id in (None, row.document_id)
        ]
        return found[:limit]

    def count_foreign(self, collection: Collection) -> int:
        return sum(row.deployment_id != collection.deployment_id for row, _ in self._rows(collection).values())

    def records(self, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        if name in self.others:
            yield from sorted(self.others[name].items())
        elif name in self.rows:
            for passage_id, (row, _) in sorted(self.rows[name].items()):
                values = {
                    field: getattr(row, field) for field in IndexRow.__dataclass_fields__ if field != "passage_id"
                }
                ids = {field: str(value) for field, value in values.items() if isinstance(value, UUID)}
                yield str(passage_id), values | ids
        else:
            raise CollectionMissingError()

    def delete(self, collection: Collection, bot_id: UUID, keys: Sequence[UUID] | Sequence[str]) -> None:
        for passage_id in self.present(collection, bot_id, [UUID(str(key)) for key in keys]):
            del self._rows(collection)[passage_id]

    def delete_bot(self, collection: Collection, bot_id: UUID) -> None:
        self.delete(collection, bot_id, list(self._of_bot(collection, bot_id)))

    def drop_empty(self, collection: Collection) -> bool:
        if self.incarnation(collection) is None:
            return True
        if self.rows[collection.name]:
            return False
        self.drop(collection)
        return True

    def is_empty(self, collection: Collection, bot_id: UUID) -> bool:
        return not self._of_bot(collection, bot_id)

    def count(self, collection: Collection, bot_id: UUID) -> int:
        return len(self._of_bot(collection, bot_id))

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
        wanted = None if passage_ids is None else set(passage_ids)
        eligible = [
            (row, vectors)
            for row, vectors in self._of_bot(collection, bot_id).values()
            if _matches(row, matching or Filter()) and (wanted is None or row.passage_id in wanted)
        ]
        return {field: _nearest(eligible, field, vector, limit) for field in fields}

    def nearest(
        self, collection: Collection, bot_id: UUID, vectors: Sequence[Vector], *, field: str, limit: int
    ) -> list[list[Candidate]]:
        rows = self._of_bot(collection, bot_id).values()
        firsts = [(row, held) for row, held in rows if row.is_active and row.part == 0]
        return [_nearest(firsts, field, vector, limit) for vector in vectors]

    def ping(self, collections: Sequence[Collection] = ()) -> None:
        """It is here."""

    def _rows(self, collection: Collection) -> Rows:
        if collection.name not in self.rows:
            raise CollectionMissingError()
        return self.rows[collection.name]

    def _of_bot(self, collection: Collection, bot_id: UUID) -> Rows:
        return {
            passage_id: (row, vectors)
            for passage_id, (row, vectors) in self._rows(collection).items()
            if row.bot_id == bot_id and row.deployment_id == collection.deployment_id
        }


def _check(row: IndexRow, vectors: Vectors, collection: Collection) -> None:
    if len(vectors.question) != collection.dimension:
        raise RefusedRowError(f"{len(vectors.question)} dimensions, expected {collection.dimension}")
    for name, limit in FIELD_BYTES.items():
        if len(str(getattr(row, name)).encode()) > limit:
            raise RefusedRowError(f"{name} is longer than {limit} bytes")


def _nearest(rows: Sequence[tuple[IndexRow, Vectors]], field: str, vector: Vector, limit: int) -> list[Candidate]:
    scored = [
        Candidate(row.passage_id, row.qa_id, row.document_id, float(getattr(vectors, field) @ vector))
        for row, vectors in rows
    ]
    return sorted(scored, key=lambda candidate: (-candidate.score, candidate.passage_id))[:limit]


def _matches(row: IndexRow, wanted: Filter) -> bool:
    for name in _SCALARS:
        values = getattr(wanted, name)
        if values is not None and getattr(row, name) not in {clip(value, FIELD_BYTES[name]) for value in values}:
            return False
    if wanted.document_id is not None and row.document_id not in wanted.document_id:
        return False
    if any(f"|{tag_token(tag)}|" not in row.tags for tag in wanted.tags or ()):
        return False
    if wanted.published_from is not None and row.published_at < seconds_of(wanted.published_from):
        return False
    if wanted.published_to is not None and not NO_DATE < row.published_at <= seconds_of(wanted.published_to):
        return False
    return row.is_active and not (wanted.must_not and _is_excluded(row, wanted.must_not))


def _is_excluded(row: IndexRow, unwanted: Fields) -> bool:
    """Only what is sure: a clipped value may be another one, tags do not stand there as they are, nor parts of seconds."""
    for name in _SCALARS:
        values = {value for value in getattr(unwanted, name) or () if is_kept_whole(value, FIELD_BYTES[name])}
        if getattr(row, name) in values:
            return True
    if unwanted.document_id is not None and row.document_id in unwanted.document_id:
        return True
    first, last = whole_seconds_within(unwanted.published_from, unwanted.published_to)
    has_period = unwanted.published_from is not None or unwanted.published_to is not None
    return has_period and row.published_at != NO_DATE and first <= row.published_at <= last
