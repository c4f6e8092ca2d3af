"""Tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

# The exit codes of every command; Typer's own for a wrong call is 2.
NOT_AS_HOPED = 1  # it was done, and the outcome is not the good one: the command's help says which that is
NOT_DONE = 3  # it could not be done, or it could not be told how it ended


def show(value: Any, *, as_json: bool, table: Sequence[str] = (), rows: Iterable[Sequence[Any]] = ()) -> None:
    """Print `value` as JSON, or `rows` under the headers `table`."""
    if as_json:
        print(json.dumps(value, ensure_ascii=False, indent=2, default=str))
        return
    from rich.console import Console
    from rich.table import Table

    grid = Table(*table, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        grid.add_row(*("" if cell is None else str(cell) for cell in row))
    Console(soft_wrap=False).print(grid)


def say(text: str = "") -> None:
    """A line for people; nothing in it is taken for markup."""
    print(text, flush=True)


def silent(text: str) -> None:
    """In place of `say` where a program reads along."""


def say_aside(text: str) -> None:
    """In place of `say` where a program reads standard output, and a person may still want to know."""
    print(text, file=sys.stderr, flush=True)


def span(seconds: float) -> str:
    """A length of time, in the unit that fits it."""
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
