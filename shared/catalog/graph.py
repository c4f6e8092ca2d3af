"""The graph on Postgres: names and mentions, linked a batch at a time, looked at a neighbourhood at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from uuid import UUID

from shared.analysis import phrase_query, words
from shared.catalog.mapping import to_json
from shared.catalog.references import follow_references
from shared.catalog.statistics import refresh_statistics
from shared.domain import (
    ADDRESS,
    SIMILAR,
    SIMILAR_PER_PAIR,
    Bearer,
    Bot,
    Candidate,
    Edge,
    FirstPassage,
    GraphLimits,
    Name,
    Neighbourhood,
    Uncompared,
    edge_by_name,
)
from shared.names import LEAD_WORDS, MAX_PASSAGES, names_of, phrases

if TYPE_CHECKING:
    from shared.postgres import PostgresClient, Row, Transaction

LINK_TIMEOUT_SECONDS = 60.0
CHARACTERS_AT_ONCE = 50_000  # of texts, whose phrases are looked up in one statement
NAMES_AT_ONCE = 20  # whose older texts are read in one statement
# Of older texts that may mention a new name, so many are looked at: twice as many as a name may have to lead anywhere.
PASSAGES_PER_NAME = 2 * (GraphLimits().pairs_per_name + 1)
NAMES_PER_LEAD = 200  # that begin with the same words
EDGES_TOLD = 1_000


class PostgresGraph:
    """The port `GraphCatalog`."""

    def __init__(self, client: PostgresClient) -> None:
        self._client = client

    def link(self, bot: Bot, *, limit: int, document_ids: Sequence[UUID] | None = None) -> int:
        def work(tx: Transaction) -> int:
            tx.rows("lock_graph", bot_id=bot.bot_id)
            contents = tx.rows(
                "unlinked_pairs",
                bot_id=bot.bot_id,
                document_ids=None if document_ids is None else list(document_ids),
                passages=MAX_PASSAGES,
                limit=limit,
            )
            if contents:
                _link(tx, bot, contents)
            return len(contents)

        return self._client.transact(work, timeout_seconds=LINK_TIMEOUT_SECONDS)

    def uncompared(self, bot: Bot, *, after: Uncompared | None, limit: int) -> list[Uncompared]:
        rows = self._read(
            "uncompared_pairs",
            bot,
            collection_id=bot.collection.collection_id,
            after_qa_id=after.qa_id if after else UUID(int=0),
            after_generation=after.since_generation if after else 0,
            limit=limit,
        )
        return [Uncompared(**row) for row in rows]

    def set_similar(self, bot: Bot, found: Mapping[Uncompared, Sequence[Candidate]]) -> None:
        def work(tx: Transaction) -> None:
            tx.rows("lock_graph", bot_id=bot.bot_id)
            dropped = tx.rows("drop_uncompared", bot_id=bot.bot_id, **_keys(found))
            waited = {(row["qa_id"], row["since_generation"]) for row in dropped}
            contents = [content for content in found if (content.qa_id, content.since_generation) in waited]
            if not contents:
                return
            tx.execute("drop_similar", bot_id=bot.bot_id, **_keys(contents))
            document_ids = [content.document_id for content in contents]
            tx.execute("drop_outdated_similar", bot_id=bot.bot_id, document_ids=document_ids, **_keys(contents))
            near = [_near(content, candidate) for content in contents for candidate in found[content]]
            tx.execute("insert_similar", bot_id=bot.bot_id, rows=to_json(near), per_pair=SIMILAR_PER_PAIR, type=SIMILAR)
            refresh_statistics(tx, bot.bot_id)

        self._client.transact(work, timeout_seconds=LINK_TIMEOUT_SECONDS)

    def bearers(self, bot: Bot, name_keys: Collection[str], limits: GraphLimits) -> list[Bearer]:
        return self._bearers("bearers", bot, name_keys=list(name_keys), pairs_per_name=limits.pairs_per_name)

    def names_of(self, bot: Bot, qa_ids: Collection[UUID], limits: GraphLimits) -> list[Bearer]:
        return self._bearers("names_of_pairs", bot, qa_ids=list(qa_ids), limit=limits.edges)

    def _bearers(self, query: str, bot: Bot, **parameters: Any) -> list[Bearer]:
        rows = self._read(query, bot, **parameters)
        return [
            Bearer(row["qa_id"], Name(row["name_key"], row["name"], row["kind"]), row.get("is_mentioned_often", False))
            for row in rows
        ]

    def look_around(
        self, bot: Bot, qa_ids: Collection[UUID], known: Collection[str], limits: GraphLimits
    ) -> Neighbourhood:
        key = {"bot_id": bot.bot_id, "qa_ids": list(qa_ids)}
        of_pair = {"pairs_per_name": limits.pairs_per_name, "edges": limits.edges, "similar": limits.similar}

        def work(tx: Transaction) -> Neighbourhood:
            found = Neighbourhood()
            for row in tx.rows("graph_around", **key, known=list(known), **asdict(limits)):
                found.add_name(row["name_key"], row["qa_id"], row["kind"])
            found.relations |= {Edge(**row) for row in tx.rows("relations_around", **key, **of_pair)}
            return found

        return self._client.transact(work, read_only=True, joins_as_written=True)

    def first_passages(self, bot: Bot, qa_ids: Collection[UUID]) -> list[FirstPassage]:
        return [FirstPassage(**row) for row in self._read("first_passages", bot, qa_ids=list(qa_ids))]

    def edges_between(
        self, bot: Bot, contents: Mapping[UUID, int], name_keys: Collection[str], limits: GraphLimits
    ) -> list[Edge]:
        rows = self._read(
            "edges_between",
            bot,
            qa_ids=list(contents),
            generations=list(contents.values()),
            name_keys=list(name_keys),
            edges=min(EDGES_TOLD, limits.edges),
        )
        return [_edge(row) for row in rows]

    def _read(self, query: str, bot: Bot, **parameters: Any) -> list[Row]:
        return self._client.transact(
            lambda tx: tx.rows(query, bot_id=bot.bot_id, **parameters), read_only=True, joins_as_written=True
        )


def drop_from_graph(tx: Transaction, bot: Bot, gone: Sequence[Row]) -> None:
    """Take contents of pairs that are gone out of the graph, and with a name that nobody bears any more its mentions."""
    contents = _contents(gone)
    tx.rows("lock_graph", bot_id=bot.bot_id)
    tx.execute("drop_uncompared", bot_id=bot.bot_id, **contents)
    tx.execute("drop_relations_of_pairs", bot_id=bot.bot_id, **contents)
    tx.execute("drop_relations_to_nothing", bot_id=bot.bot_id, **contents)
    dropped = tx.rows("drop_names_of_pairs", bot_id=bot.bot_id, **contents)
    tx.execute("drop_mentions_of_pairs", bot_id=bot.bot_id, **contents)
    tx.execute("drop_unlinked", bot_id=bot.bot_id, **contents)
    if name_keys := sorted({row["name_key"] for row in dropped}):
        tx.execute("drop_mentions_of_nothing", bot_id=bot.bot_id, name_keys=name_keys)
    follow_references(tx, bot, _contents(()), gone)


def _keys(contents: Iterable[Uncompared]) -> dict[str, Any]:
    keys = [(content.qa_id, content.since_generation) for content in contents]
    return {"qa_ids": [qa_id for qa_id, _ in keys], "generations": [generation for _, generation in keys]}


def _near(content: Uncompared, candidate: Candidate) -> dict[str, Any]:
    return {
        "source_qa_id": content.qa_id,
        "since_generation": content.since_generation,
        "document_id": content.document_id,
        "passage_id": candidate.passage_id,
        "confidence": min(1.0, candidate.score),
    }


def _link(tx: Transaction, bot: Bot, contents: Sequence[Row]) -> None:
    names = [name | _content(row) for row in contents for name in _names(row)]
    keys = sorted({name["name_key"] for name in names})
    known = {row["name_key"] for row in tx.rows("known_names", bot_id=bot.bot_id, name_keys=keys)}
    tx.execute("insert_names", bot_id=bot.bot_id, rows=to_json(names))
    for mentions in _mentions(tx, bot, contents):
        tx.execute("insert_mentions", bot_id=bot.bot_id, rows=to_json(mentions))
    links = [{"name_key": link, **_content(row)} for row in contents for link in row["links"]]
    tx.execute("insert_mentions", bot_id=bot.bot_id, rows=to_json(links))
    new = {n["name_key"]: n["name"] for n in names if n["name_key"] not in known and n["kind"] != ADDRESS}
    for some in _batches(list(new.items())):
        tx.execute("insert_mentions", bot_id=bot.bot_id, rows=to_json(list(_older_mentions(tx, bot, some))))
    follow_references(tx, bot, _contents(contents), contents)
    tx.execute("drop_unlinked", bot_id=bot.bot_id, **_contents(contents))
    refresh_statistics(tx, bot.bot_id)


def _contents(rows: Sequence[Row]) -> dict[str, Any]:
    return {"qa_ids": [row["qa_id"] for row in rows], "generations": [row["since_generation"] for row in rows]}


def _content(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ("qa_id", "since_generation", "document_id")}


def _names(row: Row) -> list[dict[str, Any]]:
    found = names_of(
        question=row["question"],
        heading_path=row["heading_path"],
        fields=row["metadata"],
        document_title=row["document_title"],
        addresses=row["addresses"],
    )
    return [{"name_key": name.key, "name": name.text, "kind": name.kind} for name in found]


def _mentions(tx: Transaction, bot: Bot, contents: Sequence[Row]) -> Iterator[list[dict[str, Any]]]:
    """The names that stand in these contents, some texts at a time."""
    for texts in _some_at_a_time(contents):
        places: dict[str, set[int]] = {}
        for number, text in texts:
            for key in phrases(text, longest=LEAD_WORDS):
                places.setdefault(key, set()).add(number)
        found = _known(tx, bot, list(places))
        yield [{"name_key": key, **_content(contents[number])} for key, number in _stands_in(found, texts, places)]


def _older_mentions(tx: Transaction, bot: Bot, names: Sequence[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    """The texts that were there before those names came, and mention them."""
    rows = tx.rows(
        "passages_with_phrases",
        bot_id=bot.bot_id,
        name_keys=[key for key, _ in names],
        queries=[phrase_query(name) for _, name in names],
        passages=MAX_PASSAGES,
        passages_per_name=PASSAGES_PER_NAME,
    )
    for row in rows:
        if f" {row['name_key']} " in _spelled(f"{row['question']}\n{row['text']}"):
            yield {"name_key": row["name_key"], **_content(row)}


def _batches(names: Sequence[tuple[str, str]]) -> Iterator[Sequence[tuple[str, str]]]:
    return (names[i : i + NAMES_AT_ONCE] for i in range(0, len(names), NAMES_AT_ONCE))


def _some_at_a_time(contents: Sequence[Row]) -> Iterator[list[tuple[int, str]]]:
    """The texts, each with the number of its content, as they are searched by words: the question before each passage."""
    some: list[tuple[int, str]] = []
    for number, row in enumerate(contents):
        for text in row["texts"]:
            some.append((number, f"{row['question']}\n{text}"))
            if sum(len(text) for _, text in some) >= CHARACTERS_AT_ONCE:
                yield some
                some = []
    if some:
        yield some


def _known(tx: Transaction, bot: Bot, keys: Sequence[str]) -> set[str]:
    """Which of those phrases are names, and which longer names begin with one."""
    leads = [key for key in keys if key.count(" ") == LEAD_WORDS - 1]
    short = tx.rows("known_names", bot_id=bot.bot_id, name_keys=list(keys))
    longer = tx.rows("longer_names", bot_id=bot.bot_id, leads=leads, limit=NAMES_PER_LEAD)
    return {row["name_key"] for row in (*short, *longer)}


def _stands_in(
    names: Collection[str], texts: Sequence[tuple[int, str]], places: Mapping[str, set[int]]
) -> Iterator[tuple[str, int]]:
    """Each name with the contents that it stands in. Of a long one, the texts with its first words are looked at."""
    spelled: dict[int, str] = {}
    for number, text in texts:
        spelled[number] = f"{spelled.get(number, '')}\n{_spelled(text)}"
    for name in names:
        lead = " ".join(name.split(" ")[:LEAD_WORDS])
        yield from ((name, number) for number in places[lead] if name == lead or f" {name} " in spelled[number])


def _spelled(text: str) -> str:
    """The words of a text, each between spaces, so that a key stands in it where its name stands in the text."""
    return f" {' '.join(words(text))} "


def _edge(row: Row) -> Edge:
    source, target = row["source_qa_id"], row["target_qa_id"]
    if row["kind"] is None:
        return Edge(source, target, row["type"], row["confidence"])
    return edge_by_name(source, target, row["name"], row["kind"], row["other_kind"])
