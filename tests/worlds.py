"""A whole Lockstep without HTTP, over twins or over real stores: what the contract and invariant tests act on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from functions.ingest.pipeline import Ingest
from functions.query.retrieval import Retrieval, SearchResult
from functions.sync.pipeline import Sync
from shared.catalog.delivery import PostgresDelivery
from shared.catalog.documents import PostgresDocuments
from shared.catalog.reading import PostgresReading
from shared.catalog.registry import PostgresRegistry
from shared.delivery import Delivery
from shared.domain import Bot, BotSettings, Collection, DocumentStatus, Filter
from shared.milvus import MilvusIndex
from shared.ports import (
    DeliveryCatalog,
    DocumentCatalog,
    Embedder,
    ObjectStore,
    ReadingCatalog,
    Registry,
    VectorIndex,
)
from shared.postgres import PostgresClient
from shared.testing import (
    HashingEmbedder,
    InMemoryCatalog,
    InMemoryObjectStore,
    InMemoryVectorIndex,
    RecordingHints,
)

FOREVER = 3600.0


@dataclass
class World:
    """The ports, and the shortest way to act on them."""

    registry: Registry
    documents: DocumentCatalog
    delivery: DeliveryCatalog
    reading: ReadingCatalog
    index: VectorIndex
    embedder: Embedder = field(default_factory=HashingEmbedder)
    objects: ObjectStore = field(default_factory=InMemoryObjectStore)
    hints: RecordingHints = field(default_factory=RecordingHints)
    time_left: Callable[[], float] = lambda: FOREVER
    bot: Bot = field(init=False)

    def __post_init__(self) -> None:
        self.bot = self.register("library")

    def register(self, slug: str, settings: BotSettings | None = None) -> Bot:
        return self.registry.register_bot(slug, slug, settings or BotSettings(), self.collection())

    def collection(self) -> Collection:
        return self.registry.ensure_collection(self.embedder.model, metric="COSINE", index_type="FLAT", index_params={})

    def refreshed(self) -> Bot:
        """The bot as the catalog has it now."""
        self.bot = self.registry.bot(self.bot.slug)
        return self.bot

    def put(self, name: str, content: str | bytes) -> None:
        """Write an object and let ingest look at it and deliver."""
        self.objects.put(self.key(name), content.encode() if isinstance(content, str) else content)
        self.ingest(name)

    def remove(self, name: str) -> None:
        self.objects.delete(self.key(name))
        self.ingest(name)

    def look(self, name: str) -> UUID | None:
        ingest = Ingest(self.documents, self.objects, self.embedder, max_object_bytes=50_000_000)
        return ingest.look_at(self.refreshed(), self.key(name))

    def ingest(self, name: str) -> None:
        if document_id := self.look(name):
            self.deliver(document_id)

    def deliver(self, *document_ids: UUID) -> bool:
        return self.carrier().run(self.refreshed(), document_ids)

    def carrier(self) -> Delivery:
        return Delivery(self.registry, self.delivery, self.index, self.embedder, self.hints, self.time_left)

    def sync(self, *, second_look_seconds: float = 1200.0, backups: ObjectStore | None = None) -> bool:
        sync = Sync(
            self.registry,
            self.documents,
            self.delivery,
            self.reading,
            self.index,
            lambda: self.embedder,
            self.objects,
            self.hints,
            self.time_left,
            second_look_seconds,
            lambda: backups,
        )
        return sync.run()

    def search(
        self, question: str, *, top_k: int = 5, matching: Filter | None = None, bot: Bot | None = None
    ) -> SearchResult:
        retrieval = Retrieval(reading=self.reading, index=self.index, embedder=lambda: self.embedder)
        return retrieval.search(bot or self.refreshed(), question, top_k=top_k, matching=matching or Filter())

    def answers(self, question: str) -> list[str]:
        """The passages that a search returns."""
        return [hit.evidence.text for hit in self.search(question).hits]

    def status(self, name: str) -> DocumentStatus | None:
        return self.documents.document_of(self.refreshed(), self.key(name))

    def key(self, name: str) -> str:
        return f"{self.bot.slug}/{name}"


def memory_world(**changes: object) -> World:
    """Over twins alone."""
    catalog = InMemoryCatalog()
    ports: Mapping[str, object] = {
        "registry": catalog.registry,
        "documents": catalog.documents,
        "delivery": catalog.delivery,
        "reading": catalog.reading,
        "index": InMemoryVectorIndex(),
    }
    return World(**{**ports, **changes})  # type: ignore[arg-type]


@contextmanager
def real_world(catalog_url: str, milvus_uri: str, **changes: object) -> Iterator[World]:
    """Over an embedded Postgres and Milvus Lite."""
    client = PostgresClient(catalog_url)
    ports: Mapping[str, object] = {
        "registry": PostgresRegistry(client, client),
        "documents": PostgresDocuments(client),
        "delivery": PostgresDelivery(client),
        "reading": PostgresReading(client),
        "index": MilvusIndex(milvus_uri),
    }
    yield World(**{**ports, **changes})  # type: ignore[arg-type]
    client.close()


def unknown_bot(world: World) -> Bot:
    """A bot that the world does not have."""
    known = world.bot
    return Bot(uuid4(), "nobody", "nobody", known.collection, known.settings, known.created_at)
