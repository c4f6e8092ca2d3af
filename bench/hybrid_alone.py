"""The yardstick of a search: embed the question, and let Milvus search the three vector fields and fuse them. No catalog."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

from bench.laptop import MODEL, RunningLaptop
from shared.domain import VECTOR_FIELDS
from shared.embedder import OnnxEmbedder
from shared.milvus import lite_partition

if TYPE_CHECKING:
    from pymilvus import MilvusClient

HITS = 10  # as many as /search gives by itself
TIMEOUT_SECONDS = 60.0


@contextmanager
def hybrid_alone(laptop: RunningLaptop, bot: str) -> Iterator[Callable[[str], float]]:
    """A function that searches for a question and returns the milliseconds that it took."""
    from pymilvus import MilvusClient

    sql = "select c.name, b.bot_id from bots b join collections c using (collection_id) where b.slug = :slug"
    ((collection, bot_id),) = laptop.select(sql, slug=bot)
    embedder = OnnxEmbedder(MODEL)
    client = MilvusClient(laptop.state.read_running()["environment"]["LOCKSTEP_MILVUS_URI"], timeout=TIMEOUT_SECONDS)

    def search(question: str) -> float:
        begin = time.perf_counter()
        _search(client, collection, bot_id, embedder.embed_query(question).tolist())
        return (time.perf_counter() - begin) * 1000

    yield search
    client.close()


def _search(client: MilvusClient, collection: str, bot_id: UUID, vector: list[float]) -> None:
    from pymilvus import AnnSearchRequest, RRFRanker

    expression = f'bot_id == "{bot_id}"'
    client.hybrid_search(
        collection,
        [AnnSearchRequest([vector], f"{field}_vector", {}, HITS, expr=expression) for field in VECTOR_FIELDS],
        RRFRanker(),
        limit=HITS,
        partition_names=[lite_partition(bot_id)],  # as the product searches: other bots' rows cost neither of them
        output_fields=["question_text"],
        consistency_level="Strong",
        timeout=TIMEOUT_SECONDS,
    )
