"""Twins of the smallest ports."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from shared.analysis import words
from shared.domain import Evidence, Notice
from shared.ports import WrittenAnswer, WrittenPair


class RecordingHints:
    """The port `Hints`: remembers what was hinted."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.syncs = 0

    def object_changed(self, key: str) -> None:
        self.keys.append(key)

    def sync_wanted(self) -> None:
        self.syncs += 1


class RecordingNotifier:
    """The port `Notifier`: remembers what it was told."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def notify(self, notice: Notice) -> None:
        self.notices.append(notice)


class OverlapReranker:
    """The port `Reranker`: the share of the question's words that a passage has. Remembers what it was given."""

    def __init__(self) -> None:
        self.read: list[tuple[str, tuple[str, ...]]] = []

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        self.read.append((question, tuple(passages)))
        asked = set(words(question))
        return [len(asked & set(words(passage))) / max(1, len(asked)) for passage in passages]


class FixedWriter:
    """The port `AnswerWriter`: says the first passage, and cites it."""

    def write(self, question: str, evidence: Sequence[Evidence], *, seconds_left: float = inf) -> WrittenAnswer:
        if not evidence:
            return WrittenAnswer("", (), abstained=True)
        return WrittenAnswer(f"{evidence[0].text} [1]", (1,))


class FixedQuestionCondenser:
    """The port `QuestionCondenser`: keeps the last sentence. Remembers what it was given."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def condense(self, question: str) -> str:
        self.read.append(question)
        return question.rpartition(". ")[2] or question


class FixedPairWriter:
    """The port `PairWriter`: asks what the text says, with the text as the answer. Remembers what it was given."""

    name = "fixed"

    def __init__(self) -> None:
        self.read: list[tuple[str, str]] = []

    def write_pairs(self, heading: str, text: str) -> list[WrittenPair]:
        self.read.append((heading, text))
        return [WrittenPair(f"What is said of {heading}?", text)]
