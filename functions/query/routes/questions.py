"""Questions: search, ask, feedback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from functions.query.filters import filter_of
from functions.query.models.questions import (
    AnswerOut,
    AskIn,
    CitationOut,
    FeedbackIn,
    HitOut,
    PartOut,
    SearchIn,
    SearchOut,
    SourceOut,
)
from functions.query.ranking import SIGNALS, Hit
from functions.query.reranking import ADJUSTMENTS
from functions.query.services import BotOf, ServicesOf, SlugOf, bot_of
from shared.domain import Evidence, Metadata
from shared.telemetry import timed

if TYPE_CHECKING:
    from functions.query.answer import Answer

router = APIRouter(prefix="/bots/{bot}", tags=["questions"])


@router.post("/search", response_model=SearchOut, summary="Find the best pairs for a question")
def search(bot: SlugOf, services: ServicesOf, body: SearchIn, request: Request) -> Response:
    # The bot is found here: a dependency would have a thread of its own, and the change of threads takes time.
    with timed("query_seconds", operation="search"):
        found = services.retrieval.search(
            bot_of(request, services, bot),
            body.question,
            top_k=body.top_k,
            matching=filter_of(body.filters),
            without=body.without,
            diversity=body.diversity,
        )
    timing = {"bot": request.state.bot_milliseconds, **found.milliseconds}
    answer = SearchOut(
        hits=[_hit_out(rank, hit, is_explained=body.explain) for rank, hit in enumerate(found.hits, start=1)],
        is_complete=found.is_complete,
        dropped=found.dropped,
    )
    # Written out here: FastAPI would check what has just been checked once more.
    return Response(
        answer.model_dump_json(),
        media_type="application/json",
        headers={"Server-Timing": ", ".join(f"{part};dur={ms:.2f}" for part, ms in timing.items())},
    )


@router.post("/ask", summary="Get an answer with its sources, or an abstention")
def ask(bot: BotOf, services: ServicesOf, body: AskIn) -> AnswerOut:
    with timed("query_seconds", operation="ask"):
        answer = services.answerer.answer(
            bot,
            body.question,
            top_k=body.top_k,
            matching=filter_of(body.filters),
            user_id=body.user_id,
            session_id=body.session_id,
        )
    return AnswerOut(
        query_id=answer.query_id,
        answer=answer.text,
        abstained=answer.abstained,
        citations=[_citation_out(answer, number, evidence) for number, evidence in answer.citations],
        writer=answer.writer,  # type: ignore[arg-type]  # pydantic checks it
    )


@router.post("/feedback", status_code=204, summary="Say whether an answer helped")
def give_feedback(bot: BotOf, services: ServicesOf, body: FeedbackIn) -> None:
    value = {"up": 1, "down": -1, "none": 0}[body.feedback]
    services.reading.add_feedback(bot, body.query_id, value, body.comment)


def _hit_out(rank: int, hit: Hit, *, is_explained: bool) -> HitOut:
    evidence = hit.evidence
    return HitOut(
        rank=rank,
        score=hit.score,
        qa_id=evidence.pair.qa_id,
        external_id=evidence.pair.external_id,
        passage_id=evidence.passage_id,
        question=evidence.pair.question,
        passage=evidence.text,
        response=evidence.pair.response,
        source=source_out(evidence),
        metadata=metadata_out(evidence.pair.metadata),
        signals={signal: part.score for signal, part in hit.parts.items()},
        parts=_parts_out(hit) if is_explained else None,
    )


def _parts_out(hit: Hit) -> list[PartOut]:
    parts = [
        PartOut(signal=signal, **hit.parts[signal]._asdict())
        for signal in (*SIGNALS, *ADJUSTMENTS)
        if signal in hit.parts
    ]
    return sorted(parts, key=lambda part: -part.added)


def _citation_out(answer: Answer, number: int, evidence: Evidence) -> CitationOut:
    return CitationOut(
        number=number,
        qa_id=evidence.pair.qa_id,
        external_id=evidence.pair.external_id,
        passage_id=evidence.passage_id,
        question=evidence.pair.question,
        source=source_out(evidence),
        quotes=[text for quoted, text in answer.quoted if quoted == number],
    )


def source_out(evidence: Evidence) -> SourceOut:
    """Where it stands."""
    source = evidence.source
    return SourceOut(
        document_id=evidence.document_id,
        name=source.name,
        object_path=source.object_path,
        page=source.page,
        section=source.section,
        excerpt=source.excerpt,
    )


def metadata_out(metadata: Metadata) -> dict[str, Any]:
    """What is set, the record's own fields among them."""
    named = {name: getattr(metadata, name) for name in Metadata.__slots__ if name != "extra"}
    return dict(metadata.extra) | {name: value for name, value in named.items() if value not in (None, ())}
