"""The measures are those of the literature, on runs that are small enough to work out by hand."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.evaluation.judgements import read_judgements, read_questions
from infra.evaluation.measures import difference, estimate, per_question
from infra.evaluation.run import Found, ask_all, read_run, write_run
from shared.errors import InvalidInputError

JUDGEMENTS = {"one": {"a": 1, "b": 2}, "two": {"c": 1}, "unasked": {"d": 1}}


def test_the_measures_of_a_run_worked_out_by_hand() -> None:
    found = [Found("one", ("x", "b", "a"), 5.0), Found("two", (), 5.0), Found("unjudged", ("a",), 5.0)]
    values = per_question(found, JUDGEMENTS, all_gold_at=3)
    gained = 2 / math.log2(3) + 1 / math.log2(4)
    best = 2 / math.log2(2) + 1 / math.log2(3)
    assert values["nDCG@10"] == pytest.approx({"one": gained / best, "two": 0.0}, abs=1e-4)
    assert values["MRR@10"] == {"one": 0.5, "two": 0.0}
    assert values["MAP@10"] == pytest.approx({"one": (1 / 2 + 2 / 3) / 2, "two": 0.0}, abs=1e-4)
    assert values["recall@10"] == {"one": 1.0, "two": 0.0}
    assert values["all gold in the top 3"] == {"one": 1.0, "two": 0.0}
    assert per_question(found, JUDGEMENTS, all_gold_at=2)["all gold in the top 2"]["one"] == 0.0


def test_a_run_without_any_judged_question_says_so() -> None:
    with pytest.raises(InvalidInputError, match="same ids"):
        per_question([Found("other", ("a",), 1.0)], JUDGEMENTS, all_gold_at=10)


def test_an_estimate_holds_its_mean_and_narrows_with_more_questions() -> None:
    few = estimate({str(n): float(n % 2) for n in range(10)})
    many = estimate({str(n): float(n % 2) for n in range(1000)})
    assert few.mean == many.mean == 0.5
    assert few.low < many.low < 0.5 < many.high < few.high
    assert estimate({"only": 0.7}) == estimate({"one": 0.7, "two": 0.7})


def test_a_difference_is_told_from_chance() -> None:
    first = {str(n): 0.2 + 0.01 * (n % 7) for n in range(40)}
    better = {q: value + 0.1 for q, value in first.items()}
    shaken = {q: value + (0.05 if int(q) % 2 else -0.05) for q, value in first.items()}
    assert difference(first, better).mean == pytest.approx(0.1)
    assert difference(first, better).p_value < 0.01
    assert difference(first, shaken).p_value > 0.5
    assert difference(first, dict(first)).p_value == 1.0


@pytest.mark.parametrize(("other", "common"), [({"one": 0.5, "other": 0.1}, 1), ({"other": 0.5}, 0)])
def test_runs_with_hardly_a_question_in_common_are_not_compared(other: dict[str, float], common: int) -> None:
    with pytest.raises(InvalidInputError, match=f"{common} judged questions in common"):
        difference({"one": 0.2, "two": 0.4}, other)


def test_each_question_is_asked_and_an_answer_counts_once() -> None:
    asked: list[tuple[str, int]] = []

    def search(question: str, top_k: int) -> Mapping[str, Any]:
        asked.append((question, top_k))
        place = {"object_path": "bot/file.csv", "name": "file.csv"}
        hits = [{"external_id": each, "question": "Title", "source": place} for each in ("a", "b", "a", None)]
        return {"hits": hits}

    questions = read_questions_of('{"id": 1, "text": "why?"}')
    (by_id,) = ask_all(questions, search, by="external_id", top_k=7)
    (by_path,) = ask_all(questions, search, by="document", top_k=7)
    (by_title,) = ask_all(questions, search, by="title", top_k=7)
    (by_name,) = ask_all(questions, search, by="name", top_k=7)
    assert asked == [("why?", 7)] * 4
    assert by_name.answer_ids == ("file.csv",)
    assert (by_id.question_id, by_id.answer_ids) == ("1", ("a", "b"))
    assert (by_path.answer_ids, by_title.answer_ids) == (("bot/file.csv",), ("Title",))


def test_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    found = [Found("soru", ("ığüş", "답"), 1.25), Found("two", (), 2.0)]
    write_run(found, tmp_path / "run.jsonl")
    assert read_run(tmp_path / "run.jsonl") == found
    (tmp_path / "other.jsonl").write_text('{"id": 1}\n')
    with pytest.raises(InvalidInputError, match="not a run"):
        read_run(tmp_path / "other.jsonl")


def test_judgements_of_both_usual_forms_and_only_those_good_enough(tmp_path: Path) -> None:
    tabs, trec = tmp_path / "qrels.tsv", tmp_path / "qrels.txt"
    tabs.write_text("query_id\tdoc_id\tgrade\nq1\tsome doc\t3\nq1\tother\t1\n\n")
    trec.write_text("q1 0 d1 1\nq2 0 d2 0\n")
    assert read_judgements(tabs) == {"q1": {"some doc": 3, "other": 1}}
    assert read_judgements(tabs, min_grade=2) == {"q1": {"some doc": 3}}
    assert read_judgements(trec) == {"q1": {"d1": 1}}


def test_a_gain_is_counted_from_the_grade_that_gains_nothing(tmp_path: Path) -> None:
    qrels = tmp_path / "qrels.tsv"
    qrels.write_text("q1\tbad\t1\nq1\tfair\t2\nq1\texcellent\t4\n")
    judgements = read_judgements(qrels, min_grade=2, zero_grade=1)
    assert judgements == {"q1": {"fair": 1, "excellent": 3}}
    values = per_question([Found("q1", ("bad", "fair", "excellent"), 1.0)], judgements, all_gold_at=2)
    gained = 1 / math.log2(3) + 3 / math.log2(4)
    assert values["nDCG@10"]["q1"] == pytest.approx(gained / (3 + 1 / math.log2(3)), abs=1e-4)
    with pytest.raises(InvalidInputError, match="gains nothing"):
        read_judgements(qrels, min_grade=1, zero_grade=1)


@pytest.mark.parametrize("content", ["q1\td1\n" * 2, "h\th\th\nq1\td1\tgood\n", "", "h\th\th\nq1\td1\t0\n"])
def test_judgements_that_make_no_sense_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "qrels.tsv").write_text(content)
    with pytest.raises(InvalidInputError):
        read_judgements(tmp_path / "qrels.tsv")


def test_questions_under_another_field_and_gzipped(tmp_path: Path) -> None:
    file = tmp_path / "queries.jsonl.gz"
    file.write_bytes(gzip.compress(json.dumps({"id": "TQ1", "message": "why?", "text": "x"}).encode()))
    assert [question.text for question in read_questions(file, "message")] == ["why?"]


@pytest.mark.parametrize(
    "content",
    ["", "nonsense", '{"text": "no id"}', '{"id": 1}', "[1]", '{"id": 1, "text": "a"}\n{"id": 1, "text": "b"}'],
)
def test_questions_that_make_no_sense_are_refused(content: str) -> None:
    with pytest.raises(InvalidInputError):
        read_questions_of(content)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"nowhere\.jsonl"):
        read_questions(tmp_path / "nowhere.jsonl")


def read_questions_of(content: str) -> list[Any]:
    import tempfile

    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.write(content)
        file.flush()
        return read_questions(Path(file.name))
