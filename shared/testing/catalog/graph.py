"""The port `GraphCatalog` in memory: names and mentions are read from the texts whenever they are asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from shared.domain import (
    ADDRESS,
    PAIRS_PER_ID,
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
    Wanted,
    edge_by_name,
)
from shared.names import MAX_PASSAGES, names_of, phrases
from shared.testing.catalog.state import BotRows, CatalogState, PassageRow, atomic, bearers_of_ids, live_passages

Content = tuple[UUID, int]  # a pair, and the generation that brought it


@dataclass(frozen=True, slots=True)
class _Graph:
    """Who bears and who mentions which name, of the contents that are linked."""

    bearers: Mapping[str, Mapping[Content, Name]]
    mentioners: Mapping[str, set[Content]]

    def few_bear(self, key: str, limits: GraphLimits) -> bool:
        return 0 < len(self.bearers.get(key, ())) <= limits.pairs_per_name

    def few_mention(self, key: str, limits: GraphLimits) -> bool:
        return len(self.mentioners.get(key, ())) <= limits.pairs_per_name


class InMemoryGraph:
    """Linking, and looking around."""

    def __init__(self, state: CatalogState) -> None:
        self._state = state

    def _rows(self, bot: Bot) -> BotRows:
        """Of a bot that is gone, none."""
        return self._state.bots.get(bot.bot_id) or BotRows(bot)

    @atomic
    def link(self, bot: Bot, *, limit: int, document_ids: Sequence[UUID] | None = None) -> int:
        rows = self._rows(bot)
        wanted = (
            r
            for r in rows.passages.values()
            if (document_ids is None or r.document_id in document_ids) and not _is_on_its_way(rows, r)
        )
        chosen = set(islice(dict.fromkeys(_content(r) for r in wanted if _content(r) not in rows.linked), limit))
        rows.linked |= chosen
        return len(chosen)

    @atomic
    def uncompared(self, bot: Bot, *, after: Uncompared | None, limit: int) -> list[Uncompared]:
        rows = self._rows(bot)
        last = (after.qa_id, after.since_generation) if after else (UUID(int=0), 0)
        waiting = [
            Uncompared(row.pair.qa_id, row.since, row.document_id, passage_id)
            for passage_id, row in rows.passages.items()
            if row.staged.passage.part == 0
            and _content(row) not in rows.compared
            and _content(row) > last
            and not _is_on_its_way(rows, row)
            and (marker := rows.markers.get(passage_id)) is not None
            and (marker.wanted, marker.state) == (Wanted.PRESENT, "delivered")
        ]
        return sorted(waiting, key=lambda content: (content.qa_id, content.since_generation))[:limit]

    @atomic
    def set_similar(self, bot: Bot, found: Mapping[Uncompared, Sequence[Candidate]]) -> None:
        rows = self._rows(bot)
        live = {row.staged.passage.passage_id: row for row in live_passages(rows)}
        there = {_content(row) for row in rows.passages.values()} - rows.compared
        for content, candidates in found.items():
            source = content.qa_id, content.since_generation
            if source not in there:
                continue
            rows.compared.add(source)
            for targets in rows.similar.values():
                for outdated in [t for t in targets if t[0] == source[0] and t[1] < source[1]]:
                    del targets[outdated]
            near: dict[Content, float] = {}
            for candidate in candidates:
                row = live.get(candidate.passage_id)
                if row is not None and not _is_one(rows, content, row):
                    near[_content(row)] = min(1.0, max(candidate.score, near.get(_content(row), 0.0)))
            best = sorted(near.items(), key=lambda target: (-target[1], target[0]))
            rows.similar[source] = dict(best[:SIMILAR_PER_PAIR])

    @atomic
    def bearers(self, bot: Bot, name_keys: Collection[str], limits: GraphLimits) -> list[Bearer]:
        graph = _graph(self._rows(bot))
        return _unique(
            Bearer(qa_id, name, not graph.few_mention(key, limits))
            for key in name_keys
            if graph.few_bear(key, limits)
            for (qa_id, _), name in graph.bearers[key].items()
        )

    @atomic
    def names_of(self, bot: Bot, qa_ids: Collection[UUID], limits: GraphLimits) -> list[Bearer]:
        named = _graph(self._rows(bot)).bearers.values()
        found = _unique(Bearer(q, name) for bearers in named for (q, _), name in bearers.items() if q in qa_ids)
        return found[: limits.edges]

    @atomic
    def look_around(
        self, bot: Bot, qa_ids: Collection[UUID], known: Collection[str], limits: GraphLimits
    ) -> Neighbourhood:
        rows = self._rows(bot)
        graph, found = _graph(rows), Neighbourhood()
        ends = {key: {**dict.fromkeys(graph.mentioners.get(key, ())), **named} for key, named in graph.bearers.items()}
        touched = sorted(key for key, pairs in ends.items() if {q for q, _ in pairs} & set(qa_ids) and key not in known)
        touched.sort(key=lambda key: key.startswith("/"))  # addresses last
        few = (k for k in touched[: limits.names] if graph.few_bear(k, limits) and graph.few_mention(k, limits))
        for key in few:
            for (qa_id, _), name in graph.bearers[key].items():
                found.add_name(key, qa_id, name.kind)
            for qa_id, _ in graph.mentioners.get(key, ()):
                found.add_name(key, qa_id, None)
        relations = [*_relations(rows), *(_similar(rows) if limits.similar else ())]
        found.relations |= {e for e, _ in relations if {e.source_qa_id, e.target_qa_id} & set(qa_ids)}
        return found

    @atomic
    def first_passages(self, bot: Bot, qa_ids: Collection[UUID]) -> list[FirstPassage]:
        rows = self._rows(bot)
        found: list[FirstPassage] = []
        for row in live_passages(rows):
            corrects = rows.documents[row.document_id].corrects
            asked = {row.pair.qa_id, corrects.pair.qa_id if corrects else row.pair.qa_id} & set(qa_ids)
            if row.staged.passage.part == 0:
                place = (row.pair.qa_id, row.staged.passage.passage_id, row.document_id, row.since)
                found += (FirstPassage(qa_id, *place) for qa_id in asked)
        return found

    @atomic
    def edges_between(
        self, bot: Bot, contents: Mapping[UUID, int], name_keys: Collection[str], limits: GraphLimits
    ) -> list[Edge]:
        rows = self._rows(bot)
        graph, among = _graph(rows), set(contents.items())
        edges: list[Edge] = [
            e
            for e, content in [*_relations(rows), *_similar(rows)]
            if content in among and e.target_qa_id in contents.keys() - {content[0]}
        ]
        for key in name_keys:
            bearing = {content[0]: name for content, name in graph.bearers.get(key, {}).items() if content in among}
            mentioning = {content[0] for content in graph.mentioners.get(key, ()) if content in among}
            for target, name in bearing.items():
                edges += (edge_by_name(q, target, name.text, name.kind, None) for q in mentioning - {target})
                others = ((q, other) for q, other in bearing.items() if q > target and name.kind != ADDRESS)
                edges += (edge_by_name(target, q, name.text, name.kind, other.kind) for q, other in others)
        return edges[: limits.edges]


def _content(row: PassageRow) -> Content:
    return row.pair.qa_id, row.since


def _is_on_its_way(rows: BotRows, row: PassageRow) -> bool:
    """Whether the generation that brought it has not gone live yet."""
    return row.since in (rows.documents[row.document_id].staging, rows.documents[row.document_id].building)


def _graph(rows: BotRows) -> _Graph:
    linked = [row for row in rows.passages.values() if _content(row) in rows.linked]
    bearers: dict[str, dict[Content, Name]] = {}
    for row in linked:
        for name in _names(rows, row):
            bearers.setdefault(name.key, {})[_content(row)] = name
    mentioners: dict[str, set[Content]] = {}
    for row in linked:
        if row.staged.passage.part < MAX_PASSAGES:
            for key in bearers.keys() & set(phrases(f"{row.pair.question}\n{row.staged.passage.text}")):
                mentioners.setdefault(key, set()).add(_content(row))
        for address in bearers.keys() & set(row.pair.links):
            mentioners.setdefault(address, set()).add(_content(row))
    return _Graph(bearers, mentioners)


def _names(rows: BotRows, row: PassageRow) -> list[Name]:
    generations = rows.documents[row.document_id].generations
    return names_of(
        question=row.pair.question,
        heading_path=row.pair.heading_path,
        fields=row.pair.metadata.extra,
        document_title=generations[max(generations)].title if generations else None,
        addresses=row.pair.addresses,
    )


def _relations(rows: BotRows) -> Iterator[tuple[Edge, Content]]:
    pairs = {_content(row): row.pair for row in rows.passages.values()}
    there, live = {qa_id for qa_id, _ in pairs}, {row.pair.qa_id for row in live_passages(rows)}
    bearers = bearers_of_ids(rows)
    for content, pair in pairs.items():
        for relation in pair.relations:
            others = set(bearers.get(relation.target_external_id or "", ()))
            is_followed = relation.target_qa_id not in live and content in rows.linked and len(others) <= PAIRS_PER_ID
            if relation.target_qa_id in there:
                yield Edge(pair.qa_id, relation.target_qa_id, relation.type, relation.confidence), content
            for qa_id in others - {pair.qa_id} if is_followed else ():
                yield Edge(pair.qa_id, qa_id, relation.type, relation.confidence / len(others)), content


def _similar(rows: BotRows) -> Iterator[tuple[Edge, Content]]:
    """Found by comparing; with either of its ends, a relation is gone."""
    there = {_content(row) for row in rows.passages.values()}
    pairs = {qa_id for qa_id, _ in there}
    for source, targets in rows.similar.items():
        for (qa_id, _), similarity in targets.items():
            if source in there and qa_id in pairs:
                yield Edge(source[0], qa_id, SIMILAR, similarity), source


def _is_one(rows: BotRows, content: Uncompared, other: PassageRow) -> bool:
    """Whether a reader takes them for one pair: a content and another of it, a correction and what it corrects."""
    ends = ((content.document_id, other.pair.qa_id), (other.document_id, content.qa_id))
    corrected = [(rows.documents[document_id].corrects, qa_id) for document_id, qa_id in ends]
    return content.qa_id == other.pair.qa_id or any(own and own.pair.qa_id == qa_id for own, qa_id in corrected)


def _unique(found: Iterator[Bearer]) -> list[Bearer]:
    return list(dict.fromkeys(found))
