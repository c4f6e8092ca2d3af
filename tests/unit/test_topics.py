"""The split by topic that abstention is measured on: nothing of what is out may be in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from relevance.topics import KINDS, MAX_FOCI, Record, Split, read_records, split_by_topic, write_records

QTYPES = ["information", "symptoms", "treatment"]


def record(name: str, focus: str, qtype: str = "information", **fields: Any) -> Record:
    question = f"What is the {qtype} of {focus}?"
    return {
        "id": name,
        "question": question,
        "answer": "…",
        "focus": focus,
        "qtype": qtype,
        "cuis": [],
        "synonyms": [],
    } | fields


def of_topic(number: int) -> list[Record]:
    """Pairs on one topic, by five names that are tied together in every way there is, each one to the next."""
    name = f"{number:03}"
    tied: list[dict[str, Any]] = [
        {"focus": f"Morbus {name}", "cuis": [f"C{name}"]},
        {"focus": f"Condition {name}", "cuis": [f"C{name}"], "synonyms": [f"the {name}th illness"]},
        {"focus": f"Illness, the {name}th", "synonyms": [f"Affliction {name}"]},
        {"focus": f"Afflictions {name}", "synonyms": [f"Ailment {name}"]},
        {"focus": f"Complaint {name}", "synonyms": [f"AILMENTS {name}"]},
    ]
    return [
        record(f"{name}-{place}-{qtype}", qtype=qtype, **fields)
        for place, fields in enumerate(tied)
        for qtype in QTYPES
    ]


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return [record for number in range(90) for record in of_topic(number)]


def topic_of(name: str) -> str:
    return name.partition("-")[0]


def ids(split: Split, kind: str) -> list[str]:
    return [question.question_id for question in split.questions if question.kind == kind]


def test_a_topic_is_in_or_out_with_all_its_names(records: list[Record]) -> None:
    split = split_by_topic(records)
    known = {topic_of(one["id"]) for one in split.records}
    assert 30 <= len(known) <= 60
    assert len(split.questions) == 90
    assert not known & {topic_of(name) for name in ids(split, "out")}
    assert known == {topic_of(name) for kind in ("in", "held back") for name in ids(split, kind)}
    assert all(ids(split, kind) for kind in KINDS)


def test_of_what_is_held_back_nothing_says_the_same_but_others_are_there(records: list[Record]) -> None:
    split = split_by_topic(records)
    known = {one["id"] for one in split.records}
    for name in ids(split, "in"):
        assert len({i for i in known if topic_of(i) == topic_of(name)}) == 15
    for name in ids(split, "held back"):
        left = {i for i in known if topic_of(i) == topic_of(name)}
        assert len(left) == 10
        assert not any(i.endswith(name.rpartition("-")[2]) for i in left)
        assert any(i.startswith(name.rpartition("-")[0]) for i in left)


def test_a_kind_of_thing_ties_nothing_together() -> None:
    syndromes = [record(f"{n}-0-x", f"Syndrome of {n} towers", cuis=["C0039082"]) for n in range(60)]
    split = split_by_topic(syndromes)
    assert len(split.questions) == 60
    assert 15 <= len(split.records) <= 45
    assert len(split_by_topic(syndromes[:MAX_FOCI]).questions) == 1


def test_what_has_no_focus_is_in_neither_half(records: list[Record]) -> None:
    split = split_by_topic([*records, record("none-0-x", ""), record("marks-0-x", "(?)")])
    assert {topic_of(one["id"]) for one in split.records} | {topic_of(q.question_id) for q in split.questions} == {
        f"{number:03}" for number in range(90)
    }


def test_the_split_is_the_same_in_whatever_order_the_data_come(records: list[Record]) -> None:
    once, again = split_by_topic(records), split_by_topic(records[::-1])
    assert {one["id"] for one in once.records} == {one["id"] for one in again.records}
    assert set(once.questions) == set(again.questions)
    assert once.sample("out", 10) == again.sample("out", 10)


def test_constants_are_found_on_other_topics_than_those_that_are_measured(records: list[Record]) -> None:
    split = split_by_topic(records)
    for kind in KINDS:
        found = split.sample(kind, 1_000, is_for_calibration=True)
        measured = split.sample(kind, 1_000)
        assert found and measured
        assert not set(found) & set(measured)
        assert len(found) + len(measured) == len(ids(split, kind))
        assert split.sample(kind, 2) == measured[:2]


def test_a_file_has_the_same_bytes_each_time(records: list[Record], tmp_path: Path) -> None:
    write_records(records, tmp_path / "a.jsonl.gz")
    write_records(records, tmp_path / "b.jsonl.gz")
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()
    assert read_records(tmp_path / "a.jsonl.gz") == records
