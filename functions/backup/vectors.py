"""Copies the vectors of a bot: those that an earlier snapshot holds are named again, the others are read from the index.

An earlier part is named again only if everything in it is still wanted. Else what is left of it moves into a new part, so
that nothing deleted stays longer than the snapshots that were taken before.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar
from uuid import UUID

from functions.backup.parts import BotParts
from shared.domain import VECTOR_FIELDS, Bot, Vectors
from shared.errors import LockstepError
from shared.ports import ObjectStore, VectorIndex
from shared.snapshot_vectors import KEY_BYTES, key_of, read_keys, record_type, records_per_part
from shared.snapshots import VectorPart, has_part, open_part, vector_part_from
from shared.steps import step
from shared.telemetry import logger

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")

FETCHED_AT_ONCE = 256
SMALL_PARTS = 8  # every snapshot may add a part that is not full; with more of these than that, they are put together

Digests = Callable[[], Iterable[tuple[UUID, str]]]


class OutOfTimeError(LockstepError):
    """The time of this invocation is used up; the next one goes on."""


class VectorCopy:
    """Copies the vectors whose digests are given, `total` of them. What was written before is found by its notes."""

    def __init__(
        self,
        bot: Bot,
        digests: Digests,
        total: int,
        *,
        index: VectorIndex,
        store: ObjectStore,
        parts: BotParts,
        go_on: Callable[[int], None],
    ) -> None:
        self._bot = bot
        self._digests = digests
        self._index = index
        self._store = store
        self._parts = parts
        self._go_on = go_on
        self._wanted = _Wanted(digests(), total)
        self._writer = _Writer(bot.collection.dimension, parts)

    def run(self, earlier: Sequence[VectorPart]) -> list[VectorPart]:
        """The parts that hold every vector which the index has, earlier ones among them. Raises OutOfTimeError.

        What the index has lost, or holds otherwise than it was proven, is left out.
        """
        for part in self._writer.resume():
            self._wanted.take(read_keys(self._store, part.keys))
        try:
            kept = self._keep_earlier(earlier)
            self._copy_missing()
        except OutOfTimeError:
            self._writer.flush()  # what is read is not read again
            raise
        self._writer.flush()
        return [*kept, *self._writer.written]

    def _keep_earlier(self, earlier: Sequence[VectorPart]) -> list[VectorPart]:
        full = records_per_part(self._bot.collection.dimension)
        small = [part for part in earlier if part.vectors.rows < full // 2]
        kept = []
        for part in earlier:
            is_kept = not (part in small and len(small) > SMALL_PARTS)
            try:
                keys = read_keys(self._store, part.keys)
                if is_kept and has_part(self._store, part.vectors) and self._wanted.take_all(keys):
                    kept.append(part)
                else:
                    self._move(part, keys)
            except OutOfTimeError:
                raise
            except LockstepError as error:
                logger().warning("a part is read from the index anew", key=part.vectors.key, error=str(error))
        return kept

    def _move(self, part: VectorPart, keys: NDArray[np.bytes_]) -> None:
        """Copy what is still wanted of an earlier part."""
        is_left = self._wanted.is_missing(keys)
        if not is_left.any():
            return
        with open_part(self._store, part.vectors) as file:
            for begin, records in _read_records(file, self._bot.collection.dimension):
                chosen = is_left[begin : begin + len(records)]
                some_keys = keys[begin : begin + len(records)][chosen]
                self._writer.add(some_keys, records[chosen])
                self._wanted.take(some_keys)
                self._go_on(self._wanted.held)

    def _copy_missing(self) -> None:
        for batch in _batches(self._missing(), FETCHED_AT_ONCE):
            self._go_on(self._wanted.held)
            found = self._index.fetch(self._bot.collection, self._bot.bot_id, [passage_id for passage_id, _ in batch])
            intact = [
                (passage_id, digest, found[passage_id][1])
                for passage_id, digest in batch
                if passage_id in found and found[passage_id][1].digest == digest
            ]
            keys = _keys((passage_id, digest) for passage_id, digest, _ in intact)
            self._writer.add(keys, _records([(each[0], each[2]) for each in intact], self._bot.collection.dimension))
            self._wanted.take(keys)

    def _missing(self) -> Iterator[tuple[UUID, str]]:
        """In the order of documents."""
        for batch in _batches(self._digests(), 10 * FETCHED_AT_ONCE):
            is_missing = self._wanted.is_missing(_keys(batch))
            yield from (each for each, wanted in zip(batch, is_missing, strict=True) if wanted)


class _Wanted:
    """The keys of all passages of the bot, and which of them are copied: 25 bytes per passage."""

    def __init__(self, digests: Iterable[tuple[UUID, str]], total: int) -> None:
        import numpy as np

        self._keys = np.fromiter((key_of(*each) for each in digests), dtype=f"S{KEY_BYTES}", count=total)
        self._keys.sort()
        self._is_held = np.zeros(total, dtype=bool)
        self.held = 0

    def is_missing(self, keys: NDArray[np.bytes_]) -> NDArray[np.bool_]:
        """Which of those keys are wanted and not copied."""
        places, is_wanted = self._find(keys)
        is_wanted[is_wanted] = ~self._is_held[places[is_wanted]]
        return is_wanted

    def take(self, keys: NDArray[np.bytes_]) -> None:
        """Those are copied."""
        places, is_wanted = self._find(keys)
        self._is_held[places[is_wanted]] = True
        self.held = int(self._is_held.sum())

    def take_all(self, keys: NDArray[np.bytes_]) -> bool:
        """Take them if all are wanted and missing; returns whether they are."""
        if not len(keys) or not self.is_missing(keys).all():
            return False
        self.take(keys)
        return True

    def _find(self, keys: NDArray[np.bytes_]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        import numpy as np

        places = np.searchsorted(self._keys, keys)
        if not len(self._keys):
            return places, np.zeros(len(keys), dtype=bool)
        is_wanted = self._keys[np.minimum(places, len(self._keys) - 1)] == keys
        return places, is_wanted


class _Writer:
    """Collects records into parts of one size; each is noted as soon as it is stored."""

    def __init__(self, dimension: int, parts: BotParts) -> None:
        self._parts = parts
        self._full = records_per_part(dimension)
        self._keys: list[NDArray[np.bytes_]] = []
        self._records: list[NDArray[Any]] = []
        self._rows = 0
        self.written: list[VectorPart] = []

    def resume(self) -> list[VectorPart]:
        self.written = [vector_part_from(note) for note in self._parts.numbered_notes("vectors")]
        return self.written

    def add(self, keys: NDArray[np.bytes_], records: NDArray[Any]) -> None:
        self._keys.append(keys)
        self._records.append(records)
        self._rows += len(keys)
        if self._rows >= self._full:
            self.flush()

    def flush(self) -> None:
        if not self._rows:
            return
        number = len(self.written)
        vectors = self._put(f"vectors-{number}.bin", "vectors", self._records)
        part = VectorPart(vectors, self._put(f"vectors-{number}.keys", "keys", self._keys))
        self._parts.note(f"vectors-{number}", asdict(part))
        step("snapshot.vectors-written")
        self.written.append(part)
        self._keys, self._records, self._rows = [], [], 0

    def _put(self, name: str, kind: str, arrays: Sequence[NDArray[Any]]) -> Any:
        with tempfile.TemporaryFile() as file:
            for array in arrays:
                file.write(array.tobytes())
            return self._parts.put(name, kind, file, rows=self._rows)


def _keys(digests: Iterable[tuple[UUID, str]]) -> NDArray[np.bytes_]:
    import numpy as np

    return np.array([key_of(*each) for each in digests], dtype=f"S{KEY_BYTES}")


def _records(rows: Sequence[tuple[UUID, Vectors]], dimension: int) -> NDArray[Any]:
    import numpy as np

    records = np.zeros(len(rows), dtype=record_type(dimension))
    for place, (passage_id, vectors) in enumerate(rows):
        records[place]["passage_id"] = np.void(passage_id.bytes)
        for field in VECTOR_FIELDS:
            records[place][field] = getattr(vectors, field)
    return records


def _read_records(file: BinaryIO, dimension: int) -> Iterator[tuple[int, NDArray[Any]]]:
    """Stretches of a part's records, each with the place of its first."""
    import numpy as np

    form, begin = record_type(dimension), 0
    while content := file.read(FETCHED_AT_ONCE * form.itemsize):
        records = np.frombuffer(content, dtype=form)
        yield begin, records
        begin += len(records)


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
