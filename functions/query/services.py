"""What the routes work with: built once per app, handed to each request."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Path, Request

from functions.query.gate import Gate
from functions.query.retrieval import Retrieval
from shared.domain import Bot
from shared.embedders import Embedders
from shared.ledger import DeletionLedger
from shared.ports import (
    Amendments,
    AnswerWriter,
    DeletionCatalog,
    DeliveryCatalog,
    DocumentCatalog,
    GraphCatalog,
    Hints,
    ObjectStore,
    QuestionCondenser,
    ReadingCatalog,
    Registry,
    Reranker,
    VectorIndex,
)
from shared.settings import Settings

if TYPE_CHECKING:
    from functions.query.answer import Answerer
    from functions.query.exploring import Explorer
    from shared.catalog.exporting import PostgresExport


@dataclass
class Services:
    """The ports of the query function. What is costly to build is a callable."""

    settings: Settings
    registry: Registry
    documents: DocumentCatalog
    delivery: DeliveryCatalog
    reading: ReadingCatalog
    amendments: Amendments
    hints: Hints
    index: VectorIndex
    graph: GraphCatalog
    condenser: Callable[[], QuestionCondenser | None]
    reranker: Callable[[], Reranker | None]
    bucket: Callable[[], ObjectStore]
    embedders: Embedders
    deletions: DeletionCatalog
    ledger: Callable[[], DeletionLedger]
    live_records: Callable[[], PostgresExport]
    backups: Callable[[], ObjectStore]

    @cached_property
    def gate(self) -> Gate:
        return Gate(self.registry, self.deletions, self.ledger)

    @cached_property
    def retrieval(self) -> Retrieval:
        return Retrieval(
            reading=self.reading,
            index=self.index,
            embedders=self.embedders,
            graph=self.graph,
            condenser=self.condenser(),
            reranker=self.reranker(),
            reranker_hits=self.settings.reranker_hits,
        )

    @cached_property
    def explorer(self) -> Explorer:
        from functions.query.exploring import Explorer

        return Explorer(reading=self.reading, graph=self.graph, retrieval=self.retrieval)

    @cached_property
    def answerer(self) -> Answerer:
        from functions.query.answer import Answerer  # no search needs it

        return Answerer(
            retrieval=self.retrieval,
            reading=self.reading,
            writers=lambda: self._writers,
            seconds=self.settings.llm_timeout_seconds,
        )

    @cached_property
    def _writers(self) -> dict[str, AnswerWriter]:
        """The LLM first, when one is configured; the embedded one always."""
        writers: dict[str, AnswerWriter] = {}
        if self.settings.llm_base_url:
            from shared.llm import OpenAIWriter

            key = self.settings.llm_api_key
            writers["llm"] = OpenAIWriter(
                base_url=self.settings.llm_base_url,
                api_key=key.get_secret_value() if key else "none",
                model=self.settings.llm_model,
                timeout_seconds=self.settings.llm_timeout_seconds,
            )
        from functions.query.extractive import ExtractiveWriter

        return writers | {"extractive": ExtractiveWriter(self.embedders.own)}


async def _services_of(request: Request) -> Services:  # async: a plain function would cost a change of threads
    services: Services = request.app.state.services
    return services


ServicesOf = Annotated[Services, Depends(_services_of)]


SlugOf = Annotated[str, Path(description="the bot's slug", examples=["care"])]


def bot_of(request: Request, services: ServicesOf, bot: SlugOf) -> Bot:
    """The bot of a request; how long finding it took is kept for the answer's timing. Raises what `Gate.bot` raises."""
    begin = time.perf_counter()
    found = services.gate.bot(bot)
    request.state.bot_milliseconds = (time.perf_counter() - begin) * 1000
    return found


BotOf = Annotated[Bot, Depends(bot_of)]
