"""Vectors as files: one fixed-size record per passage, so that a file can be read in place, however large."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from hashlib import md5
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from functions.backup.manifest import Part, PartWriter, open_part
from shared.domain import VECTOR_FIELDS, Bot, Marker, Vectors
from shared.ports import ObjectStore, VectorIndex

if TYPE_CHECKING:
    import numpy as np

T = TypeVar("T")

PASSAGES_PER_PART = 5_000
FETCHED_AT_ONCE = 256


def copy_vectors(
    bot: Bot, digests: Iterable[tuple[UUID, str]], *, index: VectorIndex, prefix: str, writer: PartWriter
) -> int:
    """Write the vectors of those passages as parts. What the index has lost, or holds altered, is left out.

    `digests` gives passage ids with the digest that was proven. Returns how many were written.
    """
    written = 0
    for number, stretch in enumerate(_batches(digests, PASSAGES_PER_PART)):
        with tempfile.TemporaryFile() as file:
            rows = 0
            for batch in _batches(stretch, FETCHED_AT_ONCE):
                found = index.fetch(bot.collection, bot.bot_id, [passage_id for passage_id, _ in batch])
                intact = [
                    (passage_id, found[passage_id][1])
                    for passage_id, digest in batch
                    if passage_id in found and found[passage_id][1].digest == digest
                ]
                file.write(_records(intact, bot.collection.dimension).tobytes())
                rows += len(intact)
            writer.put(f"{prefix}/vectors-{number:05}.bin", "vectors", file, rows=rows)
            written += rows
    return written


class VectorFiles:
    """The vectors of a snapshot by the passage ids of a restore, read in place from copies on disk."""

    def __init__(self, parts: Sequence[Part], store: ObjectStore, *, dimension: int, restore_id: str) -> None:
        import numpy as np

        self._resources = ExitStack()
        folder = Path(self._resources.enter_context(tempfile.TemporaryDirectory(prefix="lockstep-restore-")))
        with ExitStack() as on_failure:
            on_failure.callback(self._resources.close)
            self._records = [
                _open(store, part, folder / f"{n}.bin", dimension) for n, part in enumerate(parts) if part.rows
            ]
            on_failure.pop_all()
        places = [
            (restored_id(restore_id, UUID(bytes=bytes(record["passage_id"]))).bytes, number, place)
            for number, records in enumerate(self._records)
            for place, record in enumerate(records)
        ]
        # Sixteen bytes and eight per passage: tens of millions fit into memory.
        places.sort()
        self._ids = np.array([np.void(place[0]) for place in places], dtype="V16")
        self._places = np.array([place[1:] for place in places], dtype=np.int32).reshape(-1, 2)

    def known_vectors(self, markers: Sequence[Marker]) -> Mapping[UUID, Vectors]:
        """The vectors of those markers' passages that the snapshot holds."""
        found = ((marker.passage_id, self._find(marker.passage_id)) for marker in markers)
        return {passage_id: vectors for passage_id, vectors in found if vectors is not None}

    def close(self) -> None:
        self._records = []
        self._resources.close()

    def _find(self, passage_id: UUID) -> Vectors | None:
        low, high = 0, len(self._ids)
        while low < high:  # numpy cannot search an array of bytes that may end in zero
            middle = (low + high) // 2
            if self._ids[middle].tobytes() < passage_id.bytes:
                low = middle + 1
            else:
                high = middle
        if low == len(self._ids) or self._ids[low].tobytes() != passage_id.bytes:
            return None
        number, place = self._places[low]
        record = self._records[number][place]
        return Vectors(*(record[field].copy() for field in VECTOR_FIELDS))


def restored_id(restore_id: str, passage_id: UUID) -> UUID:
    """The new id of a passage, as the catalog computes it too."""
    return UUID(md5(f"{restore_id}{passage_id}".encode(), usedforsecurity=False).hexdigest())


def _record_type(dimension: int) -> list[Any]:
    return [("passage_id", "V16"), *((field, "<f4", (dimension,)) for field in VECTOR_FIELDS)]


def _records(rows: Sequence[tuple[UUID, Vectors]], dimension: int) -> np.ndarray[Any, Any]:
    import numpy as np

    records = np.zeros(len(rows), dtype=_record_type(dimension))
    for place, (passage_id, vectors) in enumerate(rows):
        records[place]["passage_id"] = np.void(passage_id.bytes)
        for field in VECTOR_FIELDS:
            records[place][field] = getattr(vectors, field)
    return records


def _open(store: ObjectStore, part: Part, path: Path, dimension: int) -> np.ndarray[Any, Any]:
    import numpy as np

    with open_part(store, part) as source, path.open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
    return np.memmap(path, dtype=_record_type(dimension), mode="r")


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
