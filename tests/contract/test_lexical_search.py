"""Search by words ranks as BM25 does and finds nothing that it must not, over twins and real stores alike."""

from __future__ import annotations

import json
import math
import random
import re
from collections import Counter
from collections.abc import Sequence

import pytest

from shared.analysis import QUESTION_WEIGHT, question_terms, terms
from shared.domain import Candidate, Filter
from tests.worlds import World

WORDS = [
    "kidney",
    "liver",
    "lung",
    "heart",
    "blood",
    "bone",
    "skin",
    "brain",
    "nerve",
    "muscle",
    "dialysis",
    "insulin",
    "tablet",
    "surgery",
    "infusion",
    "diet",
    "rest",
    "fever",
    "pain",
    "cough",
    "rash",
    "fatigue",
    "nausea",
    "swelling",
    "adult",
    "child",
    "infant",
    "elderly",
    "family",
    "doctor",
    "nurse",
    "clinic",
    "hospital",
    "ward",
]
RECORDS = 120


def records() -> list[dict[str, str]]:
    """Short and long texts in which some words are common and some are rare."""
    chance = random.Random(7)
    weights = [1 / (1 + rank) for rank in range(len(WORDS))]

    def text(length: int) -> str:
        return " ".join(chance.choices(WORDS, weights, k=length)).capitalize() + "."

    return [
        {"id": str(number), "question": text(4), "answer": text(chance.choice([3, 8, 15, 25]))}
        for number in range(RECORDS)
    ]


def plain_bm25(question: str, texts: dict[str, str]) -> dict[str, float]:
    """Robertson's formula as it is printed, over everything; k1 is 1.2 and b 0.4."""
    found = {name: Counter(terms(text)) for name, text in texts.items()}
    mean = sum(counts.total() for counts in found.values()) / len(found)
    scores: dict[str, float] = {}
    for forms in question_terms(question):
        containing = sum(any(form in counts for form in forms) for counts in found.values())
        weight = math.log(1 + (len(found) - containing + 0.5) / (containing + 0.5))
        for name, counts in found.items():
            if times := sum(counts[form] for form in forms):
                norm = 1.2 * (0.6 + 0.4 * counts.total() / mean)
                scores[name] = scores.get(name, 0.0) + weight * times * 2.2 / (times + norm)
    return scores


@pytest.fixture
def ward(world: World) -> World:
    world.put("records.jsonl", "\n".join(json.dumps(record) for record in records()))
    return world


def search(world: World, question: str, *, limit: int = 200, matching: Filter | None = None) -> list[Candidate]:
    return world.reading.lexical_search(world.refreshed(), question, limit=limit, matching=matching or Filter())


def names(world: World, candidates: Sequence[Candidate]) -> list[str | None]:
    evidence = world.reading.hydrate(world.bot, [candidate.passage_id for candidate in candidates], Filter())
    return [evidence[candidate.passage_id].pair.external_id for candidate in candidates]


@pytest.mark.parametrize(
    "question",
    ["kidney", "Is fatigue a sign of nausea?", "ward hospital clinic", "kidney liver lung heart blood", "nurse kidney"],
)
def test_passages_are_ranked_as_plain_bm25_ranks_them(ward: World, question: str) -> None:
    candidates = search(ward, question)
    asked = {r["id"]: f"{r['question']}\n" * QUESTION_WEIGHT for r in records()}
    expected = plain_bm25(question, {r["id"]: f"{asked[r['id']]}{r['answer']}" for r in records()})
    found = dict(zip(names(ward, candidates), (candidate.score for candidate in candidates), strict=True))
    assert found.keys() == expected.keys()
    # Occurrences are read off ts_rank, to within a twentieth.
    assert found == {name: pytest.approx(score, rel=0.03) for name, score in expected.items()}
    best = sorted(expected, key=lambda name: -expected[name])
    for place, name in enumerate(list(found)[:20]):
        assert name is not None
        assert expected[name] == pytest.approx(expected[best[place]], rel=0.03)


def test_a_rare_word_outweighs_common_ones(world: World) -> None:
    common = [{"id": str(n), "question": "Kidney care", "answer": f"Kidney care kidney care {n}."} for n in range(30)]
    rare = {"id": "rare", "question": "Other", "answer": "About the xanthoma of a kidney, at some length, for once."}
    world.put("records.jsonl", "\n".join(json.dumps(record) for record in [*common, rare]))
    assert names(world, search(world, "kidney care xanthoma"))[0] == "rare"


