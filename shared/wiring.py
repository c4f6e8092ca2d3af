"""The composition root: builds each port's adapter once per process. Vendor packages are imported when first needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from threading import RLock, Thread
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import unquote, urlsplit

from shared import telemetry
from shared.errors import ConfigurationError, LockstepError
from shared.settings import Settings, load_settings

if TYPE_CHECKING:
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
    from shared.domain import Bot
    from shared.embedders import Embedders
    from shared.ledger import DeletionLedger
    from shared.ports import (
        Embedder,
        Hints,
        Notifier,
        ObjectStore,
        PairWriter,
        QuestionCondenser,
        Reranker,
        VectorIndex,
    )
    from shared.postgres import PostgresClient


T = TypeVar("T")


class Once(Generic[T]):
    """Builds something at the first call and keeps it; threads that come meanwhile wait for it."""

    def __init__(self, build: Callable[[], T]) -> None:
        self._build = build
        self._lock = RLock()
        self._built: list[T] = []

    def __call__(self) -> T:
        with self._lock:
            if not self._built:
                self._built.append(self._build())
            return self._built[0]

    def use(self, built: T) -> None:
        """Give that from now on, instead of building one."""
        self._built[:] = [built]

    def forget(self) -> None:
        self._built.clear()


_installed_settings: list[Settings] = []
_installed_hints: list[Hints] = []


def install_settings(chosen: Settings) -> None:
    """Use those settings instead of the environment's: the command line finds them in the state folder."""
    _installed_settings[:] = [chosen]


def install_hints(chosen: Hints) -> None:
    """Use a queue of the process's own instead of what the settings name: the laptop's worker has one."""
    _installed_hints[:] = [chosen]


def settings() -> Settings:
    return _installed_settings[0] if _installed_settings else _settings_of_environment()


@Once
def _settings_of_environment() -> Settings:
    return load_settings()


@Once
def postgres() -> PostgresClient:
    from shared.postgres import PostgresClient

    return PostgresClient(settings().postgres_url.get_secret_value())


@Once
def direct_postgres() -> PostgresClient:
    from shared.postgres import PostgresClient

    return PostgresClient(settings().direct_url.get_secret_value())


@Once
def registry() -> PostgresRegistry:
    from shared.catalog.registry import PostgresRegistry

    return PostgresRegistry(postgres(), direct_postgres())


@Once
def documents() -> PostgresDocuments:
    from shared.catalog.documents import PostgresDocuments

    return PostgresDocuments(postgres())


@Once
def delivery_catalog() -> PostgresDelivery:
    from shared.catalog.delivery import PostgresDelivery

    return PostgresDelivery(postgres())


@Once
def changes() -> PostgresChanges:
    from shared.catalog.changes import PostgresChanges

    return PostgresChanges(postgres())


def deletions() -> PostgresDeletions:
    from shared.catalog.deletion import PostgresDeletions

    return PostgresDeletions(postgres())


def ledger() -> DeletionLedger:
    from shared.ledger import DeletionLedger

    return DeletionLedger(bucket=bucket(), catalog=deletions(), registry=registry(), hints=hints())


@Once
def reading() -> PostgresReading:
    from shared.catalog.reading import PostgresReading

    return PostgresReading(postgres())


@Once
def graph() -> PostgresGraph:
    from shared.catalog.graph import PostgresGraph

    return PostgresGraph(postgres())


@Once
def operations() -> PostgresOperations:
    from shared.catalog.operations import PostgresOperations

    return PostgresOperations(postgres())


def live_records() -> PostgresExport:
    from shared.catalog.exporting import PostgresExport

    return PostgresExport(postgres())


def amendments() -> PostgresAmendments:
    from shared.catalog.amendments import PostgresAmendments

    return PostgresAmendments(postgres())


@Once
def index() -> VectorIndex:
    from shared.milvus import MilvusIndex

    return MilvusIndex(settings().milvus_uri, settings().milvus_token.get_secret_value())


@Once
def embedder() -> Embedder:
    from shared.embedder import OnnxEmbedder

    return OnnxEmbedder(settings().model_path, threads=settings().embedder_threads)


@Once
def next_embedder() -> Embedder:
    from shared.embedder import OnnxEmbedder

    folder = settings().next_model_path
    if folder is None:
        raise ConfigurationError("LOCKSTEP_NEXT_MODEL_PATH is not set: name the folder of the model to move to.")
    return OnnxEmbedder(folder, threads=settings().embedder_threads)


def embedders() -> Embedders:
    from shared.embedders import Embedders

    return Embedders(embedder, next_embedder if settings().next_model_path else None)


@Once
def reranker() -> Reranker | None:
    """The cross-encoder, if the settings name one."""
    chosen = settings()
    if chosen.reranker_path is None:
        return None
    from shared.reranker import OnnxReranker

    return OnnxReranker(
        chosen.reranker_path, timeout_seconds=chosen.reranker_timeout_seconds, threads=chosen.embedder_threads
    )


