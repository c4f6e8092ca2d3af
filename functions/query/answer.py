"""From evidence to an answer with numbered citations, or to an abstention."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

from functions.query.abstaining import is_weak
from functions.query.packing import pack
from functions.query.ranking import Hit
from functions.query.retrieval import Retrieval, SearchResult
from shared.domain import Bot, Evidence, Filter, QueryLog
from shared.errors import LockstepError
from shared.ports import AnswerWriter, ReadingCatalog, WrittenAnswer
from shared.telemetry import logger

NEIGHBOURS = 4  # pairs that the graph leads to, at most, beside the hits
ABSTENTION = "I found nothing in this knowledge base that answers the question."
_ABSTAINED = WrittenAnswer(ABSTENTION, (), abstained=True)
_NOTHING = ("extractive", _ABSTAINED)  # nobody is asked to write from nothing


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said, and what it rests on."""

    query_id: UUID
    text: str
    abstained: bool
    citations: tuple[tuple[int, Evidence], ...]
    quoted: tuple[
        tuple[int, str], ...
    ]  # sentences that stand in what is cited to the letter, with the citation's number
    writer: str


@dataclass(frozen=True, slots=True)
class Answerer:
    """Answers questions of a bot. `writers` are asked in turn until one does not fail.

    They are told how much is left of the `seconds` for an answer: the last of them should need hardly any.
    """

    retrieval: Retrieval
    reading: ReadingCatalog
    writers: Callable[[], Mapping[str, AnswerWriter]]
    seconds: float = inf

    def answer(
        self,
        bot: Bot,
        question: str,
        *,
        top_k: int,
        matching: Filter,
        user_id: str | None = None,
        session_id: str | None = None,
    ) -> Answer:
        """Search, write, and validate once more; if the knowledge changed meanwhile, do it once again."""
        begin = monotonic()
        deadline = begin + self.seconds
        for _ in range(2):
            found = self.retrieval.search(bot, question, top_k=top_k, matching=matching, neighbours=NEIGHBOURS)
            context = pack(found.hits, found.neighbours)
            is_enough = bool(context) and not self._is_weak(bot, found)
            answer = _answer(context, *(self._write(question, context, deadline) if is_enough else _NOTHING))
            entry = _log_entry(answer, question, found.hits, _milliseconds_since(begin), user_id, session_id)
            if self.reading.log(bot, entry, [evidence.passage_id for evidence in context]):
                return answer
        answer = _answer((), *_NOTHING)
        self.reading.log(bot, _log_entry(answer, question, (), _milliseconds_since(begin), user_id, session_id), ())
        return answer

    def _is_weak(self, bot: Bot, found: SearchResult) -> bool:
        place = self.retrieval.embedder_of(bot).vocabulary_place
        return is_weak(found, lambda asked: self.reading.rarity(bot, asked), place)

    def _write(self, question: str, context: Sequence[Evidence], deadline: float) -> tuple[str, WrittenAnswer]:
        failed: Exception | None = None
        for name, writer in self.writers().items():
            try:
                written = writer.write(question, context, seconds_left=deadline - monotonic())
            except LockstepError as error:
                logger().warning("an answer writer failed", writer=name, error=f"{type(error).__name__}: {error}")
                failed = error
                continue
            return name, _ABSTAINED if written.abstained else written
        raise LockstepError("No answer could be written.") from failed


def _answer(context: Sequence[Evidence], writer: str, written: WrittenAnswer) -> Answer:
    citations = tuple((number, context[number - 1]) for number in written.cited)
    return Answer(uuid4(), written.text, written.abstained, citations, written.quoted, writer)


def _milliseconds_since(begin: float) -> int:
    return int((monotonic() - begin) * 1000)


def _log_entry(
    answer: Answer,
    question: str,
    hits: Sequence[Hit],
    milliseconds: int,
    user_id: str | None,
    session_id: str | None,
) -> QueryLog:
    citations: tuple[dict[str, Any], ...] = tuple(
        {"number": number, "passage_id": str(evidence.passage_id), "qa_id": str(evidence.pair.qa_id)}
        for number, evidence in answer.citations
    )
    return QueryLog(
        query_id=answer.query_id,
        question=question,
        answer=answer.text,
        abstained=answer.abstained,
        response_time_ms=milliseconds,
        score=hits[0].score if hits else None,
        user_id=user_id,
        session_id=session_id,
        document_ids=tuple(dict.fromkeys(evidence.document_id for _, evidence in answer.citations)),
        citations=citations,
    )
