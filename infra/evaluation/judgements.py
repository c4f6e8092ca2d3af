"""Questions and the judgements of what answers them, as the field writes them: JSONL and TSV."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from shared.errors import InvalidInputError

Judgements = Mapping[str, Mapping[str, int]]  # question id → answer id → grade
_QUESTION_FIELDS = ("text", "question", "query")


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a set."""

    question_id: str
    text: str


def read_questions(file: Path, field: str | None = None) -> list[Question]:
    """One JSON object a line, with `id` and the question under `field` (or text, question or query).

    Raises InvalidInputError, which names the line.
    """
    questions: dict[str, Question] = {}
    for number, line in enumerate(_lines(file), start=1):
        try:
            record = json.loads(line)
            name = field or next(name for name in _QUESTION_FIELDS if record.get(name))
            question = Question(str(record["id"]), str(record[name]))
        except (ValueError, KeyError, TypeError, AttributeError, StopIteration):
            wanted = field or "text"
            raise InvalidInputError(f'{file}, line {number}: expected {{"id": …, "{wanted}": …}}.') from None
        if question.question_id in questions:
            raise InvalidInputError(f"{file}, line {number}: the id {question.question_id!r} comes twice.")
        questions[question.question_id] = question
    if not questions:
        raise InvalidInputError(f"{file} holds no questions.")
    return list(questions.values())


def read_judgements(file: Path, min_grade: int = 1, zero_grade: int = 0) -> dict[str, dict[str, int]]:
    """Lines of question id, answer id and grade, apart by tabs (or the four columns of TREC). A header is skipped.

    What is graded below `min_grade` counts as no answer; nDCG gains by how far a grade is above `zero_grade`. Raises
    InvalidInputError, which names the line.
    """
    if min_grade <= zero_grade:
        raise InvalidInputError(
            f"Grade {min_grade} gains nothing, so it is no answer: let the least grade be above {zero_grade}."
        )
    judgements: dict[str, dict[str, int]] = {}
    for number, line in enumerate(_lines(file), start=1):
        columns = line.split("\t") if "\t" in line else line.split()
        question_id, answer_id, grade = (columns[0], *columns[2:]) if len(columns) == 4 else (columns + [""] * 3)[:3]
        if not grade.strip().lstrip("-").isdigit():
            if number == 1:
                continue  # a header
            raise InvalidInputError(f"{file}, line {number}: expected question id, answer id and a whole grade.")
        if int(grade) >= min_grade:
            judgements.setdefault(question_id, {})[answer_id] = int(grade) - zero_grade
    if not judgements:
        raise InvalidInputError(f"{file} holds no judgement of grade {min_grade} or better.")
    return judgements


def _lines(file: Path) -> Iterator[str]:
    try:
        with gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8") as lines:
            yield from (line.rstrip("\r\n") for line in lines if line.strip())
    except (OSError, UnicodeDecodeError, EOFError) as error:
        raise InvalidInputError(f"{file} cannot be read: {error}") from None
