"""Every query that the product runs is pruned to the bot's partitions and finds its rows by an index.

The plans are Postgres's own, for 50,000 pairs in five bots.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import md5
from typing import Any
from uuid import UUID, uuid4

import pytest

from infra.local.postgres import EmbeddedPostgres
from shared import postgres
from shared.analysis import ANALYSIS_VERSION
from shared.catalog.graph import PASSAGES_PER_NAME
from shared.catalog.lexical import MAX_PASSAGES
from shared.catalog.mapping import filter_parameters
from shared.catalog.reading import VOTES_PER_PAIR
from shared.catalog.registry import PostgresRegistry
from shared.domain import Bot, BotSettings, EmbedderModel, Fields, Filter
from shared.postgres import PostgresClient, Transaction
from tests.conftest import TEMPLATE

BOTS, DOCUMENTS, PAIRS_PER_DOCUMENT = 5, 5_000, 2
SMALL_TABLES = {"bots", "claims", "collections", "deployments", "ledger_positions", "outcomes", "schema_migrations"}
ONE_ROW = "passage_statistics_"  # in each bot's partition
# Statements whose purpose is to touch all rows of one bot, or rows that they are handed.
WHOLE_BOT = {
    "snapshot_fingerprints": "a snapshot looks at all rows of the bot to find out whether they have changed",
    "snapshot_vector_digests": "a snapshot copies all digests of the bot",
    "restored_counts": "a restore counts all rows of the bot",
    "restored_passages": "a restore counts all passages of the bot",
    "drop_receipts_of_bot": "it removes all receipts of the bot",
    "drop_tombstones_of_bot": "it removes all tombstones of the bot",
    "snapshot_documents": "a snapshot copies all documents of the bot",
    "snapshot_generations": "a snapshot copies all generations of the bot",
    "snapshot_passages": "a snapshot copies all passages of the bot",
    "snapshot_qa_pairs": "a snapshot copies all pairs of the bot",
    "snapshot_document_sources": "a snapshot copies all sources of the bot",
    "snapshot_relations": "a snapshot copies all relations of the bot",
    "snapshot_query_logs": "a snapshot copies all logs of the bot",
    "snapshot_analytics": "a snapshot copies all figures of the bot",
    "snapshot_tombstones": "a snapshot copies all tombstones of the bot",
    "snapshot_receipts": "a snapshot copies all receipts of the bot",
    "count_bot_documents": "it counts all rows of the bot, for its receipt",
    "remains_of_bot": "it counts all rows that are left of the bot",
    "drop_bot_markers": "it removes all markers of the bot",
    "change_progress": "before a bot moves, all of its passages are compared",
    "has_markers": "a collection is left when none of the bot's markers is in it",
    "forget_terms": "the terms of the bot are counted anew",
    "count_terms": "it counts the terms of all passages of the bot, or of a sample",
    "count_passages": "it counts all passages of the bot",
    "drop_entries_of_bot": "it removes all that was followed of the bot's deletes",
    "unlink_all": "after a restore all pairs of the bot are put into the graph",
    "compare_all_again": "after a restore or a change of embedder all pairs of the bot are compared",
    "unmarked_members": "it looks at every member of every generation of the bot",
    "overview": "status counts the documents of every bot",
    "gauges": "they are of the whole deployment",
}
INCARNATION = UUID(int=1)
FRAGMENTS = {
    "bm25",
    "corrected_is_live",
    "document_status",
    "in_force",
    "few_bear_it",
    "few_mention_it",
    "live_bearers",
    "live_membership",
    "news",
    "other_collections",
    "pair_filter",
    "told_receipt",
    "waiting_since",
    "wanted_references",
}
ABOUT_THE_DATABASE = {
    "bot_partitions",
    "partitioned_tables",
    "database_exists",
    "applied_migrations",
    "insert_migration",
    "outgrown_tables",
}
JOINED_AS_WRITTEN = {
    "lexical_search",
    "filtered_lexical_search",
    "absent_terms",
    "term_statistics",
    "matching_passages",
    "hydrate",
    "filtered_hydrate",
    "vouch",
    "superseded",
    "corrections_of",
    "passages_of_pair",
    "votes_of_pairs",
    "insert_query_log",
    "bearers",
    "names_of_pairs",
    "graph_around",
    "relations_around",
    "uncompared_pairs",
    "first_passages",
    "edges_between",
}

FILL = """
insert into documents (bot_id, document_id, object_key, state, last_generation, live_generation)
select '{bot}', md5('{bot}d' || d)::uuid, '{slug}/' || lpad(d::text, 6, '0'), 'live', 1, 1
from generate_series(1, {documents}) d;
insert into generations (bot_id, document_id, generation, state, version, content_hash, pair_count, passage_count)
select '{bot}', document_id, 1, 'live', 'v', 'h', {pairs}, {pairs} from documents where bot_id = '{bot}';
insert into qa_pairs (bot_id, qa_id, since_generation, document_id, external_id, content_hash, question, response,
                      category, language, tags, published_at, metadata)
