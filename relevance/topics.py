"""MedQuAD split by topic: half of its topics are in a knowledge base, half are not, and questions are asked on both.

What may tell of the same topic is kept together: foci of the same words, and those that share a concept (CUI) or a synonym. So
neither a duplicate nor a paraphrase of a question on a topic that is out is in. What many foci share is a kind of thing, such as
"syndrome" (C0039082, of 262 foci), and would tie a third of all pairs into one topic. Siblings are therefore parted: of a disease
with ten types some are in and some are out, which are the hardest to tell apart. Everything follows from hashes of the data
alone: who runs it again gets the same split.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from shared.analysis import terms

Record = Mapping[str, Any]
Kind = Literal["in", "held back", "out"]
# In: asked as the knowledge base has it. Held back: the knowledge base has others on that topic, but not this pair. Out: none.
KINDS: tuple[Kind, ...] = ("in", "held back", "out")
MAX_FOCI = 4  # that may share a concept or a synonym which ties them together
CALIBRATION_PARTS = 3  # one of so many parts of the topics is there to find constants with, the others to measure


@dataclass(frozen=True, slots=True)
class TopicQuestion:
    """A question on a topic that is in the knowledge base, or is not."""

    question_id: str
    text: str
    kind: Kind
    is_for_calibration: bool


@dataclass(frozen=True, slots=True)
class Split:
    """The pairs of the knowledge base, and one question on each topic."""

    records: list[Record]
    questions: list[TopicQuestion]

    def sample(self, kind: Kind, limit: int, *, is_for_calibration: bool = False) -> list[TopicQuestion]:
        """At most `limit` questions, in an order that has nothing to do with the data's."""
        chosen = (q for q in self.questions if q.kind == kind and q.is_for_calibration is is_for_calibration)
        return sorted(chosen, key=lambda question: _hash("sample", question.question_id))[:limit]


def split_by_topic(records: Sequence[Record]) -> Split:
    """Records without a focus are in neither half."""
    kept: list[Record] = []
    questions: list[TopicQuestion] = []
    for topic in _topics([record for record in records if _key(record["focus"])]):
        name = min(record["id"] for record in topic)
        one = min(topic, key=lambda record: _hash("question", record["id"]))
        inside = _hash("half", name) % 2 == 0
        others = [
            record for record in topic if record["qtype"] != one["qtype"]
        ]  # the others of its type may say the same
        kind: Kind = "out"
        if inside:
            kind = "held back" if _has_focus_of(one, others) and _hash("held back", name) % 2 == 0 else "in"
            kept += others if kind == "held back" else topic
        is_for_calibration = _hash("calibration", name) % CALIBRATION_PARTS == 0
        questions.append(TopicQuestion(one["id"], one["question"], kind, is_for_calibration))
    order = {record["id"]: place for place, record in enumerate(records)}
    return Split(sorted(kept, key=lambda record: order[record["id"]]), questions)


def read_records(file: Path) -> list[Record]:
    """One JSON object a line, gzipped."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def write_records(records: Iterable[Record], file: Path) -> None:
    """The same bytes for the same records."""
    lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    file.write_bytes(gzip.compress(lines.encode(), mtime=0))


def _topics(records: Sequence[Record]) -> list[list[Record]]:
    """The records in groups that share nothing of what a topic is known by."""
    leader: dict[str, str] = {}

    def find(mark: str) -> str:
        while leader.setdefault(mark, mark) != mark:
            leader[mark] = leader[leader[mark]]
            mark = leader[mark]
        return mark

    foci: dict[str, set[str]] = defaultdict(set)
    for record in records:
        for mark in _marks(record):
            foci[mark].add(_key(record["focus"]))
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        for mark in _marks(record):
            if len(foci[mark]) <= MAX_FOCI:
                leader[find(mark)] = find(_key(record["focus"]))
    for record in records:
        groups[find(_key(record["focus"]))].append(record)
    return list(groups.values())


def _marks(record: Record) -> Iterator[str]:
    """What else a topic is known by than its focus, and the focus itself."""
    yield _key(record["focus"])
    yield from (f"CUI {cui}" for cui in record["cuis"])
    yield from filter(None, map(_key, record["synonyms"]))


@cache
def _key(name: str) -> str:
    """The same for names of the same words, in whatever form and order."""
    return " ".join(sorted(set(terms(name))))


def _has_focus_of(one: Record, others: Sequence[Record]) -> bool:
    return any(_key(other["focus"]) == _key(one["focus"]) for other in others)


def _hash(purpose: str, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{purpose} {name}".encode()).digest()[:8], "big")
