"""What a question needs of the catalog: propose by words, vouch, log."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from shared.catalog import lexical
from shared.catalog.lexical import reanalyse
from shared.catalog.mapping import evidence_from, filter_parameters, to_json
from shared.catalog.statistics import count_terms_if_grown, count_terms_if_outdated
from shared.domain import Bot, Candidate, Evidence, Filter, QueryLog, Votes
from shared.errors import NotFoundError

if TYPE_CHECKING:
    from shared.postgres import PostgresClient, Row, Transaction

REFRESH_TIMEOUT_SECONDS = 60.0
VOTES_PER_PAIR = 100  # more tell no more


class PostgresReading:
    """The port `ReadingCatalog`."""

    def __init__(self, client: PostgresClient) -> None:
        self._client = client

    def lexical_search(self, bot: Bot, question: str, *, limit: int, matching: Filter) -> list[Candidate]:
        rows = self._read(lambda tx: lexical.search(tx, bot, question, limit=limit, matching=matching))
        return [Candidate(row["passage_id"], row["qa_id"], row["document_id"], row["score"]) for row in rows]

    def rarity(self, bot: Bot, asked: Collection[Sequence[str]]) -> list[float]:
        return self._client.transact(lambda tx: lexical.rarity(tx, bot, asked), read_only=True) if asked else []

    def refresh_terms(self, bot: Bot, limit: int) -> int:
        refreshed = self._client.transact(
            lambda tx: reanalyse(tx, bot.bot_id, limit), timeout_seconds=REFRESH_TIMEOUT_SECONDS
        )
        if not refreshed:
            self._client.transact(
                lambda tx: count_terms_if_outdated(tx, bot.bot_id) or count_terms_if_grown(tx, bot.bot_id),
                timeout_seconds=REFRESH_TIMEOUT_SECONDS,
            )
        return refreshed

    def matching_passages(self, bot: Bot, matching: Filter, limit: int) -> list[UUID]:
        rows = self._read(
            lambda tx: tx.rows("matching_passages", bot_id=bot.bot_id, limit=limit, **filter_parameters(matching))
        )
        return [row["passage_id"] for row in rows]

    def hydrate(self, bot: Bot, passage_ids: Sequence[UUID], matching: Filter) -> dict[UUID, Evidence]:
        if not passage_ids:
            return {}
        name = "hydrate" if matching.is_empty else "filtered_hydrate"
        parameters = {} if matching.is_empty else filter_parameters(matching)
        rows = self._read(lambda tx: tx.rows(name, bot_id=bot.bot_id, passage_ids=list(passage_ids), **parameters))
        return {row["passage_id"]: evidence_from(row) for row in rows}

    def vouch(self, bot: Bot, passage_ids: Sequence[UUID]) -> set[UUID]:
        rows = self._read(lambda tx: tx.rows("vouch", bot_id=bot.bot_id, passage_ids=list(passage_ids)))
        return {row["passage_id"] for row in rows}

    def superseded(self, bot: Bot, found: Mapping[UUID, UUID]) -> set[UUID]:
        parameters = {"passage_ids": list(found), "qa_ids": list(set(found.values()))}
        rows = self._read(lambda tx: tx.rows("superseded", bot_id=bot.bot_id, **parameters))
        return {row["document_id"] for row in rows}

    def corrections_of(self, bot: Bot, document_ids: Sequence[UUID]) -> set[UUID]:
        rows = self._read(lambda tx: tx.rows("corrections_of", bot_id=bot.bot_id, document_ids=list(document_ids)))
        return {row["document_id"] for row in rows}

    def pair(self, bot: Bot, qa_id: UUID) -> Evidence | None:
        rows = self._read(lambda tx: tx.rows("passages_of_pair", bot_id=bot.bot_id, qa_id=qa_id))
        found = self.hydrate(bot, [row["passage_id"] for row in rows], Filter())
        return next((evidence for evidence in found.values() if evidence.pair.qa_id == qa_id), None)

    def _read(self, work: Callable[[Transaction], list[Row]]) -> list[Row]:
        return self._client.transact(work, read_only=True, joins_as_written=True)

    def log(self, bot: Bot, entry: QueryLog, passage_ids: Sequence[UUID]) -> bool:
        logged = self._client.transact(
            lambda tx: tx.execute(
                "insert_query_log",
                passage_ids=list(passage_ids),
                passages=len(set(passage_ids)),
                bot_id=bot.bot_id,
                query_id=entry.query_id,
                question=entry.question,
                answer=entry.answer,
                abstained=entry.abstained,
                user_id=entry.user_id,
                session_id=entry.session_id,
                response_time_ms=entry.response_time_ms,
                score=entry.score,
                document_ids=list(entry.document_ids),
                citations=to_json(entry.citations),
            ),
            joins_as_written=True,
        )
        return logged == 1

    def roll_up_analytics(self, bot: Bot) -> None:
        self._client.transact(lambda tx: tx.execute("roll_up_analytics", bot_id=bot.bot_id))

    def forget_logs(self, bot: Bot, *, days: int, limit: int) -> int:
        return self._client.transact(lambda tx: tx.execute("drop_old_logs", bot_id=bot.bot_id, days=days, limit=limit))

    def add_feedback(self, bot: Bot, query_id: UUID, feedback: int, comment: str | None) -> None:
        touched = self._client.transact(
            lambda tx: tx.execute(
                "set_feedback", bot_id=bot.bot_id, query_id=query_id, feedback=feedback, comment=comment
            )
        )
        if not touched:
            raise NotFoundError(f"The bot {bot.slug!r} has no answer {query_id}.")

    def votes_of(self, bot: Bot, qa_ids: Collection[UUID]) -> dict[UUID, Votes]:
        if not qa_ids:
            return {}
        asked = sorted(set(qa_ids))
        rows = self._read(lambda tx: tx.rows("votes_of_pairs", bot_id=bot.bot_id, qa_ids=asked, limit=VOTES_PER_PAIR))
        return {row["qa_id"]: Votes(row["up"], row["down"]) for row in rows}

    def ping(self) -> None:
        self._client.transact(lambda tx: tx.value("ping"), read_only=True, timeout_seconds=2)