select '{bot}', md5('{bot}q' || d || '-' || p)::uuid, 1, md5('{bot}d' || d)::uuid, d || '-' || p, 'h', 'question ' || p,
       'response ' || d, 'category ' || (p % 40), 'en', array['tag' || (p % 10)], '2024-01-01', jsonb_build_object('shelf', p)
from generate_series(1, {documents}) d, generate_series(1, {pairs}) p;
insert into passages (bot_id, passage_id, document_id, qa_id, since_generation, part, text, text_hash, lexemes,
                      term_count, analysis)
select bot_id, md5(qa_id::text)::uuid, document_id, qa_id, 1, 0, response, md5(qa_id::text),
       to_tsvector('simple', question || ' ' || response || ' w' || (random() * 2000)::int), 5, {analysis}
from qa_pairs where bot_id = '{bot}';
insert into term_statistics select '{bot}', 'w' || n, 5 from generate_series(1, 2000) n;
insert into passage_statistics values ('{bot}', {documents} * {pairs}, 5, 1000000);
insert into membership select bot_id, document_id, 1, passage_id from passages where bot_id = '{bot}';
insert into document_sources (bot_id, passage_id, document_id, name, object_path, excerpt)
select bot_id, passage_id, document_id, 'n', 'p', 'e' from passages where bot_id = '{bot}';
insert into relations (bot_id, source_qa_id, target_qa_id, type, since_generation, document_id, confidence, origin,
                       target_external_id)
select bot_id, qa_id, md5(qa_id::text || origin)::uuid, 'related', 1, document_id, 1, origin,
       (('x' || left(md5(qa_id::text), 6))::bit(24)::int % {documents} + 1) || '-1'
from qa_pairs, unnest(array['explicit', 'reference']) as o (origin) where bot_id = '{bot}';
insert into names (bot_id, name_key, qa_id, since_generation, document_id, name, kind)
select bot_id, 'name ' || left(md5(qa_id::text), 4), qa_id, 1, document_id, 'n', 'focus' from qa_pairs where bot_id = '{bot}';
insert into mentions (bot_id, name_key, qa_id, since_generation, document_id)
select bot_id, 'name ' || left(md5(qa_id::text || n), 4), qa_id, 1, document_id
from qa_pairs, generate_series(1, 5) n where bot_id = '{bot}' on conflict do nothing;
insert into unlinked (bot_id, qa_id, since_generation, document_id)
select bot_id, qa_id, 1, document_id from qa_pairs where bot_id = '{bot}' and random() < 0.2;
insert into uncompared (bot_id, qa_id, since_generation, document_id)
select bot_id, qa_id, 1, document_id from qa_pairs where bot_id = '{bot}';
insert into markers (bot_id, passage_id, collection_id, document_id, since_generation, state, row_hash, vector_digest,
                     proven_incarnation, delivered_at)
select p.bot_id, p.passage_id, b.collection_id, p.document_id, 1,
       case when random() < 0.01 then 'pending' else 'delivered' end, 'h', 'd', '{incarnation}', now()
from passages p join bots b using (bot_id) where p.bot_id = '{bot}';
insert into observations (bot_id, document_id, epoch)
select bot_id, document_id, e from documents, generate_series(1, 3) e where bot_id = '{bot}';
insert into query_logs (bot_id, query_id, question, response_time_ms, document_ids, created_at, feedback, citations)
select '{bot}', gen_random_uuid(), 'q', 10, array[md5('{bot}d' || (n % {documents} + 1))::uuid], now() - n * interval '1 hour',
       case n % 3 when 0 then 1 when 1 then -1 end,
       jsonb_build_array(jsonb_build_object('number', 1, 'qa_id', md5('{bot}q' || (n % {documents} + 1) || '-1')::uuid))
