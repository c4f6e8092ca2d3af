"""The port `ReadingCatalog` in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from shared.aliases import with_aliases
from shared.analysis import QUESTION_WEIGHT, question_terms, terms
from shared.bm25 import inverse_document_frequency, term_score, weights_of
from shared.domain import Bot, Candidate, Evidence, Filter, QueryLog, Votes, admits
from shared.errors import NotFoundError
from shared.testing.catalog.state import (
    BotRows,
    CatalogState,
    PassageRow,
    atomic,
    corrected_is_live,
    live_passages,
    source_of,
)


class InMemoryReading:
    """What a question needs."""

    def __init__(self, state: CatalogState) -> None:
        self._state = state

    @atomic
    def lexical_search(self, bot: Bot, question: str, *, limit: int, matching: Filter) -> list[Candidate]:
        rows = self._state.bots[bot.bot_id]
        corpus = {passage_id: Counter(_terms(row)) for passage_id, row in rows.passages.items()}
        mean_terms = sum(found.total() for found in corpus.values()) / max(1, len(corpus))
        containing = Counter(term for found in corpus.values() for term in found)
        weights = weights_of(question_terms(question), len(corpus), containing)
        candidates = []
        for row in _alive(rows):
            found = corpus[row.staged.passage.passage_id]
            score = sum(w * term_score(found[t], found.total(), mean_terms) for t, w in weights.items() if t in found)
            if score and _matches(row, matching):
                candidates.append(Candidate(row.staged.passage.passage_id, row.pair.qa_id, row.document_id, score))
        return sorted(candidates, key=lambda candidate: (-candidate.score, candidate.passage_id))[:limit]

    @atomic
    def rarity(self, bot: Bot, asked: Collection[Sequence[str]]) -> list[float]:
        passages = [set(_terms(row)) for row in self._state.bots[bot.bot_id].passages.values()]
        containing = (sum(not passage.isdisjoint(forms) for passage in passages) for forms in asked)
        return [inverse_document_frequency(len(passages), max(1, found)) for found in containing]

    def refresh_terms(self, bot: Bot, limit: int) -> int:
        return 0  # terms are found and counted when they are asked for

    @atomic
    def matching_passages(self, bot: Bot, matching: Filter, limit: int) -> list[UUID]:
        rows = _alive(self._state.bots[bot.bot_id])
        return [row.staged.passage.passage_id for row in rows if _matches(row, matching)][:limit]

    @atomic
    def hydrate(self, bot: Bot, passage_ids: Sequence[UUID], matching: Filter) -> dict[UUID, Evidence]:
        rows, wanted = self._state.bots[bot.bot_id], set(passage_ids)
        return {
            row.staged.passage.passage_id: _evidence(rows, row)
            for row in _alive(rows)
            if row.staged.passage.passage_id in wanted and _matches(row, matching)
        }

    def vouch(self, bot: Bot, passage_ids: Sequence[UUID]) -> set[UUID]:
        return set(self.hydrate(bot, passage_ids, Filter()))

    @atomic
    def superseded(self, bot: Bot, found: Mapping[UUID, UUID]) -> set[UUID]:
        rows, pairs = self._state.bots[bot.bot_id], set(found.values())
        live = {row.staged.passage.passage_id: (row, row.pair.qa_id) for row in live_passages(rows)}
        for passage_id, row in ((row.staged.passage.passage_id, row) for row in _alive(rows)):
            if corrects := rows.documents[row.document_id].corrects:
                live[passage_id] = row, corrects.pair.qa_id
        spoken_for = {(row.document_id, qa_id) for passage_id, (row, qa_id) in live.items() if passage_id in found}
        asked = {(row.document_id, qa_id) for row, qa_id in live.values() if qa_id in pairs}
        return {document_id for document_id, _ in asked - spoken_for}

    @atomic
    def corrections_of(self, bot: Bot, document_ids: Sequence[UUID]) -> set[UUID]:
        documents = self._state.bots[bot.bot_id].documents.values()
        return {d.document_id for d in documents if d.corrects and d.corrects.document_id in document_ids}

    @atomic
    def pair(self, bot: Bot, qa_id: UUID) -> Evidence | None:
        rows = self._state.bots[bot.bot_id]
        found = (_evidence(rows, row) for row in _alive(rows) if row.staged.passage.part == 0)
        return next((evidence for evidence in found if evidence.pair.qa_id == qa_id), None)

    @atomic
    def log(self, bot: Bot, entry: QueryLog, passage_ids: Sequence[UUID]) -> bool:
        if self.vouch(bot, passage_ids) != set(passage_ids):
            return False
        rows = self._state.rows(bot)
        rows.logs[entry.query_id], rows.logged_at[entry.query_id] = entry, self._state.clock()
        return True

    def roll_up_analytics(self, bot: Bot) -> None:
        """Nothing reads the figures here."""

    @atomic
    def forget_logs(self, bot: Bot, *, days: int, limit: int) -> int:
        rows, before = self._state.rows(bot), self._state.clock() - days * 24 * 3600
        old = sorted((at, query_id) for query_id, at in rows.logged_at.items() if at < before)[:limit]
        for _, query_id in old:
            del rows.logs[query_id], rows.logged_at[query_id]
            rows.feedback.pop(query_id, None)
        return len(old)

    @atomic
    def add_feedback(self, bot: Bot, query_id: UUID, feedback: int, comment: str | None) -> None:
        rows = self._state.rows(bot)
        if query_id not in rows.logs:
            raise NotFoundError(f"The bot {bot.slug!r} has no answer {query_id}.")
        rows.feedback[query_id] = feedback, comment

    @atomic
    def votes_of(self, bot: Bot, qa_ids: Collection[UUID]) -> dict[UUID, Votes]:
        rows = self._state.bots[bot.bot_id]
        votes: dict[UUID, Votes] = {}
        for query_id, (feedback, _) in rows.feedback.items():
            cited = {UUID(citation["qa_id"]) for citation in rows.logs[query_id].citations if "qa_id" in citation}
            for qa_id in cited & set(qa_ids) if feedback else ():
                found = votes.get(qa_id, Votes())
                votes[qa_id] = Votes(found.up + (feedback > 0), found.down + (feedback < 0))
        return votes

    def ping(self) -> None:
        """It is here."""


def _terms(row: PassageRow) -> Iterator[str]:
    found_by = with_aliases(row.pair.question, row.pair.metadata.extra)
    return terms("\n".join([*[found_by] * QUESTION_WEIGHT, row.staged.passage.text]))


def _alive(rows: BotRows) -> Iterator[PassageRow]:
    """Passages that may enter an answer."""
    if rows.state == "active":
        yield from (row for row in live_passages(rows) if row.pair.is_active and _is_in_force(rows, row))


def _is_in_force(rows: BotRows, row: PassageRow) -> bool:
    """Of a pair and its correction, one answers."""
    corrects = rows.documents[row.document_id].corrects
    corrections = (document.corrects for document in rows.documents.values() if document.corrects)
    corrected = ((c.pair.qa_id, c.content_hash) for c in corrections)
    is_replaced = (row.pair.qa_id, row.pair.content_hash) in corrected
    return not is_replaced and (corrects is None or corrected_is_live(rows, corrects))


def _evidence(rows: BotRows, row: PassageRow) -> Evidence:
    document, passage, pair = rows.documents[row.document_id], row.staged.passage, row.pair
    if document.corrects:
        pair = replace(pair, qa_id=document.corrects.pair.qa_id)
    return Evidence(
        passage_id=passage.passage_id,
        document_id=row.document_id,
        generation=document.live or 0,
        text=passage.text,
        part=passage.part,
        pair=pair,
        source=source_of(rows, row),
        is_corrected=document.corrects is not None,
    )


def _matches(row: PassageRow, wanted: Filter) -> bool:
    return admits(wanted, row.pair, row.document_id)
