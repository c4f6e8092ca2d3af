"""The tables at the end, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from functions.query.reranking import CAN_BE_LEFT_OUT
from relevance.abstention import Outcome
from relevance.measuring import Result

HEADERS = (
    *("set", "questions", "measured", "baseline", "promised", "value", "95 % interval"),
    *("recall@100", "p50 ms", "p95 ms", ""),
)
ABSTENTION_HEADERS = ("asked", "bot", "questions", "should", "promised", "did", "95 % interval", "")
_VERDICTS = {True: "held", False: "MISSED", None: ""}


def values(results: Iterable[Result], *, is_whole: bool = True) -> list[str]:
    """A row for each set. Of a part of the questions nothing is held or missed."""
    return list(_table(HEADERS, [_row(result, is_whole) for result in results]))


def ablations(results: Iterable[Result]) -> list[str]:
    """How the value of each set changes without each signal, and p of the paired test; no lines if nothing was left out."""
    rows = [
        (
            result.chosen.name,
            result.chosen.measure,
            *(f"{change.mean:+.3f} (p {change.p_value:.3f})" for change in result.without.values()),
        )
        for result in results
        if result.without
    ]
    return list(_table(("set", "measured", *(f"without {signal}" for signal in CAN_BE_LEFT_OUT)), rows)) if rows else []


def abstentions(outcomes: Iterable[Outcome], *, is_whole: bool = True) -> list[str]:
    """A row for each kind of questions: what the bot should do with them, and the share with which it did."""
    rows = [
        (
            outcome.asked.name,
            outcome.asked.corpus,
            str(len(outcome.asked.questions)),
            "abstain" if outcome.asked.should_abstain else "answer",
            _rounded(outcome.asked.promised),
            f"{outcome.right.mean:.3f}",
            f"{outcome.right.low:.3f} to {outcome.right.high:.3f}",
            _VERDICTS[outcome.holds if is_whole else None],
        )
        for outcome in outcomes
    ]
    return list(_table(ABSTENTION_HEADERS, rows)) if rows else []


def _row(result: Result, is_whole: bool) -> tuple[str, ...]:
    chosen = result.chosen
    return (
        chosen.name,
        str(result.questions),
        chosen.measure,
        _rounded(chosen.baseline),
        _rounded(chosen.promised),
        f"{result.value.mean:.4f}",
        f"{result.value.low:.3f} to {result.value.high:.3f}",
        f"{result.recall.mean:.3f}",
        f"{result.p50:.0f}",
        f"{result.p95:.0f}",
        _VERDICTS[result.holds if is_whole else None],
    )


def _rounded(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in (headers, *rows)) for column in range(len(headers))]
    for row in (headers, ["-" * width for width in widths], *rows):
        yield "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
