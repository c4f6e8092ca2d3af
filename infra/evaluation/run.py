"""Asks every question of a set through the HTTP API, and keeps what was found."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from infra.evaluation.judgements import Question
from shared.errors import InvalidInputError

Identity = Literal["external_id", "document", "name", "title"]
Search = Callable[[str, int], Mapping[str, Any]]  # question, top_k → the answer of /search


@dataclass(frozen=True, slots=True)
class Found:
    """What one question found: answer ids, best first."""

    question_id: str
    answer_ids: tuple[str, ...]
    milliseconds: float


def ask_all(questions: Sequence[Question], search: Search, *, by: Identity, top_k: int) -> Iterator[Found]:
    """Ask them one after the other. Several hits of one answer id count as its first."""
    for question in questions:
        begin = time.perf_counter()
        answer = search(question.text, top_k)
        spent = (time.perf_counter() - begin) * 1000
        ids = dict.fromkeys(found for hit in answer["hits"] if (found := _identity(hit, by)))
        yield Found(question.question_id, tuple(ids), spent)


def _identity(hit: Mapping[str, Any], by: Identity) -> str | None:
    if by == "external_id":
        return hit["external_id"] or None
    if by == "title":
        return str(hit["question"])
    return str(hit["source"]["object_path" if by == "document" else "name"])


def write_run(found: Sequence[Found], file: Path) -> None:
    """One question a line, to be looked at and to be compared with another run."""
    file.write_text("".join(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in found), "utf-8")


def read_run(file: Path) -> list[Found]:
    """Raises InvalidInputError if the file was not written by `write_run`."""
    try:
        records = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        return [Found(str(r["question_id"]), tuple(r["answer_ids"]), float(r["milliseconds"])) for r in records]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInputError(f"{file} is not a run that `lockstep evaluate --out` wrote ({error}).") from None
