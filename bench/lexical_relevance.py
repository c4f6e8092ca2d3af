"""How well words alone find, through the real ingest and the real Postgres: no vector is looked at."""

from __future__ import annotations

import gzip
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.report import percentile
from infra.evaluation.judgements import read_judgements, read_questions
from infra.evaluation.measures import MEASURES, estimate, per_question
from infra.evaluation.run import Found
from infra.local.postgres import EmbeddedPostgres
from infra.migrate import migrate
from shared.catalog.amendments import PostgresAmendments
from shared.catalog.changes import PostgresChanges
from shared.catalog.deletion import PostgresDeletions
from shared.catalog.delivery import PostgresDelivery
from shared.catalog.documents import PostgresDocuments
from shared.catalog.graph import PostgresGraph
from shared.catalog.operations import PostgresOperations
from shared.catalog.reading import PostgresReading
from shared.catalog.registry import PostgresRegistry
from shared.domain import Filter
from shared.embedder import OnnxEmbedder
from shared.postgres import PostgresClient
from shared.testing import HashingEmbedder, InMemoryVectorIndex
from tests.worlds import World

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FOUND = 100  # pairs per question
PASSAGES_PER_PAIR = 4


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """Questions over a corpus. `baseline` is nDCG@10 of plain BM25 without stemming."""

    questions: str
    corpus: str
    baseline: float | None
    field: str | None = None
    min_grade: int = 1


SETS: Mapping[str, EvaluationSet] = {
    "bioasq": EvaluationSet("bioasq", "bioasq.corpus", 0.775),
    "pubmedqa": EvaluationSet("pubmedqa", "pubmedqa.corpus", 0.975),
    "xquad_tr": EvaluationSet("xquad_tr", "xquad_tr.corpus", 0.943),
    "liveqa": EvaluationSet("liveqa", "medquad", 0.410, "message", 3),
    "liveqa-summary": EvaluationSet("liveqa", "medquad", None, "summary", 3),
    "medquad_syn": EvaluationSet("medquad_syn", "medquad", 0.093),
}


class TokensOnly(HashingEmbedder):
    """Cuts passages as the model does, and embeds nothing."""

    def __init__(self, folder: Path) -> None:
        tokens = OnnxEmbedder(folder, threads=1)
        super().__init__(dimension=2, window=tokens.model.window)
        self.token_spans = tokens.token_spans  # type: ignore[method-assign]

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        import numpy as np

        return np.tile(np.array([1, 0], dtype=np.float32), (len(texts), 1))


def table(data: Path, names: Sequence[str], model: Path) -> Iterator[str]:
    """A line per set."""
    yield f"{'set':<16}{'plain BM25':>11}{'nDCG@10':>9}{'95 %':>16}{'recall@100':>12}{'p50 ms':>8}{'p95 ms':>8}"
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Path(folder) / "data", durable=False)
        server.start()
        client = PostgresClient(server.ensure_database("lockstep"))
        try:
            migrate(client)
            world = world_of(client, TokensOnly(model))
            for name in names:
                yield _line(world, data, name)
        finally:
            client.close()
            server.stop()


def world_of(client: PostgresClient, embedder: HashingEmbedder) -> World:
    """The real catalog, and an index in memory that nobody asks."""
    return World(
        registry=PostgresRegistry(client, client),
        documents=PostgresDocuments(client),
        delivery=PostgresDelivery(client),
        reading=PostgresReading(client),
        deletions=PostgresDeletions(client),
        amendments=PostgresAmendments(client),
        changes=PostgresChanges(client),
        graph=PostgresGraph(client),
        operations=PostgresOperations(client),
        index=InMemoryVectorIndex(),
        embedder=embedder,
    )


def _line(world: World, data: Path, name: str) -> str:
    chosen = SETS[name]
    _ensure_corpus(world, data, chosen.corpus)
    found, times = [], []
    for question in read_questions(data / chosen.questions / "queries.jsonl", chosen.field):
        begin = time.perf_counter()
        answer_ids = _answer_ids(world, question.text)
        times.append((time.perf_counter() - begin) * 1000)
        found.append(Found(question.question_id, answer_ids, times[-1]))
    judgements = read_judgements(data / chosen.questions / "qrels.tsv", chosen.min_grade)
    values = per_question(found, judgements, all_gold_at=10)
    ndcg, recall = (estimate(values[measure]) for measure in ("nDCG@10", "recall@100"))
    assert "recall@100" in MEASURES
    baseline = f"{chosen.baseline:.3f}" if chosen.baseline is not None else ""
    between = f"{ndcg.low:.3f} to {ndcg.high:.3f}"
    timing = f"{percentile(times, 0.5):>8.1f}{percentile(times, 0.95):>8.1f}"
    return f"{name:<16}{baseline:>11}{ndcg.mean:>9.4f}{between:>16}{recall.mean:>12.3f}{timing}"


def _ensure_corpus(world: World, data: Path, corpus: str) -> None:
    slug = corpus.partition(".")[0].replace("_", "-")
    if slug not in {bot.slug for bot in world.registry.bots()}:
        world.bot = world.register(slug)
        with gzip.open(data / "corpora" / f"{corpus}.jsonl.gz", "rb") as file:
            world.put("corpus.jsonl", file.read())
        status = world.status("corpus.jsonl")
        assert status is not None and status.state == "live", status
    world.bot = world.registry.bot(slug)


def _answer_ids(world: World, question: str) -> tuple[str, ...]:
    candidates = world.reading.lexical_search(world.bot, question, limit=FOUND * PASSAGES_PER_PAIR, matching=Filter())
    evidence = world.reading.hydrate(world.bot, [candidate.passage_id for candidate in candidates], Filter())
    ranked = (evidence[c.passage_id].pair.external_id for c in candidates if c.passage_id in evidence)
    return tuple(dict.fromkeys(external_id for external_id in ranked if external_id))[:FOUND]
