"""How far an embedder is trusted with a question."""

from __future__ import annotations

from pathlib import Path

import pytest

from functions.query.trust import LEAST, OTHER, PLAIN, trust_in
from shared.embedder import OnnxEmbedder
from shared.testing import HashingEmbedder


@pytest.fixture(scope="module")
def english(model_folder: Path) -> OnnxEmbedder:
    return OnnxEmbedder(model_folder)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How often should I oil the chain?", 1.0),
        ("Bisiklet zincirimi ne kadar sıklıkla yağlamalıyım?", LEAST),
        ("자전거 체인에 얼마나 자주 기름을 발라야 하나요?", LEAST),
        ("Как часто нужно смазывать цепь велосипеда?", LEAST),
        ("", 1.0),
        ("42?", 1.0),
        ("whats diabete", PLAIN),  # misspelt
        ("metformin lactic acidosis", PLAIN),
        ("cystinosis", 1.0),
        ("भारत की राजधानी क्या है", LEAST),
        ("ประเทศไทย", LEAST),
        ("Quels sont les symptômes de la grippe ?", OTHER),
    ],
)
def test_words_in_pieces_tell_a_language_that_the_model_never_learned(
    english: OnnxEmbedder, question: str, expected: float
) -> None:
    assert trust_in(english, question) == pytest.approx(expected)


def test_a_model_that_says_nothing_of_languages_is_trusted_with_all() -> None:
    embedder = HashingEmbedder()
    assert trust_in(embedder, "Bisiklet zincirimi ne kadar sıklıkla yağlamalıyım?") == 1.0


def test_ten_thousand_words_are_no_error(english: OnnxEmbedder) -> None:
    assert trust_in(english, "chain " * 10_000) == 1.0
