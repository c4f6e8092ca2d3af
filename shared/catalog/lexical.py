"""Search by words with BM25 on plain Postgres: few passages are ranked, never all that hold a word of the question.

What it costs is reading and ranking passages, and half of all may hold a common word. Therefore the rarest terms of a question
choose which passages are ranked, by all of its terms; of common terms, passages are chosen that hold several of them. How common
a term is, is known from `shared.catalog.statistics`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import prod
from typing import TYPE_CHECKING
from uuid import UUID

from shared.aliases import with_aliases
from shared.analysis import ANALYSIS_VERSION, question_terms, terms_of_passage, tsquery_of
from shared.bm25 import K1, B, inverse_document_frequency, weights_of
from shared.catalog.mapping import filter_parameters, to_json
from shared.domain import Bot, Filter

if TYPE_CHECKING:
    from shared.postgres import Row, Transaction

MAX_RANKED_TERMS = 48  # the rarest of a long question; the others would add next to nothing
EXPECTED_PASSAGES = 1_500  # that a question's conjunctions are chosen for
MAX_PASSAGES = 2_000  # that are ranked however many there are
SURPLUS = 4  # passages that are looked up at most for one that is wanted: some are of kept generations
MAX_COMBINED_TERMS = 6
LEAST_ROOM = 0.25  # of what is expected: for less no more common terms are combined, whose lists are long
MAX_CONJUNCTIONS = 32

Conjunction = tuple[str, ...]  # terms that a passage must hold all of


@dataclass(frozen=True, slots=True)
class TermStatistics:
    """In how many of a bot's passages each term of a question occurs: about, as of when they were counted.

    A term that no passage had then is not in `containing`; one that has come since is taken for as rare as can be.
    """

    passages: int
    mean_terms: float
    containing: Mapping[str, int]

    def weights(self, asked: Sequence[Sequence[str]]) -> dict[str, float]:
        """By term, those that are ranked with: the rarest, terms that no passage had last."""
        weights = weights_of(asked, self.passages, self.containing)
        rarest = sorted(weights, key=lambda term: (term not in self.containing, -weights[term], term))
        return {term: weights[term] for term in rarest[:MAX_RANKED_TERMS]}


def search(tx: Transaction, bot: Bot, question: str, *, limit: int, matching: Filter) -> list[Row]:
    """The best passages for a question, best first: passage_id, qa_id, document_id, score."""
    asked = question_terms(question)
    if not asked:
        return []
    statistics = read_statistics(tx, bot, [term for forms in asked for term in forms])
    asked = _without_absent(tx, bot, asked, statistics)
    weights = statistics.weights(asked)
    every_term: list[Conjunction] = [(term,) for term in weights]
    if not every_term:
        return []
    chosen = choose_conjunctions(statistics, weights, max(EXPECTED_PASSAGES, SURPLUS * limit))
    rows = _ranked(tx, bot, chosen, weights, statistics, limit, matching)
    if len(rows) < limit and set(chosen) != set(every_term):  # fewer than was expected, or a filter has left out most
        rows = _ranked(tx, bot, every_term, weights, statistics, limit, matching)
    return rows


def rarity(tx: Transaction, bot: Bot, asked: Collection[Sequence[str]]) -> list[float]:
    """The inverse document frequency of each group of terms: about in how many passages one of them occurs.

    What none has is taken for as rare as what one has: of few passages, a word that they lack says little.
    """
    statistics = read_statistics(tx, bot, [term for forms in asked for term in forms])
    containing = (sum(statistics.containing.get(term, 0) for term in forms) for forms in asked)
    return [inverse_document_frequency(statistics.passages, max(1, found)) for found in containing]


def reanalyse(tx: Transaction, bot_id: UUID, limit: int) -> int:
    """Find the terms of at most `limit` passages anew that an older analysis found; returns how many those were."""
    older = tx.rows("passages_of_older_analysis", bot_id=bot_id, analysis=ANALYSIS_VERSION, limit=limit)
    if not older:
        return 0
    records = []
    for row in older:
        lexemes, term_count = terms_of_passage(with_aliases(row["question"], row["metadata"]), row["text"])
        records.append({"passage_id": row["passage_id"], "lexemes": lexemes, "term_count": term_count})
    passage_ids = [row["passage_id"] for row in older]
    tx.execute("set_lexemes", bot_id=bot_id, analysis=ANALYSIS_VERSION, passage_ids=passage_ids, rows=to_json(records))
    tx.execute("forget_count", bot_id=bot_id)
    return len(older)


def read_statistics(tx: Transaction, bot: Bot, terms: Sequence[str]) -> TermStatistics:
    """Of a bot that was never counted, all terms are equally common."""
    rows = tx.rows("term_statistics", bot_id=bot.bot_id, terms=list(dict.fromkeys(terms)))
    if not rows:
        return TermStatistics(1, 100.0, {})
    containing = {row["term"]: row["containing"] for row in rows if row["term"] is not None}
    return TermStatistics(rows[0]["passages"], rows[0]["mean_terms"], containing)


def _without_absent(
    tx: Transaction, bot: Bot, asked: Sequence[tuple[str, ...]], statistics: TermStatistics
) -> list[tuple[str, ...]]:
    """Without the terms that no passage has: each that is ranked with takes time, and a word is asked for in many forms."""
    uncounted = [term for forms in asked for term in forms if term not in statistics.containing]
    if not uncounted or not statistics.containing:
        return list(asked)
    queries = [tsquery_of((term,)) for term in uncounted]
    absent = {row["term"] for row in tx.rows("absent_terms", bot_id=bot.bot_id, terms=uncounted, queries=queries)}
    present = (tuple(term for term in forms if term not in absent) for forms in asked)
    return [forms for forms in present if forms]


def choose_conjunctions(statistics: TermStatistics, terms: Iterable[str], expected: int) -> list[Conjunction]:
    """Of which terms a passage must hold all of one conjunction in order to be ranked: about `expected` passages do.

    Terms alone as far as they are rare enough, the rarest first; then the fewest of the others together that are, while many
    passages are still to be found. What is left out holds only terms that are too common to bring it far.
    """
    containing, room = {term: statistics.containing.get(term, 1) for term in terms}, float(expected)
    chosen: list[Conjunction] = []
    common: list[str] = []
    for term in sorted(containing, key=lambda term: containing[term]):
        if containing[term] <= room:
            chosen.append((term,))
            room -= containing[term]
        else:
            common.append(term)
    common = common[:MAX_COMBINED_TERMS]

    def passages_with(conjunction: Conjunction) -> float:
        return statistics.passages * prod(containing[term] / statistics.passages for term in conjunction)

    for size in range(2, len(common) + 1):
        for conjunction in sorted(combinations(common, size), key=passages_with):
            if room < LEAST_ROOM * expected:
                break
            is_new = not any(set(known) <= set(conjunction) for known in chosen)
            if is_new and len(chosen) < MAX_CONJUNCTIONS and passages_with(conjunction) <= room:
                chosen.append(conjunction)
                room -= passages_with(conjunction)
    return chosen or [tuple(common)]


def _ranked(
    tx: Transaction,
    bot: Bot,
    conjunctions: list[Conjunction],
    weights: Mapping[str, float],
    statistics: TermStatistics,
    limit: int,
    matching: Filter,
) -> list[Row]:
    wanted = SURPLUS * limit
    parameters = {
        "bot_id": bot.bot_id,
        "conjunctions": [tsquery_of(conjunction) for conjunction in conjunctions],
        "terms": [tsquery_of((term,)) for term in weights],
        "weights": list(weights.values()),
        "k1": K1,
        "b": B,
        "mean_terms": statistics.mean_terms,
        "considered": max(MAX_PASSAGES, wanted),  # whatever was expected, no more are read
        "limit": limit,
    }
    if matching.is_empty:
        return tx.rows("lexical_search", **parameters, ranked=wanted)
    return tx.rows("filtered_lexical_search", **parameters, **filter_parameters(matching))
