"""`make relevance`, or `python -m relevance`: what was promised of finding, measured on the sets of the data folder.

The corpora are loaded once, each as a bot of an instance whose state is kept; embedding all takes more than an hour on two
cores. What is live stays as the code of its day made it: after a change of parsing or cutting, name a new folder.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.data import MEDQUAD, find_data
from bench.laptop import RunningLaptop, running_laptop
from relevance import report
from relevance.abstention import Outcome, load_half, measure_abstention, of_everyday, of_other_kinds, of_topics
from relevance.loading import load
from relevance.measuring import Result, measure
from relevance.sets import CORPORA, SETS, EvaluationSet

STATE = Path(".lockstep/relevance")
ABSTENTION = "abstention"
NAMES = (*SETS, ABSTENTION)


def main() -> int:
    """Returns 1 if a promise was missed, 2 if there is nothing to measure on."""
    options = _parser().parse_args()
    data = find_data()
    if data is None:
        print("The folder of real data is not here: name it with LOCKSTEP_TEST_DATA.")
        return 2
    chosen = [found for name in options.sets if name != ABSTENTION and (found := _present(SETS[name], data))]
    asks = ABSTENTION in options.sets and _is_there(ABSTENTION, [MEDQUAD], data)
    if not chosen and not asks:
        return 2
    with running_laptop(options.state) as laptop:
        results = _measured(laptop, chosen, data, options)
        outcomes = _abstentions(laptop, chosen, data, options) if asks else []
    is_whole = options.limit is None
    values = report.values(results, is_whole=is_whole) if results else []
    for lines in filter(None, (values, report.ablations(results), report.abstentions(outcomes, is_whole=is_whole))):
        print("\n".join(["", *lines]))
    if options.limit is not None:
        print(f"\nA quick look at {options.limit} questions of each set: no promise is held or missed by it.")
        return 0
    missed = sum(r.holds is False for r in results) + sum(o.holds is False for o in outcomes)
    print(f"\nPromises missed: {missed}.")
    return 1 if missed else 0


def _present(chosen: EvaluationSet, data: Path) -> EvaluationSet | None:
    return chosen if _is_there(chosen.name, chosen.files, data) else None


def _is_there(name: str, files: Sequence[Path], data: Path) -> bool:
    absent = [str(file) for file in files if not (data / file).is_file()]
    if absent:
        print(f"{name} is skipped: not in {data}: {', '.join(absent)}.")
    return not absent


def _measured(
    laptop: RunningLaptop, sets: Sequence[EvaluationSet], data: Path, options: argparse.Namespace
) -> list[Result]:
    def search(bot: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        answer: dict[str, Any] = laptop.api.post(f"/bots/{bot}/search", json=body).raise_for_status().json()
        return answer

    # All of them before the first question: else what is loaded would cost the questions time.
    wanted = {chosen.corpus for chosen in sets}
    for corpus, file in CORPORA.items():
        if corpus in wanted:
            load(laptop, corpus, data / file, _say)
    return [
        measure(chosen, data, search, limit=options.limit, is_ablated=options.ablation, out=options.out, say=_say)
        for chosen in sets
    ]


def _abstentions(
    laptop: RunningLaptop, sets: Sequence[EvaluationSet], data: Path, options: argparse.Namespace
) -> list[Outcome]:
    def ask(bot: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        answer: dict[str, Any] = laptop.api.post(f"/bots/{bot}/ask", json=body).raise_for_status().json()
        return answer

    limit = {"limit": options.limit} if options.limit else {}
    split = load_half(laptop, data, _say)
    loaded = {chosen.corpus for chosen in sets}
    asked = [*of_topics(split, **limit), *of_other_kinds(data, loaded, **limit), *of_everyday(loaded)]
    return [measure_abstention(one, ask, _say) for one in asked]


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _set_names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in NAMES]:
        raise argparse.ArgumentTypeError(f"there is no set {unknown[0]!r}; there are {', '.join(NAMES)}")
    return names


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError("a number from 1 on")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m relevance", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--sets",
        type=_set_names,
        default=list(NAMES),
        metavar="A,B",
        help=f"some of {', '.join(NAMES)}; all by default",
    )
    parser.add_argument(
        "--state", type=Path, default=STATE, metavar="DIR", help="where the corpora are kept, loaded (%(default)s)"
    )
    parser.add_argument(
        "--ablation", action=argparse.BooleanOptionalAction, default=True,
        help="ask everything once more without each signal, and tell what that changes",
    )  # fmt: skip
    parser.add_argument("--limit", type=_positive, metavar="N", help="ask only N questions of each set: a quick look")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="write what each question found there, for `lockstep evaluate --compare`",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
