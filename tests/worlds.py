"""A whole Lockstep without HTTP, over twins or over real stores: what the contract and invariant tests act on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from functions.ingest.lifetime import Lifetime
from functions.ingest.pipeline import Ingest
from functions.query.retrieval import Retrieval, SearchResult
from functions.sync.pipeline import Sync
from shared.catalog.amendments import PostgresAmendments
from shared.catalog.changes import PostgresChanges
from shared.catalog.deletion import PostgresDeletions
from shared.catalog.delivery import PostgresDelivery
from shared.catalog.documents import PostgresDocuments
from shared.catalog.exporting import PostgresExport
from shared.catalog.graph import PostgresGraph
from shared.catalog.operations import PostgresOperations
from shared.catalog.reading import PostgresReading
from shared.catalog.registry import PostgresRegistry
from shared.comparing import Comparing
from shared.delivery import Delivery
from shared.domain import Bot, BotSettings, Collection, DocumentStatus, Filter
from shared.embedders import Embedders
from shared.ledger import DeletionLedger
from shared.linking import Linking
from shared.milvus import MilvusIndex
from shared.ports import (
    Amendments,
    DeletionCatalog,
    DeliveryCatalog,
    DocumentCatalog,
    Embedder,
    EmbedderChanges,
    GraphCatalog,
    ObjectStore,
    OperationsCatalog,
    ReadingCatalog,
    Registry,
    VectorIndex,
)
from shared.postgres import PostgresClient
from shared.settings import Settings
from shared.testing import (
    HashingEmbedder,
    InMemoryCatalog,
    InMemoryObjectStore,
    InMemoryVectorIndex,
    RecordingHints,
)
from shared.testing.catalog.deletion import InMemoryDeletions
from shared.testing.catalog.graph import InMemoryGraph
from shared.testing.catalog.registry import InMemoryRegistry

FOREVER = 3600.0


def _real_only() -> PostgresExport:
    raise NotImplementedError("what is live is exported from a real catalog only")


@dataclass
class World:
    """The ports, and the shortest way to act on them."""

    registry: Registry
    documents: DocumentCatalog
    delivery: DeliveryCatalog
    reading: ReadingCatalog
    deletions: DeletionCatalog
    amendments: Amendments
    index: VectorIndex
    changes: EmbedderChanges
    graph: GraphCatalog
    operations: OperationsCatalog
    embedder: Embedder = field(default_factory=HashingEmbedder)
    next_embedder: Embedder | None = None
    objects: ObjectStore = field(default_factory=InMemoryObjectStore)
    hints: RecordingHints = field(default_factory=RecordingHints)
    time_left: Callable[[], float] = lambda: FOREVER
    backups: ObjectStore = field(default_factory=InMemoryObjectStore)
    live_records: Callable[[], PostgresExport] = _real_only
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
        ingest = Ingest(
            self.documents,
            self.objects,
            self.embedders(),
            max_object_bytes=50_000_000,
            ledger=self.ledger(),
            hints=self.hints,
            lifetime=Lifetime.begin(self.time_left),
        )
        return ingest.look_at(self.refreshed(), self.key(name))

    def ingest(self, name: str) -> None:
        if document_id := self.look(name):
            self.deliver(document_id)
            self.link(document_id)

    def link(self, *document_ids: UUID) -> bool:
        """What those documents brought, by default all that waits."""
        return Linking(self.graph, self.time_left).run(self.refreshed(), document_ids or None)

    def compare(self) -> bool:
        return Comparing(self.graph, self.index, self.time_left).run(self.refreshed())

    def deliver(self, *document_ids: UUID) -> bool:
        done = [self.carrier(view).run(view, document_ids) for view in self.embedders().views(self.refreshed())]
        return all(done)

    def carrier(self, bot: Bot | None = None) -> Delivery:
        embedder = self.embedders().of(bot.collection) if bot else self.embedder
        return Delivery(self.registry, self.delivery, self.index, embedder, self.hints, self.time_left)

    def embedders(self) -> Embedders:
        following = self.next_embedder
        return Embedders(lambda: self.embedder, (lambda: following) if following else None)

    def ledger(self) -> DeletionLedger:
        return DeletionLedger(self.objects, self.deletions, self.registry, self.hints)

    def sync(
        self, *, second_look_seconds: float = 1200.0, log_retention_days: int = 90, backups: ObjectStore | None = None
    ) -> bool:
        sync = Sync(
            registry=self.registry,
            documents=self.documents,
            catalog=self.delivery,
            reading=self.reading,
            index=self.index,
            embedders=self.embedders(),
            changes=self.changes,
            graph=self.graph,
            operations=self.operations,
            bucket=self.objects,
            hints=self.hints,
            time_left=self.time_left,
            deletions=self.deletions,
            ledger=self.ledger(),
            log_retention_days=log_retention_days,
            second_look_seconds=second_look_seconds,
            backups=lambda: backups or self.backups,
        )
        return sync.run()

    def search(
        self, question: str, *, top_k: int = 5, matching: Filter | None = None, bot: Bot | None = None
    ) -> SearchResult:
        return self.retrieval().search(bot or self.refreshed(), question, top_k=top_k, matching=matching or Filter())

    def retrieval(self) -> Retrieval:
        return Retrieval(reading=self.reading, index=self.index, embedders=self.embedders(), graph=self.graph)

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
    if isinstance(registry := changes.get("registry"), InMemoryRegistry):
        of_same_catalog = {"deletions": InMemoryDeletions(registry.state), "graph": InMemoryGraph(registry.state)}
        changes = {**of_same_catalog, **changes}
    ports: Mapping[str, object] = {
        "registry": catalog.registry,
        "documents": catalog.documents,
        "delivery": catalog.delivery,
        "reading": catalog.reading,
        "changes": catalog.changes,
        "graph": catalog.graph,
        "operations": catalog.operations,
        "deletions": catalog.deletions,
        "amendments": catalog.amendments,
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
        "changes": PostgresChanges(client),
        "graph": PostgresGraph(client),
        "operations": PostgresOperations(client),
        "deletions": PostgresDeletions(client),
        "amendments": PostgresAmendments(client),
        "index": MilvusIndex(milvus_uri),
        "live_records": lambda: PostgresExport(client),
    }
    yield World(**{**ports, **changes})  # type: ignore[arg-type]
    client.close()


def wired(world: World) -> dict[str, object]:
    """What takes the place of each part that the composition root builds, by the part's name there."""
    return {
        "settings": Settings.model_validate(dict.fromkeys(("postgres_url", "milvus_uri", "bucket_url"), "x://")),
        "registry": world.registry,
        "documents": world.documents,
        "delivery_catalog": world.delivery,
        "reading": world.reading,
        "changes": world.changes,
        "graph": world.graph,
        "deletions": world.deletions,
        "operations": world.operations,
        "index": world.index,
        "embedders": world.embedders(),
        "bucket": world.objects,
        "ledger": world.ledger(),
        "hints": world.hints,
    }


def unknown_bot(world: World) -> Bot:
    """A bot that the world does not have."""
    known = world.bot
    return Bot(uuid4(), "nobody", "nobody", known.collection, known.settings, known.created_at)
