"""`lockstep evaluate`: how well a bot finds what answers its questions."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from infra.cli.output import say, show
from infra.cli.questions import WithoutOption, leaving_out
from infra.cli.target import DEFAULT, Api, JsonOption, StateOption, UrlOption
from infra.evaluation.judgements import Judgements, Question, read_judgements, read_questions
from infra.evaluation.measures import difference, estimate, per_question
from infra.evaluation.run import Found, Identity, ask_all, read_run, write_run

PROGRESS_EVERY = 50


def add_to(root: typer.Typer) -> None:
    root.command()(evaluate)


def evaluate(
    queries: Annotated[Path, typer.Option(help="The questions: JSONL with id and text, may be gzipped.")],
    qrels: Annotated[Path, typer.Option(help="What answers them: question id, answer id, grade; apart by tabs.")],
    bot: Annotated[str | None, typer.Option(help="The bot to ask; not needed to compare two runs.")] = None,
    by: Annotated[
        str,
        typer.Option(
            help="What the answer ids of the qrels are: external_id, document (its path), name (of its file, without folders) "
            "or title (of the pair: a record's title, a section's headings, or the question that it answers)."
        ),
    ] = "external_id",
    field: Annotated[str | None, typer.Option(help="The field of the question, if it is not text.")] = None,
    min_grade: Annotated[int, typer.Option(help="The least grade that counts as an answer.")] = 1,
    zero_grade: Annotated[
        int, typer.Option(help="The grade that gains nothing: nDCG counts by how much an answer is better.")
    ] = 0,
    without: WithoutOption = None,
    top_k: Annotated[int, typer.Option(help="How many hits are asked for; recall@100 needs 100.")] = 100,
    all_gold_at: Annotated[int, typer.Option(help="Where all answers of a question are counted.")] = 10,
    out: Annotated[Path | None, typer.Option(help="Write what each question found to this file.")] = None,
    compare: Annotated[
        list[Path] | None,
        typer.Option(help="A file that --out wrote; one is compared with this run, two with each other."),
    ] = None,
    url: UrlOption = None,
    state: StateOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Ask a set of questions with known answers, and measure where the answers come: nDCG, MRR, MAP, recall, latency.

    Everything goes through the API of a running instance. Two runs are compared by a paired randomisation test.
    """
    if by not in get_args(Identity):
        raise typer.BadParameter(f"--by is one of {', '.join(get_args(Identity))}")
    judgements, baselines = read_judgements(qrels, min_grade, zero_grade), [read_run(file) for file in compare or ()]
    if bot is None and len(baselines) != 2:
        raise typer.BadParameter("name a --bot to ask, or two files to --compare")
    if bot is None:
        before, found = baselines
    else:
        questions = [q for q in read_questions(queries, field) if q.question_id in judgements]
        found = _ask(bot, questions, Api(url, state), by=by, top_k=top_k, without=without)  # type: ignore[arg-type]
        before = baselines[0] if baselines else []
    if out:
        write_run(found, out)
    report = _report(found, before, judgements, all_gold_at)
    if as_json:
        show(report, as_json=True)
    else:
        _show(report)


def _ask(
    bot: str, questions: Sequence[Question], api: Api, *, by: Identity, top_k: int, without: list[str] | None
) -> list[Found]:
    def search(question: str, limit: int) -> dict[str, Any]:
        body = {"question": question, "top_k": limit} | leaving_out(without)
        found: dict[str, Any] = api.call("POST", f"/bots/{bot}/search", json=body)
        return found

    found = []
    for one in ask_all(questions, search, by=by, top_k=top_k):
        found.append(one)
        if len(found) % PROGRESS_EVERY == 0 or len(found) == len(questions):
            print(f"asked {len(found)} of {len(questions)}", file=sys.stderr, flush=True)
    return found


def _report(
    found: Sequence[Found], before: Sequence[Found], judgements: Judgements, all_gold_at: int
) -> dict[str, Any]:
    values = per_question(found, judgements, all_gold_at=all_gold_at)
    earlier = per_question(before, judgements, all_gold_at=all_gold_at) if before else {}
    times = sorted(one.milliseconds for one in found)
    return {
        "questions": len(next(iter(values.values()))),
        "measures": {name: asdict(estimate(each)) for name, each in values.items()},
        "compared_questions": len({one.question_id for one in before} & next(iter(values.values())).keys()),
        "compared": {name: asdict(difference(each, values[name])) for name, each in earlier.items()},
        "latency_ms": {"p50": times[len(times) // 2], "p95": times[int(len(times) * 0.95)]} if times else {},
    }


def _show(report: dict[str, Any]) -> None:
    compared = report["compared"]
    headers = ("measure", "mean", "95 % interval", *(("better by", "p") if compared else ()))
    rows = [
        (
            name,
            f"{value['mean']:.3f}",
            f"{value['low']:.3f} to {value['high']:.3f}",
            *((f"{compared[name]['mean']:+.3f}", f"{compared[name]['p_value']:.3f}") if compared else ()),
        )
        for name, value in report["measures"].items()
    ]
    show(report, as_json=False, table=headers, rows=rows)
    if compared:
        say(f"\ncompared by the {report['compared_questions']} judged questions that both runs asked")
    if times := report["latency_ms"]:
        say(f"\n{report['questions']} questions; {times['p50']:.0f} ms at p50, {times['p95']:.0f} ms at p95")