@Once
def pair_writer() -> PairWriter | None:
    """The LLM that writes questions from prose, if the settings want one."""
    chosen = settings()
    if not (chosen.llm_base_url and chosen.llm_sections):
        return None
    from shared.chat import ChatPairWriter

    return ChatPairWriter(
        base_url=chosen.llm_base_url,
        api_key=chosen.llm_api_key.get_secret_value() if chosen.llm_api_key else "none",
        model=chosen.llm_model,
        timeout_seconds=chosen.llm_timeout_seconds,
    )


@Once
def question_condenser() -> QuestionCondenser | None:
    """The LLM that condenses long questions, if the settings want one."""
    chosen = settings()
    if not (chosen.llm_base_url and chosen.llm_condense_seconds):
        return None
    from shared.chat import ChatQuestionCondenser

    return ChatQuestionCondenser(
        base_url=chosen.llm_base_url,
        api_key=chosen.llm_api_key.get_secret_value() if chosen.llm_api_key else "none",
        model=chosen.llm_model,
        timeout_seconds=chosen.llm_condense_seconds,
    )


@Once
def bucket() -> ObjectStore:
    return open_store(settings().bucket_url)


@Once
def backups() -> ObjectStore:
    url = settings().backup_url
    if url is None:
        raise ConfigurationError("LOCKSTEP_BACKUP_URL is not set: name the place for snapshots, s3://… or file:///…")
    return open_store(url)


def open_store(url: str) -> ObjectStore:
    """The object store at `s3://bucket/prefix` or `file:///folder`."""
    parts = urlsplit(url)
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/"):
        from shared.folder import FolderObjectStore

        key = settings().upload_signing_key.get_secret_value().encode()
        return FolderObjectStore(Path(unquote(parts.path)), upload_url=settings().upload_url, signing_key=key)
    if parts.scheme == "s3" and parts.netloc:
        from shared.aws import S3ObjectStore

        return S3ObjectStore(
            parts.netloc,
            prefix=prefix_of(url),
            endpoint_url=settings().s3_endpoint_url,
            region=settings().s3_region,
            addressing_style=settings().s3_addressing_style,
        )
    raise ConfigurationError(f"{url!r} is not a place for objects: use s3://bucket/prefix or file:///folder")


def prefix_of(url: str) -> str:
    """What a bucket's URL puts before the key of every object: the bucket's own events name keys with it."""
    parts = urlsplit(url)
    return f"{parts.path.strip('/')}/" if parts.scheme == "s3" and parts.path.strip("/") else ""


def hints() -> Hints:
    return _installed_hints[0] if _installed_hints else _hints_by_settings()


@Once
def _hints_by_settings() -> Hints:
    chosen = settings()
    if not (chosen.ingest_queue_url and chosen.sync_queue_url):
        from shared.hints import NoHints

        return NoHints()
    from shared.aws import SqsHints

    return SqsHints(
        ingest_queue_url=chosen.ingest_queue_url,
        sync_queue_url=chosen.sync_queue_url,
        bucket=urlsplit(chosen.bucket_url).netloc,
        prefix=prefix_of(chosen.bucket_url),
        region=chosen.s3_region,
    )


@Once
def notifier() -> Notifier:
    from shared.webhook import WebhookNotifier

    return WebhookNotifier(settings().webhook_url or "", settings().webhook_secret.get_secret_value())


def tell_of_documents(bots: Iterable[Bot], time_left: Callable[[], float]) -> None:
    """Send what notices are due of those bots, if there is somebody to tell."""
    if settings().webhook_url:
        from shared import notices

        for bot in bots:
            notices.tell_of_documents(
                bot, registry=registry(), catalog=operations(), notifier=notifier, time_left=time_left
            )


def emit_metrics(*, of_deployment: bool = False) -> None:
    """Write what was counted since the last time where CloudWatch finds it, if the settings say so.

    With `of_deployment` the gauges as well, which are read from the catalog. Never raises for a store or a setting: whatever
    was to be done has told of them already.
    """
    with suppress(ConfigurationError):
        if settings().metrics == "emf":
            if of_deployment:
                _measure_deployment()
            telemetry.emit(telemetry.meter().take_unsent())


def _measure_deployment() -> None:
    from shared.operations import measure_deployment

    with suppress(LockstepError):
        measure_deployment(operations(), telemetry.meter())


def warm_up() -> None:
    """Open in the background what the first question will need, while the caller imports the rest.

    What cannot be opened is left to that question, which says why.
    """
    Thread(target=_open_all, name="warm-up", daemon=True).start()


def _open_all() -> None:
    stores = (lambda: index().ping(), lambda: reading().ping(), lambda: ledger().is_empty())
    for open_one in (embedder, *stores):
        with suppress(LockstepError):
            open_one()
