"""`make relevance` on a set that is small enough to know what is right."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from functions.query.reranking import CAN_BE_LEFT_OUT
from infra.evaluation.measures import Estimate
from infra.evaluation.run import read_run
from relevance import __main__ as command
from relevance import report
from relevance.abstention import HALF, Asked, Outcome, measure_abstention, of_everyday, of_other_kinds, of_topics
from relevance.loading import SAY_EVERY_SECONDS, Stage, follow, place
from relevance.measuring import TOP_K, Result, measure
from relevance.sets import ALL_GOLD_AT, CORPORA, SETS, EvaluationSet
from relevance.topics import Record, split_by_topic
from tests.api import client_of
from tests.worlds import memory_world

PEOPLE = [
    {"id": "W1", "title": "Ada Lovelace", "text": "The daughter of Lord Byron."},
    {"id": "W2", "title": "Lord Byron", "text": "A poet who died in Missolonghi."},
    {"id": "W3", "title": "Missolonghi", "text": "A town by a lagoon."},
    *({"id": f"X{n}", "title": f"House {n}", "text": f"Where the father of neighbour {n} did die."} for n in range(40)),
]
QUESTIONS = [
    {"id": "far", "text": "Where did the father of Ada Lovelace die?"},
    {"id": "near", "text": "What is House 7?"},
    {"id": "unjudged", "text": "What is House 8?"},
]
QRELS = "query_id\tdoc_id\tgrade\nfar\tW1\t1\nfar\tW2\t1\nfar\tW3\t1\nnear\tX7\t1\n"
CHOSEN = EvaluationSet("people", "2wiki-780", "people", measure=f"all gold in the top {ALL_GOLD_AT}", promised=0.95)


def jsonl(records: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for folder in ("corpora", "people"):
        (tmp_path / folder).mkdir()
    (tmp_path / CORPORA[CHOSEN.corpus]).write_bytes(gzip.compress(jsonl(PEOPLE)))
    (tmp_path / "people" / "queries.jsonl").write_bytes(jsonl(QUESTIONS))
    (tmp_path / "people" / "qrels.tsv").write_text(QRELS)
    return tmp_path


@pytest.fixture
def api(data: Path) -> Iterator[TestClient]:
    """An instance that has the corpus, as the file that it is."""
    file = data / CORPORA[CHOSEN.corpus]
    with client_of(memory_world()) as client:
        client.post("/bots", json={"slug": CHOSEN.corpus})
        put = {"params": {"name": file.name, "wait": True}, "content": file.read_bytes()}
        assert client.put(f"/bots/{CHOSEN.corpus}/documents", **put).json()["document"]["pairs"] == len(PEOPLE)  # type: ignore[arg-type]
        yield client


def test_a_set_is_measured_with_all_signals_and_without_each(api: TestClient, data: Path, tmp_path: Path) -> None:
    bodies: list[Mapping[str, Any]] = []

    def search(bot: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        bodies.append(body)
        answer = api.post(f"/bots/{bot}/search", json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    said: list[str] = []
    out = tmp_path / "runs"
    result = measure(CHOSEN, data, search, out=out, say=said.append)
    assert (result.questions, result.value.mean, result.holds) == (2, 1.0, True)
    assert result.recall.mean == 1.0
    assert 0 < result.p50 <= result.p95
    # Nothing but the graph leads from the daughter to the town.
    assert (result.without["graph"].mean, set(result.without)) == (-0.5, set(CAN_BE_LEFT_OUT))
    assert {tuple(body["without"]) for body in bodies if body.get("top_k") == TOP_K} == {
        (),
        *((s,) for s in CAN_BE_LEFT_OUT),
    }
    assert [body for body in bodies if "top_k" not in body] == [{"question": q["text"]} for q in QUESTIONS[:2]]
    assert {file.name for file in out.iterdir()} == {
        "people.jsonl",
        *(f"people.without-{s}.jsonl" for s in CAN_BE_LEFT_OUT),
    }
    far, near = read_run(out / "people.jsonl")
    assert {"W1", "W2", "W3"} <= set(far.answer_ids[:8])
    assert (near.question_id, near.answer_ids[0]) == ("near", "X7")
    assert said[0] == "people: asked 2 of 2"

    bodies.clear()
    quick = measure(CHOSEN, data, search, limit=1, is_ablated=False, say=said.append)
    assert (quick.questions, quick.without, len(bodies)) == (1, {}, 2)


def test_a_limit_takes_questions_from_everywhere(data: Path) -> None:
    records = [{"id": str(n), "text": "?"} for n in range(100)]
    (data / "people" / "queries.jsonl").write_bytes(jsonl(records))
    (data / "people" / "qrels.tsv").write_text("".join(f"{n}\tW1\t1\n" for n in range(100)))
    assert [q.question_id for q in CHOSEN.questions(data, 4)] == ["0", "25", "50", "75"]
    assert len(CHOSEN.questions(data)) == len(CHOSEN.questions(data, 1000)) == 100


# The tables


def a_result(value: float, promised: float | None) -> Result:
    chosen = EvaluationSet("some", "bioasq", "bioasq", baseline=0.825, promised=promised)
    return Result(chosen, 10, Estimate(value, value - 0.1, value + 0.1), Estimate(1.0, 1.0, 1.0), 12.4, 99.6)


@pytest.mark.parametrize(
    ("value", "promised", "verdict"), [(0.845, 0.845, "held"), (0.8449, 0.845, "MISSED"), (0.1, None, "")]
)
def test_a_row_tells_what_was_promised_and_whether_it_holds(value: float, promised: float | None, verdict: str) -> None:
    headers, _, row = report.values([a_result(value, promised)])
    cells = dict(zip(report.HEADERS, (cell.strip() for cell in row.strip("|").split("|")), strict=True))
    assert [cell.strip() for cell in headers.strip("|").split("|")] == list(report.HEADERS)
    assert (cells["set"], cells["measured"], cells["baseline"]) == ("some", "nDCG@10", "0.825")
    assert (cells["value"], cells["p50 ms"], cells["p95 ms"]) == (f"{value:.4f}", "12", "100")
    assert row.rstrip(" |").endswith(verdict or "100")
    assert "held" not in (quick := report.values([a_result(value, promised)], is_whole=False)[2])
    assert "MISSED" not in quick


def test_there_is_no_table_of_what_was_not_left_out() -> None:
    assert report.ablations([a_result(0.5, None)]) == []


# Abstention

TOWERS = ["Amber", "Birch", "Cedar", "Daisy", "Elder", "Fern", "Ginger", "Hazel", "Ivory", "Jasper", "Kelp", "Laurel"]
TOWERS += [
    "Maple",
    "Nettle",
    "Olive",
    "Pine",
    "Quince",
    "Rowan",
    "Sorrel",
    "Tulip",
    "Umbel",
    "Violet",
    "Willow",
    "Yarrow",
]


def towers() -> list[Record]:
    """Two pairs on each tower, the same of each but for its name."""
    return [
        {"id": f"{name}-{what}", "question": f"What is the {what} of the {name} tower?", "answer": "Height and age are known.",
         "focus": f"{name} tower", "qtype": what, "cuis": [], "synonyms": []}
        for name in TOWERS
        for what in ("height", "age")
    ]  # fmt: skip


def test_it_is_counted_how_often_a_bot_abstains_from_what_it_knows_and_what_it_does_not() -> None:
    split = split_by_topic(towers())
    asked = [*of_topics(split), *of_topics(split, is_for_calibration=True)]
    assert sum(len(one.questions) for one in asked) == len(TOWERS)
    said: list[str] = []
    with client_of(memory_world()) as api:
        api.post("/bots", json={"slug": HALF})
        put = {"params": {"name": "towers.jsonl", "wait": True}, "content": jsonl([dict(r) for r in split.records])}
        assert api.put(f"/bots/{HALF}/documents", **put).status_code in (200, 201)  # type: ignore[arg-type]

        def ask(bot: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
            answer = api.post(f"/bots/{bot}/ask", json=body)
            assert answer.status_code == 200, answer.text
            found: dict[str, Any] = answer.json()
            return found

        outcomes = [measure_abstention(one, ask, said.append) for one in asked if one.questions]
        wrong = [measure_abstention(replace(one, should_abstain=not one.should_abstain), ask) for one in asked[:1]]
    assert all(outcome.right.mean == 1.0 and outcome.holds for outcome in outcomes)
    assert (wrong[0].right.mean, wrong[0].holds) == (0.0, False)
    assert said[0] == f"{asked[0].name} of {HALF}: asked {len(asked[0].questions)} of {len(asked[0].questions)}"


def test_other_kinds_are_asked_of_what_is_loaded(shared_data: Path) -> None:
    assert list(of_other_kinds(shared_data, [])) == []
    own, foreign = of_other_kinds(shared_data, ["xquad-tr"], 30)
    assert (own.name, own.corpus, own.should_abstain, len(own.questions)) == ("xquad-tr", "xquad-tr", False, 30)
    assert (foreign.name, foreign.corpus, foreign.should_abstain) == ("bioasq", "xquad-tr", True)
    liveqa = next(asked for asked in of_other_kinds(shared_data, ["medquad"]) if asked.name == "liveqa")
    assert liveqa.promised is None


def test_everyday_questions_are_asked_of_what_is_loaded_and_promise_nothing() -> None:
    assert list(of_everyday([])) == []
    there, elsewhere = of_everyday(["medquad"])
    assert (there.should_abstain, elsewhere.should_abstain) == (False, True)
    assert there.promised is elsewhere.promised is None
    assert not set(there.questions) & set(elsewhere.questions)
    (foreign,) = of_everyday(["bioasq"])
    assert (foreign.corpus, foreign.should_abstain) == ("bioasq", True)


@pytest.mark.parametrize(
    ("share", "should_abstain", "verdict"),
    [(0.8, True, "held"), (0.79, True, "MISSED"), (0.9, False, "held"), (0.89, False, "MISSED")],
)
def test_a_row_tells_whether_it_abstains_and_answers_as_promised(
    share: float, should_abstain: bool, verdict: str
) -> None:
    outcome = Outcome(Asked("some", HALF, should_abstain, ["?"]), Estimate(share, share, share))
    _, _, row = report.abstentions([outcome])
    assert row.rstrip(" |").endswith(verdict)
    assert ("abstain" if should_abstain else "answer") in row
    assert verdict not in report.abstentions([outcome], is_whole=False)[2]
    unpromised = Outcome(replace(outcome.asked, is_promised=False), outcome.right)
    assert unpromised.holds is None
    assert report.abstentions([]) == []


# Loading


def test_a_corpus_is_copied_whole_and_once(data: Path, tmp_path: Path) -> None:
    file, folder = data / CORPORA[CHOSEN.corpus], tmp_path / "bucket"
    folder.mkdir()
    place(file, folder)
    placed = folder / file.name
    before = placed.stat()
    place(file, folder)
    assert placed.read_bytes() == file.read_bytes()
    assert placed.stat().st_mtime_ns == before.st_mtime_ns
    assert [path.name for path in folder.iterdir()] == [file.name]
    placed.write_bytes(b"another one")
    with pytest.raises(RuntimeError, match="--state"):
        place(file, folder)
    assert placed.read_bytes() == b"another one"


def test_progress_is_told_now_and_then_with_an_estimate_of_the_rest() -> None:
    now, said = [0.0], list[str]()

    def wait(_: float) -> None:
        now[0] += SAY_EVERY_SECONDS / 2

    looks = [Stage("passages", done, 1_600) for done in (0, 50, 100, 150, 200)]
    follow(
        "medquad",
        iter([*looks, Stage("pairs linked", 0, 9), Stage("pairs linked", 0, 9)]),
        said.append,
        lambda: now[0],
        wait,
    )
    assert said == [
        "medquad: 100 of 1,600 passages, about 4 minutes left",
        "medquad: 200 of 1,600 passages, about 4 minutes left",
        "medquad: 0 of 9 pairs linked",
    ]


# The command


def test_what_is_not_here_is_skipped_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOCKSTEP_TEST_DATA", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["relevance"])
    assert command.main() == 2
    said = capsys.readouterr().out
    assert all(f"{name} is skipped: not in {tmp_path}: {CORPORA[SETS[name].corpus]}, " in said for name in SETS)
    assert "abstention is skipped: " in said
    monkeypatch.setenv("LOCKSTEP_TEST_DATA", str(tmp_path / "nowhere"))
    assert command.main() == 2
    assert "LOCKSTEP_TEST_DATA" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [["--sets", "bioasq,unknown"], ["--sets", ""], ["--limit", "0"], ["--limit", "x"]]
)
def test_a_wrong_option_says_what_there_is(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["relevance", *arguments])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 2
    assert ("medquad-syn" if "--sets" in arguments else "from 1 on") in capsys.readouterr().err


def test_the_sets_of_the_data_folder_can_be_read(shared_data: Path) -> None:
    for chosen in SETS.values():
        judgements = chosen.judgements(shared_data)
        questions = chosen.questions(shared_data)
        assert {question.question_id for question in questions} == judgements.keys()
        assert all(grade > 0 for graded in judgements.values() for grade in graded.values())
