"""What reads and writes language: embedders, rerankers, writers of answers, and writers of questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shared.domain import (
        EmbedderModel,
        Evidence,
        Vector,
    )


class Embedder(Protocol):
    """Turns text into unit vectors. Queries and passages are different verbs, because some models treat them differently."""

    @property
    def model(self) -> EmbedderModel: ...

    @property
    def token_capacity(self) -> int:
        """How many content tokens of a passage the window holds."""
        ...

    def embed_query(self, text: str) -> Vector:
        """Shape (dimension,), float32."""
        ...

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Shape (len(texts), dimension), float32, in the order given."""
        ...

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """The characters that each content token covers; nothing is cut off."""
        ...

    def vocabulary_place(self, word: str) -> int | None:
        """Where a word stands in the vocabulary, which begins with the most common ones; None if it is not there."""
        ...


class Reranker(Protocol):
    """Reads a question and passages together, and tells how well each answers it."""

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        """A finite score for each passage, in the order given: more is better, and only within one call.

        Raises LockstepError if it fails, StoreUnavailableError if it is too late.
        """
        ...


@dataclass(frozen=True, slots=True)
class WrittenAnswer:
    """An answer over numbered passages; `cited` holds the numbers (from 1) that it rests on, in order of mention.

    `quoted` holds the sentences that stand in a passage to the letter, each with its number, in order of mention.
    """

    text: str
    cited: tuple[int, ...]
    abstained: bool = False
    quoted: tuple[tuple[int, str], ...] = ()


class AnswerWriter(Protocol):
    """Writes an answer from evidence, or abstains."""

    def write(self, question: str, evidence: Sequence[Evidence], *, seconds_left: float = inf) -> WrittenAnswer:
        """Raises StoreUnavailableError if what it asks is not there, or not done within the seconds that are left."""
        ...


@dataclass(frozen=True, slots=True)
class WrittenPair:
    """A question that a text answers, and the answer, as an LLM put them."""

    question: str
    answer: str


class QuestionCondenser(Protocol):
    """Says in one sentence what a long question asks. What it says is not checked here."""

    def condense(self, question: str) -> str:
        """Never empty. Raises StoreUnavailableError if it cannot be reached, is too late or says nothing readable."""
        ...


class PairWriter(Protocol):
    """Writes questions with their answers from a text. What it says is not checked here."""

    @property
    def name(self) -> str:
        """What is recorded with every pair that comes of it."""
        ...

    def write_pairs(self, heading: str, text: str) -> list[WrittenPair]:
        """Raises StoreUnavailableError if it cannot be reached, is too late or says nothing readable."""
        ...
