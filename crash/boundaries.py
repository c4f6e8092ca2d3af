"""Finds every named boundary in the code, so that a new step is in the matrix by itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SEARCHED = ("functions", "shared")


def boundaries(root: Path = ROOT) -> dict[str, str]:
    """Where each `step("…")` stands, as file:line, by name. Raises ValueError for a name that is not a literal."""
    found: dict[str, str] = {}
    for folder in SEARCHED:
        for path in sorted((root / folder).rglob("*.py")):
            for name, line in _steps_in(path):
                found.setdefault(name, f"{path.relative_to(root)}:{line}")
    return found


def _steps_in(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "step":
            (name,) = node.args
            if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
                raise ValueError(
                    f"{path}:{node.lineno}: the name of a step must be a literal, so that it can be found."
                )
            yield name.value, node.lineno
