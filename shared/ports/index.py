"""The index: collections of vectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

if TYPE_CHECKING:
    from shared.domain import (
        Candidate,
        Collection,
        Filter,
        IndexRow,
        KeyRange,
        StoredRow,
        Vector,
        Vectors,
    )


class VectorIndex(Protocol):
    """The collections. Every call is confined to the collection's deployment; reads see every write before them.

    Every call may raise StoreUnavailableError; those on rows CollectionMissingError, `upsert` also RefusedRowError.
    """

    @property
    def write_timeout_seconds(self) -> float:
        """No write starts with less lease left than this."""
        ...

    def create(self, collection: Collection, incarnation: UUID) -> UUID:
        """Create the collection if it is not there; returns the incarnation that is. Raises MismatchError."""
        ...

    def incarnation(self, collection: Collection) -> UUID | None:
        """Which incarnation is there; None if the collection is not."""
        ...

    def upsert(
        self,
        collection: Collection,
        rows: Sequence[tuple[IndexRow, Vectors]],
        *,
        within_seconds: float | None = None,
    ) -> None:
        """Write them. With `within_seconds`, no attempt is under way any more when these are over."""
        ...

    def fetch(
        self, collection: Collection, bot_id: UUID, passage_ids: Sequence[UUID]
    ) -> dict[UUID, tuple[IndexRow, Vectors]]:
        """The rows of those ids that are there, as they are there."""
        ...

    def present(self, collection: Collection, bot_id: UUID, passage_ids: Sequence[UUID]) -> set[UUID]:
        """Which of those ids are there."""
        ...

    def stored(
        self,
        collection: Collection,
        keys: KeyRange,
        *,
        limit: int,
        bot_id: UUID | None = None,
        document_id: UUID | None = None,
    ) -> list[StoredRow]:
        """Rows of the deployment with a key in that range, at most `limit`, in no order; whoever wrote them."""
        ...

    def count_foreign(self, collection: Collection) -> int:
        """How many rows of the collection say that they are another deployment's."""
        ...

    def records(self, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Everything in the collection of that name, which may be anybody's: keys in their order, with the other fields.

        Vectors are left out. Raises CollectionMissingError.
        """
        ...

    def delete(self, collection: Collection, bot_id: UUID, keys: Sequence[UUID] | Sequence[str]) -> None: ...

    def delete_bot(self, collection: Collection, bot_id: UUID) -> None: ...

    def drop_empty(self, collection: Collection) -> bool:
        """Drop the collection if it holds no row of anybody; returns whether it is not there now."""
        ...

    def is_empty(self, collection: Collection, bot_id: UUID) -> bool: ...

    def count(self, collection: Collection, bot_id: UUID) -> int: ...

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
        """The nearest rows by each of the vector fields, best first. `matching` may let more through than it should."""
        ...

    def nearest(
        self, collection: Collection, bot_id: UUID, vectors: Sequence[Vector], *, field: str, limit: int
    ) -> list[list[Candidate]]:
        """For each of those vectors the nearest rows by that field, best first, scored by their cosine.

        Only first passages of active pairs are looked at.
        """
        ...

    def ping(self, collections: Sequence[Collection] = ()) -> None:
        """Raises StoreUnavailableError unless the store answers, and can search those of the collections that are there."""
        ...
