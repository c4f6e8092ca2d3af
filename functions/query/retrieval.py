"""Finds the evidence for a question: propose in both stores, fuse, and let the catalog decide what is alive."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING
from uuid import UUID

from functions.query.condensing import condense_with
from functions.query.graph import Walker
from functions.query.intents import Intents, intents_of
from functions.query.ranking import GRAPH, LEXICAL, READ_PLACES, Fusion, Hit, Ranked, fuse, group_by_pair, weights_for
from functions.query.reranking import (
    INTENT,
    adjust,
    feedback_signals,
    intent_signals,
    mmr,
    read_again,
    recencies,
    should_shares,
)
from functions.query.trust import trust_in
from shared.analysis import words
from shared.domain import VECTOR_FIELDS, Bearer, Bot, Candidate, Evidence, Filter
from shared.embedders import Embedders
from shared.errors import CollectionMissingError
from shared.ports import GraphCatalog, QuestionCondenser, ReadingCatalog, Reranker, VectorIndex
from shared.telemetry import count, logger

if TYPE_CHECKING:
    from shared.domain import Vector
    from shared.ports import Embedder

FIRST_LIMIT = max(READ_PLACES)  # candidates of each vector field: Milvus Lite takes long for each
FIRST_LIMIT_OF_WORDS = 100
CANDIDATES_PER_HIT = 2
LIMIT_GROWTH = 4
LOOKED_AT = 24  # passages at least, whose order intent, recency and votes may change a little
REORDERED = 50  # passages at least, where preferences, variety or a model may change the order
MAX_ROUNDS = 3
MAX_LIMIT = 4_000
WALKED_FROM = 2  # hits: those further down are guesses
WALKED_TO = 30  # pairs
MATCHING_PASSAGES = 4_096  # a narrower filter goes to the index as a list of ids


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Hits that were all vouched for by one statement."""

    hits: list[Hit]
    is_complete: bool
    dropped: int
    milliseconds: Mapping[str, float] = field(default_factory=dict)
    neighbours: Sequence[Hit] = ()  # what the walk reached beside the hits, the nearest first
    searched_for: str = ""  # in the question's place
    trust: float = 1.0  # in the embedder with that, from 0 to 1


