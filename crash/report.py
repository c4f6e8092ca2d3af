"""Prints what was tried and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from crash.faults import FAULTS

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Trial:
    """What is done to which operation, where."""

    scenario: str
    step: str
    fault: str | None
    passing: int = 1

    @property
    def command(self) -> str:
        """How to repeat exactly this."""
        chosen = f"python -m crash --scenario {self.scenario}"
        if self.fault is None:
            return f"{chosen} --undisturbed"
        return f"{chosen} --step {self.step} --fault {self.fault}"


@dataclass
class Report:
    """The matrix, as it fills."""

    say: Say
    held: Counter[tuple[str, str]] = field(default_factory=Counter)
    broken: Counter[tuple[str, str]] = field(default_factory=Counter)
    histories: int = 0
    searches: int = 0
    broken_histories: int = 0

    def add(self, trial: Trial, *, is_hit: bool, violations: list[str], searches: int, seconds: float) -> None:
        """One more history; those whose fault found nothing to happen to are in no cell."""
        self.histories += 1
        self.searches += searches
        self.broken_histories += bool(violations)
        where = (trial.step, trial.fault or "")
        if violations or is_hit:
            (self.broken if violations else self.held)[where] += 1
        verdict = "BROKEN" if violations else "held" if is_hit else "not reached"
        self.say(
            f"{trial.scenario:>22} · {trial.step:<32} · {trial.fault or 'undisturbed':<16} {verdict:<12}{seconds:5.1f} s"
        )
        for violation in violations:
            self.say(f"      {violation}")
        if violations:
            self.say(f"      again: {trial.command}")

    def table(self) -> None:
        """Steps × faults: how many histories held, or BROKEN."""
        steps = sorted({step for step, fault in (*self.held, *self.broken) if fault})
        faults = [fault for fault in FAULTS if any((step, fault) in self.held | self.broken for step in steps)]
        if not steps:
            return
        width = max(map(len, steps))
        self.say("\n" + " " * width + "  " + "  ".join(f"{fault:>8}" for fault in faults))
        for step in steps:
            cells = [f"{self._cell(step, fault):>{max(8, len(fault))}}" for fault in faults]
            self.say(f"{step:<{width}}  " + "  ".join(cells))

    def _cell(self, step: str, fault: str) -> str:
        where = (step, fault)
        if self.broken[where]:
            return "BROKEN"
        return "held" if self.held[where] else "·"


def unreached(boundaries: Mapping[str, str], reached: set[str]) -> list[str]:
    """Boundaries in the code that no scenario passes."""
    return [f"{name} ({boundaries[name]})" for name in sorted(boundaries.keys() - reached)]
