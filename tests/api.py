"""The HTTP API over a world whose bucket tells ingest of every change at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from fastapi.testclient import TestClient

from functions.query.app import create_app
from functions.query.services import Services
from shared.domain import ObjectVersion
from shared.settings import Settings, load_settings
from shared.testing import InMemoryObjectStore
from tests.worlds import World


class EventfulBucket(InMemoryObjectStore):
    """A bucket in memory that calls somebody after every change, as a real one sends events."""

    def __init__(self) -> None:
        super().__init__()
        self.tell: Callable[[str], None] = lambda key: None

    def put(self, key: str, content: bytes | BinaryIO, *, content_type: str | None = None) -> ObjectVersion:
        version = super().put(key, content, content_type=content_type)
        self.tell(key)
        return version

    def delete(self, key: str) -> None:
        super().delete(key)
        self.tell(key)


def settings(**changes: str) -> Settings:
    environment = {
        "LOCKSTEP_POSTGRES_URL": "postgresql://x",
        "LOCKSTEP_MILVUS_URI": "http://x",
        "LOCKSTEP_BUCKET_URL": "file:///x",
    }
    return load_settings(environment | {f"LOCKSTEP_{name.upper()}": value for name, value in changes.items()})


def services_of(world: World, **changes: str) -> Services:
    return Services(
        settings=settings(**changes),
        registry=world.registry,
        documents=world.documents,
        delivery=world.delivery,
        reading=world.reading,
        amendments=world.amendments,
        hints=world.hints,
        index=world.index,
        graph=world.graph,
        condenser=lambda: None,
        reranker=lambda: None,
        bucket=lambda: world.objects,
        embedders=world.embedders(),
        deletions=world.deletions,
        ledger=world.ledger,
        live_records=world.live_records,
        backups=lambda: world.backups,
    )


def client_of(world: World, **changes: str) -> TestClient:
    """A client of the API over that world. What ingest must do is done before a write returns."""
    bucket = EventfulBucket()
    world.objects = bucket

    def ingest(key: str) -> None:
        slug, _, name = key.partition("/")
        if slug in {bot.slug for bot in world.registry.bots()}:
            world.bot = world.registry.bot(slug)
            world.ingest(name)

    bucket.tell = ingest
    return TestClient(create_app(services_of(world, **changes)), raise_server_exceptions=False)
