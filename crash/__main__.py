"""`make crash`, or `python -m crash`: every boundary of every operation, times every fault."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
os.environ.setdefault("POWERTOOLS_LOG_LEVEL", "CRITICAL")  # faults are injected: errors are what is expected

from crash.api import Api
from crash.boundaries import boundaries
from crash.deployment import Deployment, running_deployment
from crash.faults import AT_START, FAULTS, KILLS, Fate
from crash.history import Lab, Outcome, Queue, a_history
from crash.observer import Observer
from crash.report import Report, Trial, unreached
from crash.scenarios import SCENARIOS, Scenario
from crash.zygote import Zygote

_numbers = count(1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Try all that was asked for; returns 1 if a promise was broken or a boundary was never reached."""
    options = _parser().parse_args(arguments)
    names = [scenario.name for scenario in SCENARIOS]
    if unknown := {options.scenario, options.begin} - {None, *names}:
        raise SystemExit(f"There is no scenario {', '.join(unknown)}: {', '.join(names)}")
    chosen = [scenario for scenario in SCENARIOS if options.scenario in (None, scenario.name)]
    passed_over = set(names[: names.index(options.begin)] if options.begin else ())
    report, reached, begin = Report(_say), set[str](), time.monotonic()
    tried: set[str] = set()
    with running_deployment(_say) as deployment, _lab(deployment) as lab:
        for scenario in chosen:
            undisturbed = Trial(scenario.name, AT_START, None)
            is_scouted = options.short or scenario.name in passed_over
            passed = Counter(_scout(lab, scenario) if is_scouted else _try(lab, report, undisturbed, scenario).steps)
            new = passed.keys() - tried  # what only a fault led to so far is still to be tried with all of them
            tried |= passed.keys()
            reached |= passed.keys()
            if scenario.name in passed_over:
                continue
            for trial in _trials(scenario, passed, new, options):
                reached |= set(_try(lab, report, trial, scenario).steps)
    report.table()
    never = unreached(boundaries(), reached) if options.scenario is None else []
    _say(
        f"\n{report.histories} histories in {(time.monotonic() - begin) / 60:.1f} minutes, asked {report.searches:,} times "
        f"meanwhile: {report.broken_histories} broken."
    )
    if never:
        _say(f"No scenario reaches {', '.join(never)}: add one to crash/scenarios/.")
    return 1 if report.broken_histories or never else 0


def _trials(scenario: Scenario, passed: Counter[str], new: set[str], options: argparse.Namespace) -> Iterator[Trial]:
    """What to try with a scenario, whose worker passes those boundaries so many times when nobody disturbs it."""
    if options.undisturbed:
        return
    for step, times in passed.items():
        is_tried_before = step not in new and not options.every and options.scenario is None
        if options.step not in (None, step) or is_tried_before:
            continue
        for fault in FAULTS:
            if options.fault not in (None, fault) or (options.short and fault != "kill"):
                continue
            if (step == AT_START and fault in KILLS) or (fault == "kill-last" and times == 1):
                continue
            yield Trial(scenario.name, step, fault, times if fault == "kill-last" else 1)


def _scout(lab: Lab, scenario: Scenario) -> list[str]:
    with a_history(lab, f"crash-{next(_numbers)}", scenario.name) as history:
        return history.scout(scenario)


def _try(lab: Lab, report: Report, trial: Trial, scenario: Scenario) -> Outcome:
    begin = time.monotonic()
    slug = f"crash-{next(_numbers)}"
    with a_history(lab, slug, trial.command) as history:
        try:
            outcome = history.run(scenario, trial.fault, trial.step, trial.passing)
        except Exception as error:  # the others are tried nevertheless
            outcome = Outcome([], True, [f"it could not be played to its end: {type(error).__name__}: {error}"], 0)
    report.add(
        trial,
        is_hit=outcome.is_hit,
        violations=outcome.violations,
        searches=outcome.searches,
        seconds=time.monotonic() - begin,
    )
    return outcome


@contextmanager
def _lab(deployment: Deployment) -> Iterator[Lab]:
    queue, log = Queue(), Path(deployment.root) / "workers.log"
    zygote = Zygote(deployment, log)
    deployment.enter(Fate(), queue)
    observer = Observer(deployment)
    try:
        with Api() as api, Api() as reading:
            yield Lab(deployment, zygote, observer, api, reading, queue)
    finally:
        observer.close()
        zygote.close()


def _say(line: str) -> None:
    print(line, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m crash", description=__doc__)
    parser.add_argument("--scenario", metavar="NAME", help="this operation only")
    parser.add_argument(
        "--from", dest="begin", metavar="NAME", help="begin with this operation: to go on where one stopped"
    )
    parser.add_argument("--step", metavar="NAME", help="this boundary only")
    parser.add_argument("--fault", choices=FAULTS, help="this fault only")
    parser.add_argument("--undisturbed", action="store_true", help="no fault at all")
    parser.add_argument("--short", action="store_true", help="one kill per boundary")
    parser.add_argument(
        "--every",
        action="store_true",
        help="every boundary in every operation that passes it, not only in the first: hours",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
