"""What a measurement says: a figure, what it is compared with, and what was promised."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report. `holds` is None where nothing was promised."""

    name: str
    value: str
    promise: str = ""
    holds: bool | None = None

    def __str__(self) -> str:
        verdict = {True: "held", False: "MISSED", None: ""}[self.holds]
        return f"  {self.name:<52}{self.value:>18}   {self.promise:<28}{verdict}".rstrip()


def at_most(name: str, value: float, limit: float, form: str) -> Figure:
    """A figure that must not pass `limit`; `form` is a format string for both, as "{:.2f} s"."""
    return Figure(name, form.format(value), "at most " + form.format(limit), value <= limit)


def at_least(name: str, value: float, limit: float, form: str) -> Figure:
    """A figure that must reach `limit`."""
    return Figure(name, form.format(value), "at least " + form.format(limit), value >= limit)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all values do not pass."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
