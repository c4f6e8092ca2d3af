"""Asks what a knowledge base knows and what it does not, through the API, and counts how often it abstains."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.data import MEDQUAD
from bench.laptop import RunningLaptop
from infra.evaluation.judgements import read_questions
from infra.evaluation.measures import Estimate, estimate
from relevance.everyday import OF_HEALTH, OF_OTHER_THINGS
from relevance.loading import load
from relevance.sets import SETS, spread
from relevance.topics import Kind, Split, read_records, split_by_topic, write_records

HALF = "medquad-half"
QUESTIONS = 300  # of each kind, at most
SAY_EVERY = 100  # questions
ABSTAINS, ANSWERS = 0.8, 0.9  # the shares that are promised

Ask = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]  # bot, body → the answer of /ask
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """Questions to a bot, all of which it should answer, or none."""

    name: str
    corpus: str
    should_abstain: bool
    questions: Sequence[str]
    is_promised: bool = True

    @property
    def promised(self) -> float | None:
        """The share of them that is to be treated so."""
        return (ABSTAINS if self.should_abstain else ANSWERS) if self.is_promised else None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How they were treated: the share of them that was answered, or abstained from, as it should be."""

    asked: Asked
    right: Estimate

    @property
    def holds(self) -> bool | None:
        """Whether the promise is held; None if there is none."""
        return None if self.asked.promised is None else self.right.mean >= self.asked.promised


def load_half(laptop: RunningLaptop, data: Path, say: Say) -> Split:
    """Split MedQuAD, load the half of it that is known, and wait until it answers."""
    split = split_by_topic(read_records(data / MEDQUAD))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"{HALF}.jsonl.gz")
        write_records(split.records, file)
        load(laptop, HALF, file, say)
    return split


def of_topics(split: Split, limit: int = QUESTIONS, *, is_for_calibration: bool = False) -> Iterator[Asked]:
    """What constants are found with (`is_for_calibration`) is on other topics than what is measured."""

    def texts(kind: Kind) -> list[str]:
        return [question.text for question in split.sample(kind, limit, is_for_calibration=is_for_calibration)]

    yield Asked("MedQuAD, topic not there", HALF, True, texts("out"))
    yield Asked("MedQuAD, topic there", HALF, False, texts("in"))
    yield Asked("MedQuAD, topic there, pair not", HALF, False, texts("held back"))


def of_other_kinds(data: Path, loaded: Collection[str], limit: int = QUESTIONS) -> Iterator[Asked]:
    """Questions of other sets to their own corpora and to foreign ones, of those that are loaded."""
    for name, corpus, should_abstain in (
        ("xquad-tr", "xquad-tr", False),
        ("2wiki-6119", "2wiki-6119", False),
        ("bioasq", "bioasq", False),
        ("liveqa", "medquad", False),
        ("bioasq", "2wiki-6119", True),
        ("xquad-tr", "2wiki-6119", True),
        ("xquad-tr", "bioasq", True),
        ("2wiki-6119", "bioasq", True),
        ("bioasq", "xquad-tr", True),
    ):
        chosen = SETS[name]
        if corpus in loaded and (data / chosen.files[1]).is_file():
            questions = spread(read_questions(data / chosen.files[1], chosen.field), limit)
            yield Asked(name, corpus, should_abstain, [question.text for question in questions], name != "liveqa")


def of_everyday(loaded: Collection[str]) -> Iterator[Asked]:
    """Questions in everyday words, to a knowledge base that has their topics, and to those that have not.

    Constants were found with them too, so they promise nothing.
    """
    for corpus, should_abstain, questions in (
        ("medquad", False, OF_HEALTH),
        ("medquad", True, OF_OTHER_THINGS),
        ("bioasq", True, OF_OTHER_THINGS),
        ("2wiki-6119", True, OF_OTHER_THINGS),
    ):
        if corpus in loaded:
            name = f"everyday, topic {'not there' if should_abstain else 'there'}"
            yield Asked(name, corpus, should_abstain, questions, is_promised=False)


def measure_abstention(asked: Asked, ask: Ask, say: Say = print) -> Outcome:
    """Ask them all."""
    right: dict[str, float] = {}
    for number, question in enumerate(asked.questions, start=1):
        answer = ask(asked.corpus, {"question": question})
        right[str(number)] = float(answer["abstained"] is asked.should_abstain)
        if number % SAY_EVERY == 0 or number == len(asked.questions):
            say(f"{asked.name} of {asked.corpus}: asked {number} of {len(asked.questions)}")
    return Outcome(asked, estimate(right))