def test_the_words_of_a_question_find_its_pair(world: World) -> None:
    world.put("a.jsonl", json.dumps({"id": "a", "question": "What is dialysis?", "answer": "A way to filter blood."}))
    world.put("b.jsonl", json.dumps({"id": "b", "question": "What is insulin?", "answer": "A hormone in the blood."}))
    assert names(world, search(world, "dialysis")) == ["a"]
    assert set(names(world, search(world, "what is blood"))) == {"a", "b"}


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("treatments", ["en"]),
        ("böbrek hastalığının tedavisi nedir", ["tr"]),
        ("BOBREK HASTALIGI", ["tr"]),
        ("신장은 어떻게 치료하나요?", ["ko"]),
        ("PCDH-19", ["gene"]),
        ("pcdh19 신장", ["gene", "ko"]),
        ("猫", ["zh"]),
        ("猫有什么特点？", ["zh"]),
        ("banh mi", ["vi"]),
        ("bánh mì là gì?", ["vi"]),
        ("الطبيب", ["ar"]),
        ("TNF alpha", ["greek"]),
    ],
)
def test_words_are_found_whatever_their_endings_and_scripts(world: World, question: str, expected: list[str]) -> None:
    texts = {
        "en": "The treatment of kidneys.",
        "tr": "Böbrek hastalıkları tedavi edilir.",
        "ko": "신장 치료는 병원에서 합니다.",
        "gene": "Variants of PCDH19.",
        "zh": "小猫喜欢安静。",
        "vi": "Bánh mì là một món ăn của người Việt.",
        "ar": "ذهب إلى طبيب في المدينة",
        "greek": "Inhibitors of TNF-α.",
    }
    records = [{"id": name, "question": f"{name}?", "answer": text} for name, text in texts.items()]
    world.put("records.jsonl", "\n".join(json.dumps(record, ensure_ascii=False) for record in records))
    assert sorted(str(name) for name in names(world, search(world, question))) == expected


def test_a_filter_holds_and_still_finds_what_the_rest_would_crowd_out(world: World) -> None:
    many = [{"id": f"m{n}", "question": "Kidney", "answer": f"Kidney {n}.", "category": "many"} for n in range(50)]
    few = [{"id": "few", "question": "Liver", "answer": "And one kidney among so many more words.", "category": "few"}]
    world.put("records.jsonl", "\n".join(json.dumps(record) for record in [*many, *few]))
    assert names(world, search(world, "kidney", limit=3, matching=Filter(category=("few",)))) == ["few"]
    assert search(world, "kidney", matching=Filter(category=("none",))) == []


def test_what_is_not_live_is_not_found(ward: World) -> None:
    ward.put("records.jsonl", json.dumps({"id": "new", "question": "Kidney", "answer": "A new text."}))
    assert names(ward, search(ward, "kidney surgery")) == ["new"]
    ward.remove("records.jsonl")
    assert search(ward, "kidney surgery") == []


@pytest.mark.parametrize(
    "question",
    [
        "kidney' | 'x", "kidney & !liver", "kidney:*", "kidney:A", "(kidney <-> liver)", "\\kidney\\", "kidney\x00liver",
        "'; drop table passages; --", "{kidney,liver}", '"kidney" "liver"', "kidney NULL \ud800",
    ],
)  # fmt: skip
def test_a_question_brings_no_syntax(ward: World, question: str) -> None:
    assert search(ward, question) == search(ward, " ".join(re.findall(r"\w+", question)))


@pytest.mark.parametrize("question", ["", " ", "?!… &|!:*", "😀", "\x00", "\ud800"])
def test_a_question_without_words_finds_nothing(ward: World, question: str) -> None:
    assert search(ward, question) == []


def test_a_question_of_ten_thousand_words_is_answered(ward: World) -> None:
    question = " ".join(["fatigue", *(f"{number}" for number in range(9_990)), *WORDS])
    assert search(ward, question, limit=5)


def test_words_of_another_bot_are_not_found(ward: World) -> None:
    other = ward.register("other")
    assert ward.reading.lexical_search(other, "kidney", limit=5, matching=Filter()) == []
