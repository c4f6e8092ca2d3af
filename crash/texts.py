"""The documents of the histories: each pair says of which document and which edition it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

PAIRS = 6
SHARED = "What is said on topic 0?"  # the first question of all documents
CONSTANT = 2  # pairs that every edition has alike, so that generations share their passages


def content(name: str, edition: str) -> bytes:
    """A document's content in that edition."""
    records = [
        {
            "id": str(n),
            "question": SHARED if n == 0 else f"What does {name} say on topic {n}?",
            "answer": answer,
            "focus": f"topic {n}",  # which the answers of all documents mention
            "related": [str((n + 1) % PAIRS)],
        }
        for n, answer in enumerate(answers(name, edition))
    ]
    return "\n".join(map(json.dumps, records)).encode()


def answers(name: str, edition: str) -> list[str]:
    """What a document says, pair by pair."""
    return [
        f"On topic {n}, {name} says the same as ever."
        if n < CONSTANT
        else f"On topic {n}, {name} says: edition {edition}."
        for n in range(PAIRS)
    ]


def edition_of(file: bytes) -> str:
    """The edition of a document's content."""
    (edition,) = editions(json.loads(line)["answer"] for line in file.splitlines())
    return edition


def editions(responses: Iterable[str]) -> set[str]:
    """The editions that some responses are of."""
    return {found[1] for response in responses if (found := re.search(r"says: edition (.+)\.$", response))}
