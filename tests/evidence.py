"""Evidence as the catalog would vouch for it, made up for a test."""

from __future__ import annotations

from uuid import NAMESPACE_URL, uuid4, uuid5

from shared.domain import Evidence, Pair, Source


def evidence(text: str, *, question: str = "What is it?", qa_id: str | None = None, part: int = 0) -> Evidence:
    """A passage with that text; pairs of the same `qa_id` are the same."""
    pair = Pair(uuid5(NAMESPACE_URL, qa_id) if qa_id else uuid4(), question, text)
    source = Source("a.txt", "a.txt", None, None, text[:40])
    return Evidence(uuid4(), uuid4(), 1, text, part, pair, source)
