"""Walks the graph of a bot: from the best hits and the names in a question to what they lead to.

Only a neighbourhood is ever loaded, hop by hop and bounded at each, so that a bot with a million pairs, or a pair that is
connected with everything, costs no more than any other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import log2
from uuid import UUID

from functions.query.pagerank import personalised_pagerank
from shared.analysis import words
from shared.domain import ADDRESS, CONFIDENCES, Bearer, Bot, GraphLimits, Name, Neighbourhood
from shared.names import MAX_QUESTION_WORDS, longest_only, phrases
from shared.ports import GraphCatalog

HOPS = 2
LIMITS = GraphLimits()
DAMPING = 0.5  # as for knowledge graphs in retrieval (HippoRAG, 2024): what is near counts most
FRONTIER = 16  # pairs, the best ones, from which the next hop starts
HIT_SHARE = 0.1  # of the restarts, where the question has names; they are surer than any hit
MANY_MENTIONS = 2 * LIMITS.pairs_per_name  # that a name is taken to have whose mentions are too many to load
MENTIONING = 0.2  # the weight of going from a name to who mentions it, where going to who bears it has 1

Place = Callable[[str], int | None]

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Walk:
    """What was reached: the pairs with their scores, which sum to at most 1, and what was loaded for it."""

    scores: Mapping[UUID, float] = field(default_factory=dict)
    neighbourhood: Neighbourhood = field(default_factory=Neighbourhood)

    def best(self, limit: int) -> list[UUID]:
        return sorted(self.scores, key=lambda qa_id: (-self.scores[qa_id], qa_id))[:limit]


@dataclass(frozen=True, slots=True)
class Walker:
    """Finds names, and walks."""

    catalog: GraphCatalog
    limits: GraphLimits = LIMITS

    def names_in(self, bot: Bot, question: str, place: Place) -> list[Bearer]:
        """Who bears a name that stands in the question; of names within names the longest counts.

        `place` tells which words are words of the language: see `Embedder.vocabulary_place`.
        """
        keys = set(phrases(question, max_words=MAX_QUESTION_WORDS))
        if not keys:
            return []
        bearers = self.catalog.bearers(bot, keys, self.limits)
        found = [bearer for bearer in bearers if _is_meant(bearer.name, question, place)]
        longest = set(longest_only(bearer.name.key for bearer in found))
        return [bearer for bearer in found if bearer.name.key in longest]

    def with_own_names(self, bot: Bot, question: str, named: Sequence[Bearer]) -> str:
        """The question with each alias replaced by what those who bear it are called themselves."""
        aliases = _pure_aliases(named)
        if not aliases:
            return question
        called = self.catalog.names_of(bot, {qa_id for qa_ids in aliases.values() for qa_id in qa_ids}, self.limits)
        for key, qa_ids in aliases.items():
            own = [bearer.name for bearer in called if bearer.name.kind == "focus" and bearer.qa_id in qa_ids]
            most_common = max(own, key=lambda name: (own.count(name), name.key), default=None)
            if (
                most_common and sum(name.key == most_common.key for name in own) > len(own) / 2
            ):  # else it has several meanings
                question = replace_name(question, key, most_common.text)
        return question

    def walk(self, bot: Bot, hits: Mapping[UUID, float], named: Sequence[Bearer] = (), *, hops: int = HOPS) -> Walk:
        """From those hits, by their scores, and those names."""
        neighbourhood, scores = Neighbourhood(), dict(hits) | {bearer.qa_id: 1.0 for bearer in named}
        visited: set[UUID] = set()
        for bearer in named:
            if bearer.is_mentioned_often:
                neighbourhood.add_common(bearer)
        for _ in range(hops):
            unvisited = (qa_id for qa_id in scores if qa_id not in visited)
            frontier = sorted(unvisited, key=lambda qa_id: (-scores[qa_id], qa_id))[:FRONTIER]
            if not frontier:
                break
            neighbourhood.add(self.catalog.look_around(bot, frontier, neighbourhood.names, self.limits))
            visited.update(frontier)
            scores = score_pairs(neighbourhood, hits, {bearer.name.key for bearer in named})
        return Walk(scores, neighbourhood)


def replace_name(text: str, key: str, name: str) -> str:
    """The text with the words of that key replaced by another name; at its end where they cannot be told apart."""
    found_words = ((match.span(), list(words(match[0]))) for match in _WORD.finditer(text))
    places = [(span, parts) for span, parts in found_words if parts]
    wanted = key.split()
    for first in range(len(places)):
        found: list[str] = []
        for last in range(first, len(places)):
            found += places[last][1]
            if len(found) >= len(wanted):
                break
        if found == wanted:
            return f"{text[: places[first][0][0]]}{name}{text[places[last][0][1] :]}"
    return f"{text} {name}"


def _is_meant(name: Name, question: str, place: Place) -> bool:
    """Acronyms look like words of the language ("MED", "ALL"): such a one is meant by who writes it in capitals."""
    if name.kind != "alias" or " " in name.key or not name.text.isupper():
        return True
    is_in_capitals = name.text in _WORD.findall(question) and not question.isupper()
    return is_in_capitals or place(name.key) is None


def score_pairs(
    neighbourhood: Neighbourhood, hits: Mapping[UUID, float], asked_names: Collection[str]
) -> dict[UUID, float]:
    """The PageRank of every pair, for a walker who starts from the hits and the names that are asked for.

    Empty if nothing is connected with anything: there is nothing to walk.
    """
    import numpy as np

    edges = list(_edges(neighbourhood))
    if not edges:
        return {}
    nodes: dict[UUID | str, int] = {}
    for source, target, _ in edges:
        nodes.setdefault(source, len(nodes))
        nodes.setdefault(target, len(nodes))
    for qa_id in hits:
        nodes.setdefault(qa_id, len(nodes))
    restart = np.zeros(len(nodes))
    for node, share in _restarts(neighbourhood, hits, [name for name in asked_names if name in nodes]):
        restart[nodes[node]] += share
    if not restart.any():
        return {}
    scores = personalised_pagerank(
        np.array([nodes[source] for source, _, _ in edges]),
        np.array([nodes[target] for _, target, _ in edges]),
        np.array([weight for _, _, weight in edges]),
        restart,
        damping=DAMPING,
    )
    return {node: float(scores[i]) for node, i in nodes.items() if isinstance(node, UUID) and scores[i] > 0}


def _edges(neighbourhood: Neighbourhood) -> Iterator[tuple[UUID | str, UUID | str, float]]:
    for key, bearers in neighbourhood.bearers.items():
        mentioners = neighbourhood.mentioners.get(key, set()) - bearers.keys()
        if not mentioners and ADDRESS in bearers.values():
            continue  # where a document is says nothing of it; who links to it does
        telling = _specificity(neighbourhood, key)
        for qa_id, kind in bearers.items():
            yield qa_id, key, telling
            yield key, qa_id, CONFIDENCES[kind]
        for qa_id in mentioners:
            yield qa_id, key, telling
            yield key, qa_id, MENTIONING
    for relation in neighbourhood.relations:
        if relation.source_qa_id != relation.target_qa_id and relation.confidence > 0:
            yield relation.source_qa_id, relation.target_qa_id, relation.confidence
            yield relation.target_qa_id, relation.source_qa_id, relation.confidence


def _restarts(
    neighbourhood: Neighbourhood, hits: Mapping[UUID, float], asked_names: Sequence[str]
) -> Iterator[tuple[UUID | str, float]]:
    """Where the walker starts, with its share: a name counts by its length and its rarity, a hit by its score."""
    weights = {key: len(key.split()) * _specificity(neighbourhood, key) for key in asked_names}
    total_names, total_hits = sum(weights.values()), sum(hits.values())
    for key, weight in weights.items():
        yield key, (1 - HIT_SHARE) * weight / total_names
    for qa_id, score in hits.items():
        if score > 0:
            yield qa_id, (HIT_SHARE if weights else 1.0) * score / total_hits


def _specificity(neighbourhood: Neighbourhood, key: str) -> float:
    mentions = MANY_MENTIONS if key in neighbourhood.common else len(neighbourhood.mentioners.get(key, ()))
    return 1 / log2(2 + mentions)


def _pure_aliases(named: Sequence[Bearer]) -> dict[str, set[UUID]]:
    """Names that nobody has as his own, and who bears them."""
    bearers: dict[str, set[UUID]] = {}
    for bearer in named:
        bearers.setdefault(bearer.name.key, set()).add(bearer.qa_id)
    own = {bearer.name.key for bearer in named if bearer.name.kind != "alias"}
    return {key: qa_ids for key, qa_ids in bearers.items() if key not in own}
