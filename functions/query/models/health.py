"""Whether the function is ready."""

from __future__ import annotations

from functions.query.models.base import Model


class ReadyOut(Model):
    """What this function needs, and whether it answers."""

    is_ready: bool
    parts: dict[str, str]
