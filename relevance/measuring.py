"""Asks the questions of a set through the API, all signals on and each of them off, and measures what was found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.report import percentile
from functions.query.reranking import CAN_BE_LEFT_OUT
from infra.evaluation.judgements import Question
from infra.evaluation.measures import Difference, Estimate, difference, estimate, per_question
from infra.evaluation.run import Found, ask_all, write_run
from relevance.sets import ALL_GOLD_AT, EvaluationSet, spread

TOP_K = 100  # hits that are looked at: recall@100 needs them
TIMED = 100  # questions
SAY_EVERY = 100  # questions

Search = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]  # bot, body → the answer of /search
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured on one set. Times are in milliseconds, of searches for as many hits as the API gives by itself."""

    chosen: EvaluationSet
    questions: int
    value: Estimate
    recall: Estimate
    p50: float
    p95: float
    without: Mapping[str, Difference] = field(default_factory=dict)  # signal → how the value changes without it

    @property
    def holds(self) -> bool | None:
        """Whether the promise is held; None if there is none."""
        return None if self.chosen.promised is None else self.value.mean >= self.chosen.promised


def measure(
    chosen: EvaluationSet,
    data: Path,
    search: Search,
    *,
    limit: int | None = None,
    is_ablated: bool = True,
    out: Path | None = None,
    say: Say = print,
) -> Result:
    """Ask its questions, at most `limit` of them. What each found is written into the folder `out`."""
    questions, judgements = chosen.questions(data, limit), chosen.judgements(data)

    def values(without: Sequence[str] = ()) -> dict[str, dict[str, float]]:
        found = _ask(chosen, questions, search, without, say)
        if out:
            out.mkdir(parents=True, exist_ok=True)
            write_run(found, out / f"{'.without-'.join((chosen.name, *without))}.jsonl")
        return per_question(found, judgements, all_gold_at=ALL_GOLD_AT)

    whole = values()
    times = _times(chosen, questions, search)
    signals = CAN_BE_LEFT_OUT if is_ablated else ()
    return Result(
        chosen,
        len(questions),
        estimate(whole[chosen.measure]),
        estimate(whole["recall@100"]),
        percentile(times, 0.5),
        percentile(times, 0.95),
        {signal: difference(whole[chosen.measure], values([signal])[chosen.measure]) for signal in signals},
    )


def _ask(
    chosen: EvaluationSet, questions: Sequence[Question], search: Search, without: Sequence[str], say: Say
) -> list[Found]:
    def one(question: str, top_k: int) -> Mapping[str, Any]:
        return search(chosen.corpus, {"question": question, "top_k": top_k, "without": list(without)})

    found: list[Found] = []
    label = " without ".join((chosen.name, *without))
    for each in ask_all(questions, one, by="external_id", top_k=TOP_K):
        found.append(each)
        if len(found) % SAY_EVERY == 0 or len(found) == len(questions):
            say(f"{label}: asked {len(found)} of {len(questions)}")
    return found


def _times(chosen: EvaluationSet, questions: list[Question], search: Search) -> list[float]:
    def one(question: str, top_k: int) -> Mapping[str, Any]:
        return search(chosen.corpus, {"question": question})

    asked = ask_all(spread(questions, TIMED), one, by="external_id", top_k=0)
    return [found.milliseconds for found in asked]
