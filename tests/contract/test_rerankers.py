"""Rerankers: the twin that counts words, and a small cross-encoder over onnxruntime."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shared.ports import Reranker
from shared.reranker import OnnxReranker
from shared.testing import OverlapReranker
from tests.cross_encoder import make_folder

QUESTION = "When is the harbour open?"
PASSAGES = [
    "A recipe of lentil soup.",
    "The harbour is open when the tide is in.",
    "",
    "한국어 İıŞ 😀",
    "nul\x00 and tab\t",
    "word " * 700,
    "The harbour is open when the tide is in.",
]


@pytest.fixture(scope="module")
def onnx(tmp_path_factory: pytest.TempPathFactory) -> OnnxReranker:
    return OnnxReranker(make_folder(tmp_path_factory.mktemp("reranker") / "model"), timeout_seconds=60)


@pytest.fixture(params=["twin", "onnx"])
def reranker(request: pytest.FixtureRequest) -> Reranker:
    if request.param == "twin":
        return OverlapReranker()
    onnx: OnnxReranker = request.getfixturevalue("onnx")
    return onnx


def test_a_finite_score_for_each_passage_in_the_order_given(reranker: Reranker) -> None:
    scores = reranker.score(QUESTION, PASSAGES)
    assert len(scores) == len(PASSAGES)
    assert all(isinstance(score, float) and math.isfinite(score) for score in scores)
    assert reranker.score(QUESTION, PASSAGES[::-1]) == pytest.approx(scores[::-1], abs=1e-5)


def test_what_answers_scores_more_than_what_does_not(reranker: Reranker) -> None:
    soup, harbour, nothing, *_ = reranker.score(QUESTION, PASSAGES)
    assert harbour > soup
    assert harbour > nothing
    soup, harbour, *_ = reranker.score("How does a lentil soup recipe open?", PASSAGES)
    assert soup > harbour


def test_a_score_does_not_depend_on_the_other_passages(reranker: Reranker) -> None:
    alone = [reranker.score(QUESTION, [passage])[0] for passage in PASSAGES]
    assert reranker.score(QUESTION, PASSAGES) == pytest.approx(alone, abs=1e-5)
    assert alone[1] == alone[-1]


def test_no_passages_have_no_scores(reranker: Reranker) -> None:
    assert reranker.score(QUESTION, []) == []


def test_a_question_without_words_is_scored_too(reranker: Reranker) -> None:
    for question in ("", "?!", "한국어", "when " * 5_000):
        assert len(reranker.score(question, PASSAGES)) == len(PASSAGES)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    question=st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    passages=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), max_size=6),
)
@example(question="\x00", passages=["[SEP]", "[CLS] [PAD]"])
def test_any_text_is_scored(reranker: Reranker, question: str, passages: list[str]) -> None:
    scores = reranker.score(question, passages)
    assert len(scores) == len(passages) and all(map(math.isfinite, scores))
