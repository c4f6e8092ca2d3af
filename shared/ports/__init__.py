"""What the functions need of the world. Adapters are named after their vendor; `shared.testing` has a twin of each."""

from shared.ports.catalog import DeliveryCatalog, DocumentCatalog, Registry, pin_name
from shared.ports.changes import Amendments, DeletionCatalog, EmbedderChanges
from shared.ports.graph import GraphCatalog
from shared.ports.index import VectorIndex
from shared.ports.messages import Hints, Notifier
from shared.ports.models import (
    AnswerWriter,
    Embedder,
    PairWriter,
    QuestionCondenser,
    Reranker,
    WrittenAnswer,
    WrittenPair,
)
from shared.ports.objects import ObjectStore, PresignedUpload
from shared.ports.reading import OperationsCatalog, ReadingCatalog

__all__ = [
    "Amendments",
    "AnswerWriter",
    "DeletionCatalog",
    "DeliveryCatalog",
    "DocumentCatalog",
    "Embedder",
    "EmbedderChanges",
    "GraphCatalog",
    "Hints",
    "Notifier",
    "ObjectStore",
    "OperationsCatalog",
    "PairWriter",
    "PresignedUpload",
    "QuestionCondenser",
    "ReadingCatalog",
    "Registry",
    "Reranker",
    "VectorIndex",
    "WrittenAnswer",
    "WrittenPair",
    "pin_name",
]
