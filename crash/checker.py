"""Decides whether the promises hold, from outside: it knows the public API and the stores' own clients, no adapter.

It is asked when everything is quiet, so it is strict: the index holds what the catalog says, and nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from crash.api import Api, answers_by_document
from crash.observer import Observer
from crash.reader import violations_of
from crash.texts import SHARED, answers
from shared.domain import VECTOR_FIELDS, IndexRow, sha256_of

Expected = Mapping[str, str]  # the edition of each document that must answer, by name; no other may

# What must have no rows, once quiet. `:bot_id` is the bot.
STUCK = {
    "a marker was not carried out": """
        select passage_id, wanted, state, last_error from markers where bot_id = :bot_id and state <> 'delivered'""",
    "a document is unfinished": """
        select object_key, state, reason from documents where bot_id = :bot_id
        and (staging_generation is not null or building_generation is not null or look_again or deleted_at is not null)""",
    "a lease has not ended": "select object_key from documents where bot_id = :bot_id and leased_until > clock_timestamp()",
    "a generation is neither live nor kept": """
        select document_id, generation, state from generations where bot_id = :bot_id and state not in ('live', 'kept')""",
    "a pair is not in the graph": "select qa_id, since_generation from unlinked where bot_id = :bot_id",
    "a question was not compared": "select qa_id, since_generation from uncompared where bot_id = :bot_id",
    "a delete has no final receipt": """
        select t.kind, t.object_key, t.swept_at, r.state from tombstones t left join receipts r using (tombstone_id)
        where t.bot_id = :bot_id and (t.swept_at is null or r.state is distinct from 'final')""",
}
WRONG = {
    "a live generation's counts disagree with its rows": """
        select d.object_key, g.passage_count, g.pair_count, count(m.passage_id), count(distinct p.qa_id)
        from documents d
        join generations g on g.bot_id = d.bot_id and g.document_id = d.document_id and g.generation = d.live_generation
        left join membership m on m.bot_id = g.bot_id and m.document_id = g.document_id and m.generation = g.generation
        left join passages p on p.bot_id = m.bot_id and p.passage_id = m.passage_id
        where d.bot_id = :bot_id group by 1, 2, 3
        having g.passage_count <> count(p.passage_id) or g.pair_count <> count(distinct p.qa_id)
            or count(m.passage_id) <> count(p.passage_id)""",
    "a document's live generation and its generations disagree": """
        select d.object_key, d.live_generation, g.generation, g.state from documents d
        full join (select * from generations where bot_id = :bot_id and state = 'live') g
            on g.document_id = d.document_id and g.generation = d.live_generation
        where coalesce(d.bot_id, g.bot_id) = :bot_id and (d.live_generation is null) <> (g.generation is null)""",
    "more generations are kept than the bot keeps": """
        select g.document_id, count(*) from generations g join bots b using (bot_id)
        where g.bot_id = :bot_id and g.state = 'kept'
        group by 1, b.settings having count(*) > coalesce(cast(b.settings ->> 'kept_generations' as integer), 1)""",
    "a passage has no pair, no source or no marker": """
        select p.passage_id from passages p
        left join qa_pairs q on q.bot_id = p.bot_id and q.qa_id = p.qa_id and q.since_generation = p.since_generation
        left join document_sources s on s.bot_id = p.bot_id and s.passage_id = p.passage_id
        left join markers k on k.bot_id = p.bot_id and k.passage_id = p.passage_id and k.wanted = 'present'
        where p.bot_id = :bot_id and (q.qa_id is null or s.passage_id is null or k.passage_id is null)""",
    "a passage is in no generation": """
        select p.passage_id from passages p
        where p.bot_id = :bot_id and not exists (
            select from membership m where m.bot_id = p.bot_id and m.document_id = p.document_id
            and m.passage_id = p.passage_id)""",
    "a member is no passage": """
        select m.document_id, m.generation, m.passage_id from membership m
        where m.bot_id = :bot_id and not exists (
            select from passages p where p.bot_id = m.bot_id and p.passage_id = m.passage_id)""",
    "a pair or a relation stands on nothing": """
        select q.qa_id from qa_pairs q where q.bot_id = :bot_id and not exists (
            select from passages p where p.bot_id = q.bot_id and p.qa_id = q.qa_id
            and p.since_generation = q.since_generation)
        union all
        select e.source_qa_id from relations e where e.bot_id = :bot_id and not exists (
            select from qa_pairs q where q.bot_id = e.bot_id and q.qa_id = e.source_qa_id
            and q.since_generation = e.since_generation)""",
    "a relation that was found leads to nothing": """
        select e.source_qa_id, e.target_qa_id from relations e
        where e.bot_id = :bot_id and e.origin <> 'explicit' and not exists (
            select from qa_pairs q where q.bot_id = e.bot_id and q.qa_id = e.target_qa_id)""",
    "two documents ask the same, and no relation says so": f"""
        with asked as (
            select distinct q.bot_id, q.qa_id from qa_pairs q
            join documents d on d.bot_id = q.bot_id and d.document_id = q.document_id and d.corrects is null
            join passages p on p.bot_id = q.bot_id and p.qa_id = q.qa_id and p.since_generation = q.since_generation
            join membership m on m.bot_id = q.bot_id and m.document_id = q.document_id
                and m.generation = d.live_generation and m.passage_id = p.passage_id
            where q.bot_id = :bot_id and q.question = '{SHARED}' and q.is_active)
        select a.qa_id from asked a where (select count(*) from asked) > 1 and not exists (
            select from relations e where e.bot_id = a.bot_id and e.origin = 'similarity'
            and a.qa_id in (e.source_qa_id, e.target_qa_id))""",
    "a name or a mention stands on nothing": """
        select n.name_key, n.qa_id from names n where n.bot_id = :bot_id and not exists (
            select from qa_pairs q where q.bot_id = n.bot_id and q.qa_id = n.qa_id
            and q.since_generation = n.since_generation)
        union all
        select m.name_key, m.qa_id from mentions m where m.bot_id = :bot_id and not (
            exists (select from names n where n.bot_id = m.bot_id and n.name_key = m.name_key)
            and exists (select from qa_pairs q where q.bot_id = m.bot_id and q.qa_id = m.qa_id
                        and q.since_generation = m.since_generation))""",
    "a pair does not bear its name, or its text does not mention it": """
        select q.qa_id, q.since_generation from qa_pairs q
        where q.bot_id = :bot_id and q.metadata ->> 'focus' like 'topic %' and q.response like 'On topic %'
        and (not exists (select from names n where n.bot_id = q.bot_id and n.qa_id = q.qa_id
                         and n.since_generation = q.since_generation)
             or not exists (select from mentions m where m.bot_id = q.bot_id and m.qa_id = q.qa_id
                            and m.since_generation = q.since_generation))""",
    "a marker counts for a collection that is gone": """
        select k.passage_id from markers k join bots b using (bot_id)
        join collections c on c.collection_id = b.collection_id
        where k.bot_id = :bot_id and k.collection_id = b.collection_id and k.wanted = 'present'
        and k.state = 'delivered' and k.proven_incarnation is distinct from c.incarnation""",
    "a log quotes a document that is gone": """
        select l.query_id from query_logs l where l.bot_id = :bot_id and exists (
            select from unnest(l.document_ids) as cited (document_id)
            where not exists (select from documents d where d.bot_id = l.bot_id and d.document_id = cited.document_id))""",
}
OUTLIVES = ("tombstones", "receipts")  # what says that a document was deleted


class Checker:
    """Checks one bot."""

    def __init__(self, observer: Observer, api: Api, slug: str) -> None:
        self._observer, self._api, self._slug = observer, api, slug

    def stuck(self) -> list[str]:
        """What is left to be done; nothing as long as a restore has not made the bot."""
        return list(self._rows_of(STUCK)) if self._observer.has_bot(self._slug) else []

    def violations(self, expected: Expected | None) -> list[str]:
        """Every promise that is broken; `expected` is None for a bot that must be gone."""
        if expected is None:
            return [*self._left_of_bot()]
        return [
            *self._rows_of(STUCK),
            *self._rows_of(WRONG),
            *self._left_of_documents(),
            *self._index(),
            *self._answers(expected),
        ]

    def _rows_of(self, queries: Mapping[str, str]) -> Iterator[str]:
        bot_id = self._observer.bot(self._slug)["bot_id"]
        for what, query in queries.items():
            for row in self._observer.sql(query, bot_id=bot_id)[:3]:
                yield f"{what}: {_shown(row)}"

    def _left_of_documents(self) -> Iterator[str]:
        bot_id = self._observer.bot(self._slug)["bot_id"]
        for table in self._observer.tables_with("document_id"):
            if table in OUTLIVES or "bot_id" not in self._columns(table):
                continue
            left = self._observer.sql(
                f"select t.document_id, count(*) from {table} t where t.bot_id = :bot_id and t.document_id is not null "
                "and not exists (select from documents d where d.bot_id = t.bot_id and d.document_id = t.document_id) "
                "group by 1",
                bot_id=bot_id,
            )
            yield from (f"{table} still has rows of a document that is gone: {_shown(row)}" for row in left)

    def _columns(self, table: str) -> set[str]:
        found = self._observer.sql(
            "select attname from pg_attribute where attrelid = cast(:name as regclass)", name=table
        )
        return {row["attname"] for row in found}

    def _left_of_bot(self) -> Iterator[str]:
        bot = self._observer.bot(self._slug)
        if bot["state"] != "deleted":
            yield f"the bot is {bot['state']}"
        if rows := self._observer.rows(bot["collection"], bot["bot_id"]):
            yield f"the index still has {len(rows)} rows of the bot"
        for table in self._observer.tables_with("bot_id"):
            if table not in (*OUTLIVES, "bots"):
                (row,) = self._observer.sql(f"select count(*) from {table} where bot_id = :id", id=bot["bot_id"])
                if row["count"]:
                    yield f"{table} still has {row['count']} rows of the bot"
        partitions = self._observer.sql(
            "select relname from pg_class where relkind = 'r' and right(relname, 33) = :suffix",
            suffix=f"_{bot['bot_id'].hex}",
        )
        if partitions:
            yield f"{len(partitions)} partitions of the bot are left"
        final = self._observer.sql(
            "select state from receipts where tombstone_id = :id and state = 'final'", id=bot["bot_id"]
        )
        if not final:
            yield "the bot's receipt is not final"
        if (status := self._api.search(self._slug, "Is there anything?")[0]) != 404:
            yield f"a search of the deleted bot is answered with {status}"

    # The index

    def _index(self) -> Iterator[str]:
        bot = self._observer.bot(self._slug)
        for other in self._observer.sql("select name from collections where name <> :name", name=bot["collection"]):
            if left := self._observer.rows(other["name"], bot["bot_id"]):
                yield f"{other['name']} still holds {len(left)} rows of the bot"
        rows = self._observer.rows(bot["collection"], bot["bot_id"])
        markers = self._observer.sql(
            "select * from markers where bot_id = :bot_id and wanted = 'present' and state = 'delivered'",
            bot_id=bot["bot_id"],
        )
        wanted = {str(marker["passage_id"]): marker for marker in markers}
        for passage_id in sorted(wanted.keys() - rows.keys()):
            yield f"a delivered passage is not in the index: {passage_id}"
        for passage_id in sorted(rows.keys() - wanted.keys()):
            yield f"the index holds what it should not: {passage_id} ({rows[passage_id]['response']})"
        for passage_id in sorted(rows.keys() & wanted.keys()):
            if _row_hash(rows[passage_id]) != wanted[passage_id]["row_hash"]:
                yield f"a row in the index is not the one that was recorded: {passage_id}"
            if _vector_digest(rows[passage_id]) != wanted[passage_id]["vector_digest"]:
                yield f"a vector in the index is not the one that was proven: {passage_id}"

    # Answers

    def _answers(self, expected: Expected) -> Iterator[str]:
        found_documents = self._api.documents(self._slug) or {}
        documents = {name: told for name, told in found_documents.items() if not name.startswith(".")}  # no corrections
        for name in expected.keys() - documents.keys():
            yield f"{name} was lost"
        for name in documents.keys() - expected.keys():
            if documents[name]["is_answering"]:
                yield f"{name} is there though it was deleted"
        status, found = self._api.search(self._slug, "What does it say on the topic?")
        if status != 200:
            yield f"a search is answered with {status}: {found}"
            return
        yield from violations_of(found, documents, documents)
        if not found["is_complete"]:
            yield "a search is not complete"
        said = {name: sorted(responses) for name, responses in answers_by_document(found).items()}
        meant = {name: sorted(answers(name, edition)) for name, edition in expected.items()}
        for name in said.keys() | meant.keys():
            if said.get(name) != meant.get(name):
                yield f"{name} answers {said.get(name)} instead of {meant.get(name)}"


def snapshot_violations(folder: Path) -> Iterator[str]:
    """What is wrong with the snapshots and exports in a folder: a manifest that names what is not there, or not as it is."""
    for manifest in sorted([*folder.glob("snapshots/*.json"), *folder.glob("exports/*/*/export.json")]):
        for part in _parts(json.loads(manifest.read_text("utf-8"))):
            path = folder / part["key"]
            if not path.exists():
                yield f"{manifest.relative_to(folder)} names {part['key']}, which is not there"
            elif hashlib.sha256(path.read_bytes()).hexdigest() != part["sha256"]:
                yield f"{part['key']} is not as its manifest says"


def _parts(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, dict) and {"key", "sha256"} <= value.keys():
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _parts(inner)


def _row_hash(record: Mapping[str, Any]) -> str:
    return sha256_of([record[name] for name in IndexRow.__dataclass_fields__])


def _vector_digest(record: Mapping[str, Any]) -> str:
    vectors = (np.asarray(record[f"{field}_vector"], dtype="<f4").tobytes() for field in VECTOR_FIELDS)
    return hashlib.sha256(b"".join(vectors)).hexdigest()


def _shown(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.items())
