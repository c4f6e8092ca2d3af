"""Every sentence of an extractive answer carries a citation, and stands in what it cites to the letter: over real texts."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from functions.query.extractive import PASSAGES, ExtractiveWriter
from infra.evaluation.judgements import read_questions
from shared.domain import Evidence, Filter
from shared.testing import HashingEmbedder
from tests.evidence import evidence
from tests.worlds import World, memory_world

_CITED = re.compile(r"(?P<sentence>.+?) \[(?P<number>\d+)\](?: |$)", re.DOTALL)


def wrong_with(text: str, passages: Sequence[Evidence]) -> list[str]:
    """What of an answer is not a sentence with a citation that holds."""
    wrong, end = [], 0
    for found in _CITED.finditer(text):
        number = int(found["number"])
        if (
            found.start() != end
            or not 1 <= number <= len(passages)
            or found["sentence"] not in passages[number - 1].text
        ):
            wrong.append(found[0])
        end = found.end()
    return wrong if end == len(text) and text else [*wrong, f"not cited: {text[end:]!r}"]


def records(file: Path, count: int, step: int = 1) -> Iterator[dict[str, Any]]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        yield from (json.loads(line) for line in islice(lines, 0, count * step, step))


def test_what_is_wrong_is_found() -> None:
    passages = [evidence("The tide turns at noon. It is high [2] by six.")]
    assert wrong_with("The tide turns at noon. [1]", passages) == []
    assert wrong_with("The tide turns at one. [1]", passages)
    assert wrong_with("The tide turns at noon. [2]", passages)
    assert wrong_with("The tide turns at noon. [1] It is high", passages)
    assert wrong_with("It is high [2] by six. [1]", passages)
    assert wrong_with("", passages)


@pytest.mark.parametrize(
    ("corpus", "queries", "step"),
    [
        ("medquad", "liveqa", 31),
        ("xquad_tr.corpus", "xquad_tr", 1),
        ("bioasq.corpus", "bioasq", 20),
        ("2wiki.corpus_full", "2wiki", 10),
    ],
)
def test_of_any_question_over_any_passages(shared_data: Path, corpus: str, queries: str, step: int) -> None:
    writer = ExtractiveWriter(HashingEmbedder)
    passages = [
        evidence(
            (record.get("answer") or record["text"])[:1_500], question=record.get("question") or record.get("title", "")
        )
        for record in records(shared_data / "corpora" / f"{corpus}.jsonl.gz", 500, step)
    ]
    field = "message" if queries == "liveqa" else None
    questions = [question.text for question in read_questions(shared_data / queries / "queries.jsonl", field)]
    wrong = []
    for begin in range(0, len(passages) - PASSAGES, PASSAGES):
        given = passages[begin : begin + PASSAGES]
        for question in (questions[begin % len(questions)], given[0].pair.question):
            written = writer.write(question, given)
            wrong += wrong_with(written.text, given)
            assert set(written.cited) == {int(found["number"]) for found in _CITED.finditer(written.text)}
    assert len(passages) > 100
    assert wrong == []


@pytest.fixture(scope="module")
def library(shared_data: Path) -> World:
    """Every document there is: PDF, DOCX, HTML, tables, in English, German, Turkish and Korean."""
    world = memory_world()
    for entry in json.loads((shared_data / "docs" / "manifest.json").read_text("utf-8"))["files"]:
        if entry["expected"] == "extract" and entry["bytes"] < 1_000_000:
            world.put(entry["file"], (shared_data / "docs" / entry["file"]).read_bytes())
    return world


def test_of_lists_tables_and_other_scripts(library: World) -> None:
    writer = ExtractiveWriter(HashingEmbedder)
    rows = library.reading._state.bots[library.bot.bot_id].passages.values()  # type: ignore[attr-defined]
    ids = [row.staged.passage.passage_id for row in rows]
    found = list(library.reading.hydrate(library.refreshed(), ids, Filter()).values())
    assert len(found) > 200
    assert any(re.search("[가-힣]", one.text) for one in found)
    assert any("|" in one.text or "\t" in one.text for one in found)
    wrong = []
    for begin in range(0, len(found), PASSAGES):
        given = found[begin : begin + PASSAGES]
        written = writer.write(given[-1].text[:80], given)
        if not written.abstained:
            wrong += wrong_with(written.text, given)
    assert wrong == []
