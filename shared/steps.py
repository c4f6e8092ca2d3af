"""Named points between the steps of everything that takes several: where a process may die, and the next must go on.

They cost nothing in production. The crash matrix finds them in the code, kills a process at each, and checks what is left:
a new step is in the matrix by being named.
"""

from __future__ import annotations

from collections.abc import Callable

_listener: Callable[[str], None] | None = None


def step(name: str) -> None:
    """Mark the boundary after a step, as `operation.what-was-done`: `upload.part-staged`. The name must be a literal."""
    if _listener is not None:
        _listener(name)


def listen(listener: Callable[[str], None] | None) -> None:
    """Call `listener` at every boundary that this process passes; None ends that."""
    global _listener
    _listener = listener
