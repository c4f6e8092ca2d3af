"""An in-memory twin of every port. Each passes the same contract tests as the real adapter (tests/contract)."""

from shared.testing.catalog import InMemoryCatalog
from shared.testing.embedder import HashingEmbedder
from shared.testing.index import InMemoryVectorIndex
from shared.testing.objects import InMemoryObjectStore
from shared.testing.small import (
    FixedPairWriter,
    FixedQuestionCondenser,
    FixedWriter,
    OverlapReranker,
    RecordingHints,
    RecordingNotifier,
)

__all__ = [
    "FixedPairWriter",
    "FixedQuestionCondenser",
    "FixedWriter",
    "HashingEmbedder",
    "InMemoryCatalog",
    "InMemoryObjectStore",
    "InMemoryVectorIndex",
    "OverlapReranker",
    "RecordingHints",
    "RecordingNotifier",
]
