"""The vectors of a snapshot by passage: for a restore, and for an index that was lost.

A vector part holds one fixed-size record per passage. Its keys, in the same order, are 24 bytes each: the passage's id and
the beginning of the digest that was proven of its vectors. Only these are ever in memory for a whole bot.
"""

from __future__ import annotations

import shutil
import tempfile
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from shared.domain import VECTOR_FIELDS, Bot, Marker, Vectors
from shared.errors import LockstepError
from shared.ports import ObjectStore
from shared.snapshots import BotManifest, Part, VectorPart, newest_snapshot, open_part
from shared.telemetry import logger

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

KEY_BYTES = 24
PART_BYTES = 8 << 20
PARTS_ON_DISK = 32

NewId = Callable[[UUID], UUID]


def key_of(passage_id: UUID, digest: str) -> bytes:
    """The key of a passage whose vectors have that digest."""
    return passage_id.bytes + bytes.fromhex(digest[:16])


def record_type(dimension: int) -> np.dtype[Any]:
    """One record of a vector part."""
    import numpy as np

    return np.dtype([("passage_id", "V16"), *((field, "<f4", (dimension,)) for field in VECTOR_FIELDS)])


def records_per_part(dimension: int) -> int:
    return max(1, PART_BYTES // record_type(dimension).itemsize)


def read_keys(store: ObjectStore, part: Part) -> NDArray[np.bytes_]:
    """The keys of a vector part, in its order. Raises LockstepError if they are missing or damaged."""
    import numpy as np

    with open_part(store, part) as file:
        # Fixed strings compare by their bytes; that those are padded with zeros does no harm where all are of one length.
        return np.frombuffer(file.read(), dtype=f"S{KEY_BYTES}")


class VectorFiles:
    """Finds vectors by passage id, `new_id` applied to the ids of the snapshot; reads them from copies on disk.

    At most some parts are on disk at once. Parts are in the order of documents, and so are those who ask.
    """

    def __init__(self, bot: BotManifest, store: ObjectStore, new_id: NewId = lambda passage_id: passage_id) -> None:
        self._store = store
        self._type = record_type(bot.dimension)
        self._parts = [pair.vectors for pair in bot.vector_parts]
        self._table = _places(bot.vector_parts, store, new_id)
        self._resources = ExitStack()
        self._folder = Path(self._resources.enter_context(tempfile.TemporaryDirectory(prefix="lockstep-vectors-")))
        self._open: OrderedDict[int, np.memmap[Any, Any]] = OrderedDict()

    def known_vectors(self, markers: Sequence[Marker]) -> Mapping[UUID, Vectors]:
        """The vectors of those markers' passages that the snapshot holds. Raises LockstepError for a damaged part."""
        found = ((marker.passage_id, self._find(marker.passage_id)) for marker in markers)
        return {passage_id: vectors for passage_id, vectors in found if vectors is not None}

    def close(self) -> None:
        """Remove the copies."""
        self._open.clear()
        self._resources.close()

    def _find(self, passage_id: UUID) -> Vectors | None:
        wanted = passage_id.bytes
        ids = self._table["id"]
        place = bisect_left(range(len(ids)), wanted, key=lambda at: ids[at].tobytes())
        if place == len(ids) or ids[place].tobytes() != wanted:
            return None
        record = self._records(int(self._table["part"][place]))[self._table["at"][place]]
        return Vectors(*(record[field].copy() for field in VECTOR_FIELDS))

    def _records(self, number: int) -> np.memmap[Any, Any]:
        import numpy as np

        if number in self._open:
            self._open.move_to_end(number)
            return self._open[number]
        if len(self._open) == PARTS_ON_DISK:
            oldest, _ = self._open.popitem(last=False)
            (self._folder / str(oldest)).unlink()
        path = self._folder / str(number)
        with open_part(self._store, self._parts[number]) as source, path.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
        self._open[number] = np.memmap(path, dtype=self._type, mode="r")
        return self._open[number]


def _places(parts: Sequence[VectorPart], store: ObjectStore, new_id: NewId) -> NDArray[Any]:
    """Where each passage's record is, sorted by its id."""
    import numpy as np

    total = sum(part.keys.rows for part in parts)
    table = np.empty(total, dtype=[("id", "V16"), ("part", "<u4"), ("at", "<u4")])
    place = 0
    for number, part in enumerate(parts):
        for at, key in enumerate(read_keys(store, part.keys).view(f"V{KEY_BYTES}")):
            table[place] = (np.void(new_id(UUID(bytes=key.tobytes()[:16])).bytes), number, at)
            place += 1
    # As strings of bytes, for numpy orders those as Postgres and Python do.
    table.view([("id", "S16"), ("place", "<u8")]).sort(order="id")
    return table


class LostVectors:
    """For an index that was lost: what the newest snapshot holds of vectors that had been proven, and nothing else.

    Whatever is wrong with the snapshot, delivery goes on and embeds anew.
    """

    def __init__(self, bot: Bot, store: Callable[[], ObjectStore | None]) -> None:
        self._bot = bot
        self._store = store
        self._is_tried = False
        self._files: VectorFiles | None = None

    def known_vectors(self, markers: Sequence[Marker]) -> Mapping[UUID, Vectors]:
        """Vectors whose digest is the one that was proven of that very passage before."""
        proven = [marker for marker in markers if marker.proven_digest]
        if not proven:
            return {}
        try:
            found = files.known_vectors(proven) if (files := self._open()) else {}
        except (LockstepError, OSError) as error:
            logger().warning("the snapshot's vectors cannot be used", bot=self._bot.slug, error=str(error))
            self.close()
            return {}
        digests = {marker.passage_id: marker.proven_digest for marker in proven}
        return {passage_id: each for passage_id, each in found.items() if each.digest == digests[passage_id]}

    def close(self) -> None:
        """Remove what was copied; nothing more is found after that."""
        if self._files:
            self._files.close()
        self._files = None

    def _open(self) -> VectorFiles | None:
        if not self._is_tried:
            self._is_tried = True
            store, collection = self._store(), self._bot.collection
            manifest = newest_snapshot(store, collection.deployment_id) if store else None
            bot = manifest.bot(self._bot.bot_id) if manifest else None
            if store and bot and (bot.model_id, bot.model_revision) == (collection.model_id, collection.model_revision):
                self._files = VectorFiles(bot, store)
                logger().info("lost rows are written from the newest snapshot", bot=self._bot.slug, vectors=bot.vectors)
        return self._files