@dataclass(slots=True)
class _Clock:
    """How long the parts of a search took, in milliseconds. Parts that run side by side overlap."""

    milliseconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, part: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        spent = (time.perf_counter() - begin) * 1000
        self.milliseconds[part] = self.milliseconds.get(part, 0.0) + spent


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question on its way: what is searched for, within what, and how much each signal counts."""

    bot: Bot
    text: str
    words: str  # that are searched for: those of the text, and of the question where an alias stood
    named: Sequence[Bearer]  # by names in the question
    intents: Intents
    matching: Filter
    passage_ids: Sequence[UUID] | None
    without: Collection[str]
    trust: float
    clock: _Clock
    diversity: float = 0.0
    neighbours: int = 0

    @property
    def weights(self) -> Mapping[str, float]:
        """How much each search counts."""
        return weights_for(self.trust, is_named=bool(self.named))

    @property
    def fields(self) -> list[str]:
        """The vector fields that are searched."""
        return [name for name in VECTOR_FIELDS if name not in self.without]


class Retrieval:
    """Searches a bot. Safe for threads."""

    def __init__(
        self,
        *,
        reading: ReadingCatalog,
        index: VectorIndex,
        embedders: Embedders,
        graph: GraphCatalog,
        condenser: QuestionCondenser | None = None,
        reranker: Reranker | None = None,
        reranker_hits: int = 0,
    ) -> None:
        self._reading = reading
        self._graph = graph
        self._walker = Walker(graph)
        self._index = index
        self._embedders = embedders
        self._condenser = condenser
        self._reranker = reranker
        self._reranker_hits = reranker_hits
        self._lexical = ThreadPoolExecutor(max_workers=8, thread_name_prefix="lexical-search")

    def search(
        self,
        bot: Bot,
        question: str,
        *,
        top_k: int,
        matching: Filter,
        without: Collection[str] = (),
        diversity: float = 0.0,
        neighbours: int = 0,
    ) -> SearchResult:
        """The best `top_k` pairs for a question, best first. Signals named in `without` are not asked.

        `diversity`, from 0 to 1, is how much it counts that a hit says something that those before it do not. At most
        `neighbours` pairs that the graph leads to come beside the hits.

        Raises EmbedderMismatchError if this process does not have the bot's embedder.
        """
        clock = _Clock()
        if not any(words(question)):  # of marks and pictures alone everything is equally far
            return SearchResult([], True, 0, clock.milliseconds, searched_for=question)
        matching = self._with_corrections(bot, matching)
        passage_ids = self._narrowed(bot, matching, clock)
        if passage_ids == []:
            return SearchResult([], True, 0, clock.milliseconds, searched_for=question)
        understood = self._understand(bot, question, matching, passage_ids, without, clock)
        asked = replace(understood, diversity=diversity, neighbours=neighbours)
        limit = max(FIRST_LIMIT, CANDIDATES_PER_HIT * top_k)
        for round_number in range(1, MAX_ROUNDS + 1):
            lists = self._propose(asked, limit)
            fusion = Fusion(asked.weights)
            for name, candidates in lists.items():
                fusion.add(name, candidates)
            if GRAPH not in without:
                with clock.measure("graph"):
                    lists[GRAPH] = self._connected(asked, fusion.ranked())
                fusion.add(GRAPH, lists[GRAPH])
            result = self._decide(asked, lists, fusion.ranked(), limit, top_k)
            if set(asked.fields) - lists.keys():
                return replace(result, is_complete=False)
            if len(result.hits) == top_k or not _may_have_more(lists, limit):
                return result
            if round_number == MAX_ROUNDS or limit >= MAX_LIMIT:
                break
            limit = min(MAX_LIMIT, limit * LIMIT_GROWTH)
        return replace(result, is_complete=False)

    def _understand(
        self,
        bot: Bot,
        question: str,
        matching: Filter,
        passage_ids: Sequence[UUID] | None,
        without: Collection[str],
        clock: _Clock,
    ) -> _Asked:
        """What to search for: the question without its story, and with each alias replaced by the name of what bears it."""
        named: list[Bearer] = []
        if GRAPH not in without:
            with clock.measure("graph"):
                named = self._walker.names_in(bot, question, self.embedder_of(bot).vocabulary_place)
        condensed = condense_with(self._condenser, question, names={bearer.name.key for bearer in named}).text
        text = condensed
        if named:
            with clock.measure("graph"):
                text = self._walker.with_own_names(bot, condensed, named)
        by_words = condensed if text == condensed else f"{text}\n{condensed}"  # each word counts once
        is_embedded = set(VECTOR_FIELDS) - set(without)
        trust = trust_in(self.embedder_of(bot), text) if is_embedded else 1.0
        intents: Intents = {} if INTENT in without else intents_of(text)
        return _Asked(bot, text, by_words, named, intents, matching, passage_ids, without, trust, clock)

    def embedder_of(self, bot: Bot) -> Embedder:
        """What its rows were made by. Raises EmbedderMismatchError if this process does not have it."""
        return self._embedders.of(bot.collection)

    def _with_corrections(self, bot: Bot, matching: Filter) -> Filter:
        """Who asks for a document means its pairs as they are corrected."""
        return matching.with_documents(lambda ids: (*ids, *sorted(self._reading.corrections_of(bot, ids))))

    def _narrowed(self, bot: Bot, matching: Filter, clock: _Clock) -> list[UUID] | None:
        """The passages that match a filter on metadata, which the index cannot test; None if the filter has no such
        part, or if so many match that looking further down the lists finds enough of them."""
        if not matching.is_beyond_index:
            return None
        with clock.measure("filter"):
            found = self._reading.matching_passages(bot, matching, MATCHING_PASSAGES + 1)
        return found if len(found) <= MATCHING_PASSAGES else None

    def _propose(self, asked: _Asked, limit: int) -> dict[str, list[Candidate]]:
        def lexical() -> list[Candidate]:
            with asked.clock.measure("lexical"):
                return self._reading.lexical_search(
                    asked.bot, asked.words, limit=_limit_of_words(limit), matching=asked.matching
                )

        by_words = None if LEXICAL in asked.without else self._lexical.submit(lexical)
        lists: dict[str, list[Candidate]] = {}
        if asked.fields:
            with asked.clock.measure("embed"):
                vector = self.embedder_of(asked.bot).embed_query(asked.text)
            with asked.clock.measure("index"):
                lists = self._nearest(asked, vector, limit)
        return lists | {LEXICAL: by_words.result()} if by_words else lists

    def _connected(self, asked: _Asked, ranked: Sequence[Ranked]) -> list[Candidate]:
        """What the best of these candidates, and the names in the question, lead to."""
        best: dict[UUID, Ranked] = {}
        for candidate in ranked:
            best.setdefault(candidate.qa_id, candidate)
        hits = {qa_id: found.score for qa_id, found in islice(best.items(), WALKED_FROM)}
        walk = self._walker.walk(asked.bot, hits, asked.named)
        reached = walk.best(WALKED_TO)
        known = [Candidate(best[q].passage_id, q, best[q].document_id, walk.scores[q]) for q in reached if q in best]
        others = [qa_id for qa_id in reached if qa_id not in best]
        passages = self._graph.first_passages(asked.bot, others) if others else []
        new = [Candidate(p.passage_id, p.own_qa_id, p.document_id, walk.scores[p.qa_id]) for p in passages]
        return sorted([*known, *new], key=lambda candidate: (-candidate.score, candidate.qa_id, candidate.passage_id))

    def _nearest(self, asked: _Asked, vector: Vector, limit: int) -> dict[str, list[Candidate]]:
        bot = asked.bot
        try:
            return self._index.search(
                bot.collection,
                bot.bot_id,
                vector,
                fields=asked.fields,
                limit=limit,
                matching=asked.matching,
                passage_ids=asked.passage_ids,
            )
        except CollectionMissingError:
            # Until sync has rebuilt it, words find what they can.
            logger().warning("the collection is missing: searching by words alone", bot=bot.slug)
            return {}

    def _decide(
        self, asked: _Asked, lists: Mapping[str, list[Candidate]], ranked: list[Ranked], limit: int, top_k: int
    ) -> SearchResult:
        looked_at, evidence = self._hydrate(asked, ranked, top_k)
        stale = self._superseded(asked.bot, looked_at, evidence)
        if stale:  # a newer generation went live after the index was asked: ask again for those documents
            narrowed = replace(asked.matching, document_id=tuple(sorted(stale)))
            again = self._propose(replace(asked, matching=narrowed, passage_ids=None), limit)
            merged = {name: [*again.get(name, ()), *candidates] for name, candidates in lists.items()}
            ranked = fuse({name: sorted(both, key=_by_score) for name, both in merged.items()}, asked.weights)
            looked_at, evidence = self._hydrate(asked, ranked, top_k)
            stale = self._superseded(asked.bot, looked_at, evidence)  # once is enough: say that it was not
        dropped = sum(candidate.passage_id not in evidence for candidate in looked_at)
        count("dropped_candidates", dropped)
        hits = self._reorder(asked, group_by_pair(ranked, evidence), top_k)
        neighbours = _beside(hits, group_by_pair(_reached(ranked), evidence))[: asked.neighbours]
        return SearchResult(hits, not stale, dropped, asked.clock.milliseconds, neighbours, asked.text, asked.trust)

    def _reorder(self, asked: _Asked, hits: list[Hit], top_k: int) -> list[Hit]:
        """What a cross-encoder, intent, preferences, recency, votes and variety change of the order; the best `top_k`."""
        if self._reranker:
            with asked.clock.measure("rerank"):
                hits = read_again(asked.text, hits, self._reranker, self._reranker_hits)
        with asked.clock.measure("hydrate"):
            votes = self._reading.votes_of(asked.bot, [hit.evidence.pair.qa_id for hit in hits])
        half_life = asked.bot.settings.recency_half_life_days
        adjusted = adjust(
            hits,
            {
                INTENT: intent_signals(hits, asked.intents),
                "should": should_shares(hits, asked.matching.should),
                "recency": recencies(hits, datetime.now(UTC), half_life),
                "feedback": feedback_signals(hits, votes),
            },
        )
        return mmr(adjusted, top_k, asked.diversity)

    def _hydrate(
        self, asked: _Asked, ranked: Sequence[Ranked], top_k: int
    ) -> tuple[Sequence[Ranked], dict[UUID, Evidence]]:
        """What was looked at, and what one statement vouched for of it."""
        is_reordered = self._reranker or asked.diversity or asked.matching.should
        looked_at = ranked[: max(self._depth(top_k), REORDERED if is_reordered else LOOKED_AT)]
        # Some of those that were reached are among the hits: as many more are looked at.
        reached = _reached(ranked)[: top_k + asked.neighbours] if asked.neighbours else []
        with asked.clock.measure("hydrate"):
            evidence = self._vouched_for(asked, [*looked_at, *reached])
            found = {evidence[c.passage_id].pair.qa_id for c in looked_at if c.passage_id in evidence}
            if len(found) < top_k and len(ranked) > len(looked_at):
                looked_at = ranked
                evidence = self._vouched_for(asked, looked_at)
        return looked_at, evidence

    def _vouched_for(self, asked: _Asked, candidates: Sequence[Ranked]) -> dict[UUID, Evidence]:
        return self._reading.hydrate(asked.bot, [candidate.passage_id for candidate in candidates], asked.matching)

    @staticmethod
    def _depth(top_k: int) -> int:
        """How many passages are looked at first for `top_k` pairs: some share a pair, some are of kept generations."""
        return 2 * top_k + 4

    def _superseded(self, bot: Bot, looked_at: Sequence[Ranked], evidence: Mapping[UUID, Evidence]) -> set[UUID]:
        """Live documents with a pair of which only passages of an older generation were looked at.

        It is asked pair by pair: generations share the passages of what did not change, so that a document is seldom
        lost as a whole.
        """
        seen = {found.pair.qa_id for found in evidence.values()}
        lost = {candidate.passage_id: candidate.qa_id for candidate in looked_at if candidate.qa_id not in seen}
        return self._reading.superseded(bot, lost) if lost else set()


def _limit_of_words(limit: int) -> int:
    return max(limit, FIRST_LIMIT_OF_WORDS)


def _may_have_more(lists: Mapping[str, Sequence[Candidate]], limit: int) -> bool:
    """Whether a search would find more if it were asked for more."""
    return any(
        len(candidates) >= (_limit_of_words(limit) if name == LEXICAL else limit) for name, candidates in lists.items()
    )


def _reached(ranked: Sequence[Ranked]) -> list[Ranked]:
    """Those that the walk came to, the nearest first."""
    return sorted((one for one in ranked if GRAPH in one.parts), key=lambda one: one.parts[GRAPH].rank)


def _beside(hits: Sequence[Hit], others: Sequence[Hit]) -> list[Hit]:
    found = {hit.evidence.pair.qa_id for hit in hits}
    return [other for other in others if other.evidence.pair.qa_id not in found]


def _by_score(candidate: Candidate) -> float:
    return -candidate.score
