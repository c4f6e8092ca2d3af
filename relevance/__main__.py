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

from bench.data import find_data
from bench.laptop import RunningLaptop, running_laptop
from relevance import report
from relevance.loading import load
from relevance.measuring import Result, measure
from relevance.sets import CORPORA, SETS, EvaluationSet

STATE = Path(".lockstep/relevance")


def main() -> int:
    """Returns 1 if a promise was missed, 2 if there is nothing to measure on."""
    options = _parser().parse_args()
    data = find_data()
    if data is None:
        print("The folder of real data is not here: name it with LOCKSTEP_TEST_DATA.")
        return 2
    chosen = [found for name in options.sets if (found := _present(SETS[name], data))]
    if not chosen:
        return 2
    with running_laptop(options.state) as laptop:
        results = list(_measured(laptop, chosen, data, options))
    print("\n".join(["", *report.values(results, is_whole=options.limit is None)]))
    if lines := report.ablations(results):
        print("\n".join(["", *lines]))
    if options.limit is not None:
        print(f"\nA quick look at {options.limit} questions of each set: no promise is held or missed by it.")
        return 0
    missed = sum(result.holds is False for result in results)
    print(f"\nPromises missed: {missed}.")
    return 1 if missed else 0


def _present(chosen: EvaluationSet, data: Path) -> EvaluationSet | None:
    absent = [str(file) for file in chosen.files if not (data / file).is_file()]
    if absent:
        print(f"{chosen.name} is skipped: not in {data}: {', '.join(absent)}.")
    return None if absent else chosen


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


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _set_names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in SETS]:
        raise argparse.ArgumentTypeError(f"there is no set {unknown[0]!r}; there are {', '.join(SETS)}")
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
        "--sets", type=_set_names, default=list(SETS), metavar="A,B", help=f"some of {', '.join(SETS)}; all by default"
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
