"""`lockstep search` and `lockstep evaluate` say what each signal is worth, over twins."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from infra.cli import evaluate, questions
from shared.errors import InvalidInputError, LockstepError
from tests.api import client_of
from tests.worlds import memory_world

FAQ = "id,question,answer\nprice,What does it cost?,Nine euros.\nhours,When is it open?,From ten to six.\n"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """The bodies of all searches, against a bot that has two pairs."""
    bodies: list[dict[str, Any]] = []
    with client_of(memory_world()) as client:
        client.put("/bots/library/documents", params={"name": "faq.csv", "wait": True}, content=FAQ)
        api = _api_of(client, bodies)
        monkeypatch.setattr(questions, "Api", api)
        monkeypatch.setattr(evaluate, "Api", api)
        yield bodies


def _api_of(client: TestClient, bodies: list[dict[str, Any]]) -> type:
    class Api:
        def __init__(self, *_: object) -> None: ...

        def call(self, method: str, path: str, **arguments: Any) -> Any:
            bodies.append(arguments["json"])
            response = client.request(method, path, **arguments)
            if response.status_code >= 400:
                raise LockstepError(json.dumps(response.json()))
            return response.json()

    return Api


def _app() -> typer.Typer:
    app = typer.Typer()
    questions.add_to(app)
    evaluate.add_to(app)
    return app


def run(*arguments: str) -> str:
    result = CliRunner().invoke(_app(), list(arguments))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_search_explains_its_scores(asked: list[dict[str, Any]]) -> None:
    said = run("search", "library", "What does it cost?", "--explain", "--without", "graph", "--without", "response")
    assert asked[0]["without"] == ["graph", "response"]
    first = said.split("\n\n")[0].splitlines()
    assert first[0].startswith("1. What does it cost?")
    score = float(first[0].rsplit("(", 1)[1].rstrip(")"))
    parts = [line.split() for line in first[3:]]
    assert {part[1] for part in parts} == {"question:", "combined:", "lexical:", "intent:"}
    assert sum(float(part[0]) for part in parts) == pytest.approx(score, abs=2e-4)
    assert "rank" not in run("search", "library", "What does it cost?")


def test_a_signal_that_there_is_not_is_an_error_that_names_those_there_are(asked: list[dict[str, Any]]) -> None:
    with pytest.raises(LockstepError, match="lexical"):
        run("search", "library", "What does it cost?", "--without", "words")


def test_filters_say_what_must_be_what_must_not_and_what_is_preferred(asked: list[dict[str, Any]]) -> None:
    options = "--filter category=a --filter category=b --filter metadata.shelf=3 --filter metadata.open=true"
    options += " --exclude metadata.note=a=b --exclude published_to=2020-01-01 --prefer metadata.shelf=x"
    for command in ("search", "ask"):
        assert CliRunner().invoke(_app(), [command, "library", "What does it cost?", *options.split()]).exit_code in (
            0,
            1,
        )
    assert [body["filters"] for body in asked] == 2 * [
        {
            "must": {"category": ["a", "b"], "metadata": {"shelf": ["3", 3], "open": ["true", True]}},
            "must_not": {"metadata": {"note": ["a=b"]}, "published_to": "2020-01-01"},
            "should": {"metadata": {"shelf": ["x"]}},
        }
    ]
    result = CliRunner().invoke(_app(), ["search", "library", "?", "--exclude", "category"])
    assert result.exit_code == 2 and "--exclude category: write it as FIELD=VALUE" in result.output


def test_an_evaluation_leaves_a_signal_out(asked: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text('{"id": "q", "text": "What does it cost?"}\n')
    (tmp_path / "r.tsv").write_text("q\tprice\t4\nq\thours\t1\n")
    files = ("--queries", str(tmp_path / "q.jsonl"), "--qrels", str(tmp_path / "r.tsv"))
    graded = ("--min-grade", "2", "--zero-grade", "1")
    report = json.loads(run("evaluate", *files, "--bot", "library", "--without", "lexical", *graded, "--json"))
    assert [body["without"] for body in asked] == [["lexical"]]
    assert report["measures"]["nDCG@10"]["mean"] == 1.0


@pytest.mark.usefixtures("asked")
def test_a_comparison_says_how_many_questions_the_runs_have_in_common(tmp_path: Path) -> None:
    questions_of_all = ['{"id": "a", "text": "What does it cost?"}', '{"id": "b", "text": "When is it open?"}']
    (tmp_path / "one.jsonl").write_text(questions_of_all[0])
    (tmp_path / "two.jsonl").write_text("\n".join(questions_of_all))
    (tmp_path / "r.tsv").write_text("a\tprice\t1\nb\thours\t1\n")

    def evaluated(queries: str, *options: str) -> str:
        files = ("--queries", str(tmp_path / queries), "--qrels", str(tmp_path / "r.tsv"))
        return run("evaluate", *files, "--bot", "library", *options)

    for name in ("one", "two"):
        evaluated(f"{name}.jsonl", "--out", str(tmp_path / f"{name}.run"))
    assert "2 judged questions that both runs asked" in evaluated("two.jsonl", "--compare", str(tmp_path / "two.run"))
    with pytest.raises(InvalidInputError, match="1 judged questions in common"):
        evaluated("two.jsonl", "--compare", str(tmp_path / "one.run"))