from generate_series(1, 5000) n;
insert into tombstones (tombstone_id, kind, bot_id, document_id, swept_at)
select gen_random_uuid(), 'document', '{bot}', gen_random_uuid(), case when n % 50 = 0 then null else now() end
from generate_series(1, 2000) n;
insert into tombstones (tombstone_id, kind, bot_id, document_id, qa_id, generation)
select gen_random_uuid(), 'pair', '{bot}', md5('{bot}d' || n)::uuid, md5('{bot}q' || n || '-1')::uuid, 1
from generate_series(1, 20) n;
insert into ledger_entries (bot_id, entry)
select '{bot}', lpad(n::text, 15, '0') || '-0a0b0c0d0e0f' from generate_series(1, 2000) n;
insert into ledger_positions (bot_id, settled) values ('{bot}', lpad('1', 15, '0') || '-0a0b0c0d0e0f');
insert into receipts (tombstone_id, bot_id, state, counts)
select tombstone_id, bot_id, case when random() < 0.02 then 'provisional' else 'final' end, '{{}}'
from tombstones where bot_id = '{bot}' and swept_at is not null;
"""


@pytest.fixture(scope="module")
def catalog(postgres_server: EmbeddedPostgres) -> Iterator[PostgresClient]:
    admin = PostgresClient(postgres_server.url())
    admin.run_alone(f"create database plans template {TEMPLATE}")
    client = PostgresClient(postgres_server.url("plans"))
    registry = PostgresRegistry(client, client)
    model = EmbedderModel("model", "1", 8, 64)
    collection = registry.ensure_collection(model, metric="COSINE", index_type="FLAT", index_params={})
    for number in range(BOTS):
        bot = registry.register_bot(f"bot-{number}", "bot", BotSettings(), collection)
        sql = FILL.format(
            bot=bot.bot_id, slug=bot.slug, documents=DOCUMENTS, pairs=PAIRS_PER_DOCUMENT, incarnation=INCARNATION,
            analysis=ANALYSIS_VERSION,
        )  # fmt: skip
        client.transact(lambda tx, sql=sql: tx.script(sql), timeout_seconds=120)  # type: ignore[misc]
    client.run_alone("vacuum analyze", timeout_seconds=120)
    yield client
    client.close()
    admin.close()


@pytest.fixture(scope="module")
def bot(catalog: PostgresClient) -> Bot:
    return PostgresRegistry(catalog, catalog).bots()[2]


def known_id(bot: Bot, kind: str, number: int | str) -> UUID:
    """Of a document ("d") or a pair ("q") that `FILL` makes."""
    return UUID(md5(f"{bot.bot_id}{kind}{number}".encode(), usedforsecurity=False).hexdigest())


def parameters(bot: Bot) -> dict[str, Any]:
    """A value for every parameter that any query has."""

    document_id, now = known_id(bot, "d", 7), datetime.now(UTC)
    rows = json.dumps([{"passage_id": str(uuid4()), "qa_id": str(uuid4()), "since_generation": 1, "content_hash": "h"}])
    wanted = Filter(
        category=("category 3",),
        tags=("tag1",),
        published_from=now,
        metadata={"shelf": 3, "n": [*"abcdefgh"], "m": [*"abcdefgh"]},
        must_not=Fields(category=("category 4",), tags=("tag2",), metadata={"shelf": [4, 5]}),
    )
    values: dict[str, Any] = {
        **filter_parameters(wanted),
        "bot_id": bot.bot_id,
        "slug": bot.slug,
        "collection_id": bot.collection.collection_id,
        "document_id": document_id,
        "document_ids": [document_id, known_id(bot, "d", 8)],
        "passage_ids": [uuid4() for _ in range(20)],
        "bot_ids": [bot.bot_id],
        "first": UUID(int=1 << 127),
        "last": UUID(int=(1 << 127) + (1 << 122)),
        "qa_ids": [uuid4()],
        "generations": [1],
        "external_ids": ["7-1", "8-1"],
        "name_keys": ["name 0a0b", "name 0c0d"],
        "known": ["name 0a0b"],
        "leads": ["name", "number"],
        "queries": ["'w17' <-> 'w18'", "'w19'"],
        "corrects": known_id(bot, "q", 9),
        "corrects_document": known_id(bot, "d", 9),
        "object_key": f"{bot.slug}/000007",
        "conjunctions": ["'w17'", "'question' & 'w18'"],
        "terms": ["w17", "w18", "question"],
        "weights": [5.0, 4.0, 1.0],
        "k1": 1.2,
        "b": 0.75,
        "mean_terms": 5.0,
        "partition": bot.bot_id.hex,
        "share": 100.0,
        "analysis": ANALYSIS_VERSION,
        "name": "x",
        "after": f"{bot.slug}/000100",
        "state": "live",
        "pairs": rows,
        "rows": rows,
        "proofs": rows,
        "counts": "{}",
        "figures": "{}",
        "operation": "audit",
        "settings": "{}",
        "progress": "{}",
        "index_params": "{}",
        "citations": "[]",
        "citation": '[{"qa_id": "x"}]',
        "verified": "{}",
        "more": "{}",
        "qa_id": known_id(bot, "q", 7),
        "entry": "000000000000100-0a0b0c0d0e0f",
        "entries": ["000000000000100-0a0b0c0d0e0f", "000000000009999-0a0b0c0d0e0f"],
        "incarnation": INCARNATION,
        "since": None,
        "similar": True,
        "after_qa_id": known_id(bot, "q", 1),
        "after_generation": 1,
        "after_moment": now,
    }
    for integer in (
        "limit",
        "ranked",
        "small_bytes",
        "table_bytes",
        "generation",
        "epoch",
        "kept",
        "passages",
        "size",
        "feedback",
        "max_attempts",
        "days",
        "names_per_pair",
        "pairs_per_name",
        "names",
        "edges",
        "per_pair",
        "pairs_per_id",
        "former",
    ):
        values[integer] = 1
    # With very small ones, reading from end to end until so many are found may be the best plan.
    values |= {"considered": MAX_PASSAGES, "passages_per_name": PASSAGES_PER_NAME}
    for number in ("lease_seconds", "seconds", "age_seconds"):
        values[number] = 60.0
    return values


def plan_of(tx: Transaction, name: str, values: Mapping[str, Any], options: str = "") -> dict[str, Any]:
    """Postgres's plan of a query; `options` are EXPLAIN's, as "analyze, ". Nothing stays changed."""
    text, values_of = postgres._statement(name)
    defaults = _Defaulting(values)
    if name in ("insert_next_markers", "unmarked_passages"):
        defaults["after"] = UUID(int=1 << 100)
    if name in ("filtered_lexical_search", "matching_passages", "filtered_hydrate", "proven"):
        defaults["document_id"] = None
    if name == "export_logs":
        defaults["since"] = datetime(1, 1, 1, tzinfo=UTC)
    if name == "votes_of_pairs":
        defaults["limit"] = VOTES_PER_PAIR
    if name in ("seal_generation", "count_staged_pairs"):
        defaults["pairs"] = 1
    tx.script("savepoint before")
    rows = tx._connection.execute_unnamed(f"explain ({options}format json) {text}", values_of(defaults)).rows
    tx.script("rollback to savepoint before")
    plan: dict[str, Any] = rows[0][0][0]["Plan"]
    return plan


class _Defaulting(dict[str, Any]):
    """Parameters that only a few statements have: text, or an id."""

    def __missing__(self, name: str) -> Any:
        ids = ("_id", "lease_token", "holder", "incarnation")
        return uuid4() if name.endswith(ids) else "1"


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def query_names() -> list[str]:
    left_out = FRAGMENTS | ABOUT_THE_DATABASE | WHOLE_BOT.keys()
    names = [name for name in postgres._queries() if name not in left_out]
    return [name for name in names if not name.startswith("restore_") and name != "insert_restored_markers"]


@pytest.mark.parametrize("name", query_names())
def test_a_query_is_pruned_and_uses_an_index(catalog: PostgresClient, bot: Bot, name: str) -> None:
    plan = catalog.transact(lambda tx: plan_of(tx, name, parameters(bot)), joins_as_written=name in JOINED_AS_WRITTEN)
    others = {other.bot_id.hex for other in PostgresRegistry(catalog, catalog).bots()} - {bot.bot_id.hex}
    for node in nodes(plan):
        relation = node.get("Relation Name", "")
        assert not any(relation.endswith(other) for other in others), f"{name} reads {relation}, of another bot"
        if node["Node Type"] == "Seq Scan":
            is_small = relation in SMALL_TABLES or relation.startswith(ONE_ROW)
            assert is_small, f"{name} scans {relation} from end to end"


def test_what_is_left_out_above_is_there_to_be_left_out() -> None:
    assert FRAGMENTS | ABOUT_THE_DATABASE | WHOLE_BOT.keys() <= postgres._queries().keys()


@pytest.mark.parametrize("name", sorted(WHOLE_BOT.keys() - {"overview", "gauges"}))
def test_even_what_copies_a_whole_bot_reads_no_other(catalog: PostgresClient, bot: Bot, name: str) -> None:
    plan = catalog.transact(lambda tx: plan_of(tx, name, parameters(bot)))
    read = {node.get("Relation Name", "").rpartition("_")[2] for node in nodes(plan)}
    others = {other.bot_id.hex for other in PostgresRegistry(catalog, catalog).bots()} - {bot.bot_id.hex}
    assert not read & others


@pytest.mark.parametrize("name", ["restore_documents", "restore_passages", "insert_restored_markers"])
def test_restoring_writes_into_the_bot_only(name: str) -> None:
    assert ":bot_id" in postgres._queries()[name]
