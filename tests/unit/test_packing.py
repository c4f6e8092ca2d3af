"""Packing: what of the evidence an answer may rest on, best first, once each, within a budget."""

from __future__ import annotations

import gzip
import json
from itertools import islice
from pathlib import Path

import pytest

from functions.query.packing import TOKENS_AROUND, count_tokens, pack
from functions.query.ranking import Hit
from shared.embedder import OnnxEmbedder
from tests.evidence import evidence

LEAFLET = (
    "Oil the chain every two hundred kilometres and after every ride in heavy rain. Wipe off what drips, for dirt sticks "
    "to it. A dry chain squeaks, wears out soon and takes the sprockets with it."
)


def hit(text: str, question: str = "How is the chain cared for?") -> Hit:
    return Hit(evidence(text, question=question), 1.0)


def texts(hits: list[Hit], neighbours: list[Hit] | None = None, *, budget: int = 3_000) -> list[str]:
    return [packed.text for packed in pack(hits, neighbours or [], budget=budget)]


def cost(one: Hit) -> int:
    return count_tokens(f"{one.evidence.pair.question}\n{one.evidence.text}") + TOKENS_AROUND


def test_hits_come_first_and_then_what_the_graph_leads_to() -> None:
    assert texts([hit("One tide."), hit("Two moons.")], [hit("Three ships.")]) == [
        "One tide.",
        "Two moons.",
        "Three ships.",
    ]


def test_the_budget_is_kept_to_the_token() -> None:
    hits = [hit(f"Passage {name} tells of another thing altogether.") for name in ("alpha", "omega", "delta")]
    all_of_them = sum(map(cost, hits))
    assert len(texts(hits, budget=all_of_them)) == 3
    assert len(texts(hits, budget=all_of_them - 1)) == 2


def test_what_is_too_long_makes_room_for_what_follows_but_the_best_is_always_there() -> None:
    small, large = hit("A small one."), hit("large " * 500)
    assert texts([small, large, hit("Another small one.")], budget=100) == ["A small one.", "Another small one."]
    assert texts([large, small], budget=10) == [large.evidence.text]


@pytest.mark.parametrize(
    "again",
    [
        LEAFLET,
        LEAFLET.upper().replace(".", " !"),
        LEAFLET.partition(" A dry")[0],  # all of it has been said
        LEAFLET.replace("squeaks", "creaks"),
    ],
)
def test_what_was_said_already_is_left_out(again: str) -> None:
    assert texts([hit(LEAFLET), hit(again, "How is a chain cared for?")]) == [LEAFLET]


@pytest.mark.parametrize(
    ("text", "question"),
    [
        (LEAFLET, "How is the belt cared for?"),  # the same of something else: answers in the same phrases are common
        (LEAFLET, "Chain type 2"),
        (
            f"{LEAFLET} A belt needs no oil at all; clean it with water, a soft brush and a drop of soap now and then.",
            "",
        ),
        (
            "Oil the chain every two hundred kilometres. That is what they say, but a waxed one goes four times as far.",
            "",
        ),
    ],
)
def test_what_says_something_else_is_kept(text: str, question: str) -> None:
    assert texts([hit(LEAFLET), hit(text, question or "How is the chain cared for?")]) == [LEAFLET, text]


def test_scripts_without_spaces_are_compared_as_well() -> None:
    text = "체인은 이백 킬로미터마다 그리고 비를 맞고 탄 뒤에는 매번 기름을 칠해야 합니다."
    question = "체인은 어떻게 관리합니까?"
    assert texts([hit(text, question), hit(text, question), hit("벨트에는 기름이 필요 없습니다.", question)]) == [
        text,
        "벨트에는 기름이 필요 없습니다.",
    ]


def test_the_bound_is_above_what_a_tokenizer_counts(shared_data: Path, model_folder: Path) -> None:
    embedder = OnnxEmbedder(model_folder)
    with gzip.open(shared_data / "corpora" / "medquad.jsonl.gz", "rt", encoding="utf-8") as lines:
        answers = [json.loads(line)["answer"] for line in islice(lines, 0, 2_000, 10)]
    ratios = [count_tokens(answer) / max(1, len(embedder.token_spans(answer))) for answer in answers]
    assert 1.0 < sum(ratios) / len(ratios) < 2.5
    assert sum(ratio < 1 for ratio in ratios) < len(ratios) / 20
