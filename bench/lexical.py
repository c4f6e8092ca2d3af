"""How fast search by words is when every word of the question is common, against plain `ts_rank` over all that match."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.report import Figure, at_most, percentile
from infra.local.postgres import EmbeddedPostgres
from infra.migrate import migrate
from shared.analysis import ANALYSIS_VERSION, question_terms
from shared.catalog.reading import PostgresReading
from shared.catalog.registry import PostgresRegistry
from shared.catalog.statistics import count_terms_if_grown
from shared.domain import Bot, BotSettings, EmbedderModel, Filter
from shared.postgres import PostgresClient

PASSAGES, WORDS, WORDS_PER_PASSAGE = 50_000, 200, 80  # a third of all passages hold any given word
QUESTIONS, PLAIN_QUESTIONS = 60, 15
WORDS_PER_QUESTION = (1, 2, 5, 12)
LIMIT = 100  # as many as a search asks for
P95_MS = 50.0

FILL = """
insert into documents (bot_id, document_id, object_key, state, last_generation, live_generation)
select '{bot}', md5('d' || d)::uuid, 'd' || d, 'live', 1, 1 from generate_series(1, {passages} / 100) d;
create temporary table made as
select gen_random_uuid() as passage_id, gen_random_uuid() as qa_id, md5('d' || (1 + n % ({passages} / 100)))::uuid as document_id,
       t.text
from generate_series(1, {passages}) n
cross join lateral (
    select string_agg((array['{words}'])[1 + floor(random() * {number})::int], ' ') as text
    from generate_series(1, {length}) where n is not null
) as t;
insert into qa_pairs (bot_id, qa_id, since_generation, document_id, content_hash, question, response)
select '{bot}', qa_id, 1, document_id, 'h', '', text from made;
insert into passages (
    bot_id, passage_id, document_id, qa_id, since_generation, part, text, text_hash, lexemes, term_count, analysis
)
select '{bot}', passage_id, document_id, qa_id, 1, 0, text, md5(text), to_tsvector('simple', text), {length}, {analysis}
from made;
insert into membership select '{bot}', document_id, 1, passage_id from made;
drop table made;
"""
PLAIN = """
with ranked as (
    select p.passage_id, p.document_id, ts_rank(p.lexemes, cast(:query as tsquery), 1) as score
    from passages p
    where p.bot_id = :bot_id and p.lexemes @@ cast(:query as tsquery)
    order by score desc, p.passage_id
    limit 200
)
select r.passage_id from ranked r
join documents d on d.bot_id = :bot_id and d.document_id = r.document_id
join membership m on m.bot_id = :bot_id and m.document_id = r.document_id
    and m.generation = d.live_generation and m.passage_id = r.passage_id
order by r.score desc limit 50
"""


def measure() -> Iterator[Figure]:
    """Search among passages that are made of two hundred words."""
    with _catalog() as client:
        words = _words()
        bot, seconds = _fill(client, words)
        yield Figure(f"counting the terms of {PASSAGES:,} passages", f"{seconds:.1f} s")
        reading = PostgresReading(client)
        for length in WORDS_PER_QUESTION:
            chance = random.Random(length)
            questions = [" ".join(chance.sample(words, length)) for _ in range(QUESTIONS)]
            ours = _times(lambda q: reading.lexical_search(bot, q, limit=LIMIT, matching=Filter()), questions)
            plain = _times(lambda q: _plain(client, bot, q), questions[:PLAIN_QUESTIONS])
            name = f"{length} common words, p50 (ts_rank over all that match)"
            yield Figure(name, f"{percentile(ours, 0.5):.1f} ms ({percentile(plain, 0.5):.0f})")
            yield at_most("p95", percentile(ours, 0.95), P95_MS, "{:.1f} ms")


@contextmanager
def _catalog() -> Iterator[PostgresClient]:
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Path(folder) / "data")
        server.start()
        client = PostgresClient(server.ensure_database("lockstep"))
        try:
            migrate(client)
            yield client
        finally:
            client.close()
            server.stop()


def _words() -> list[str]:
    """Words without a stop word among them, that differ in their first letters."""
    made = (a + b + c + d for a in "bdgk" for b in "aeiou" for c in "lmnr" for d in "aeiou")
    return [word for word in made if question_terms(f"{word} is")[0] == (word,)][:WORDS]


def _fill(client: PostgresClient, words: list[str]) -> tuple[Bot, float]:
    registry = PostgresRegistry(client, client)
    model = EmbedderModel("model", "1", 8, 64)
    collection = registry.ensure_collection(model, metric="COSINE", index_type="FLAT", index_params={})
    bot = registry.register_bot("common", "common", BotSettings(), collection)
    sql = FILL.format(
        bot=bot.bot_id, passages=PASSAGES, words="','".join(words), number=len(words), length=WORDS_PER_PASSAGE,
        analysis=ANALYSIS_VERSION,
    )  # fmt: skip
    client.transact(lambda tx: tx.script(f"select setseed(0.5); {sql}"), timeout_seconds=300)
    client.run_alone("vacuum analyze", timeout_seconds=300)  # as autovacuum does: the words wait in a list until then
    begin = time.perf_counter()
    client.transact(lambda tx: count_terms_if_grown(tx, bot.bot_id), timeout_seconds=300)
    return bot, time.perf_counter() - begin


def _plain(client: PostgresClient, bot: Bot, question: str) -> None:
    query = " | ".join(f"'{term}'" for term in question.split())
    client.transact(
        lambda tx: tx._connection.run(PLAIN, bot_id=bot.bot_id, query=query), read_only=True, joins_as_written=True
    )


def _times(ask: Callable[[str], object], questions: list[str]) -> list[float]:
    """In milliseconds; the first three warm up."""
    times = []
    for question in [*questions[:3], *questions]:
        begin = time.perf_counter()
        ask(question)
        times.append((time.perf_counter() - begin) * 1000)
    return times[3:]
