"""A cheap deterministic embedder: a text is the normalised sum of its words' directions."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from shared.analysis import words
from shared.domain import EmbedderModel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_COMMON = ("the", "people")  # words of its language that it knows, the most common first
_TOKEN = re.compile(r"\w+|[^\w\s]")


class HashingEmbedder:
    """The port `Embedder`. Texts that share words are near each other; nothing is learned, nothing is downloaded."""

    def __init__(self, *, dimension: int = 64, window: int = 64, revision: str = "1") -> None:
        self.model = EmbedderModel("lockstep/hashing", revision, dimension, window)
        self.embedded: list[str] = []  # every text that was ever embedded as a passage

    @property
    def token_capacity(self) -> int:
        return self.model.window - 2

    def embed_query(self, text: str) -> NDArray[np.float32]:
        return self._embed(text)

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        import numpy as np

        self.embedded += texts
        return np.array([self._embed(text) for text in texts], dtype=np.float32).reshape(-1, self.model.dimension)

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        return [match.span() for match in _TOKEN.finditer(text)]

    def vocabulary_place(self, word: str) -> int | None:
        return _COMMON.index(word) if word in _COMMON else None

    def _embed(self, text: str) -> NDArray[np.float32]:
        import numpy as np

        kept = _TOKEN.findall(text)[: self.token_capacity]
        total = sum(
            (_direction(term, self.model.dimension) for term in words(" ".join(kept))),
            np.full(self.model.dimension, 1e-3),
        )
        vector: NDArray[np.float32] = (total / np.linalg.norm(total)).astype(np.float32)
        return vector


@lru_cache(maxsize=50_000)
def _direction(term: str, dimension: int) -> NDArray[np.float64]:
    import numpy as np

    seed = int.from_bytes(hashlib.sha256(term.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).standard_normal(dimension)
