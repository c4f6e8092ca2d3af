"""Embedders: the deterministic twin and the real model, and what delivery makes of their vectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.delivery import embed
from shared.domain import EmbeddableText
from shared.embedder import OnnxEmbedder
from shared.errors import LockstepError
from shared.ports import Embedder
from shared.testing import HashingEmbedder

TEXTS = [
    "A tide table for the harbour.",
    "",
    "한국어 İıŞ 😀",
    "nul\x00 and tab\t",
    "word " * 700,
    "A tide table for the harbour.",
]


@pytest.fixture(scope="module")
def onnx(model_folder: Path) -> OnnxEmbedder:
    return OnnxEmbedder(model_folder)


@pytest.fixture(params=["twin", "onnx"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    if request.param == "twin":
        return HashingEmbedder()
    onnx: OnnxEmbedder = request.getfixturevalue("onnx")
    return onnx


def test_a_vector_for_each_text_in_the_order_given(embedder: Embedder) -> None:
    vectors = embedder.embed_passages(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.model.dimension)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert np.array_equal(vectors[0], vectors[-1])
    assert np.allclose(embedder.embed_passages(TEXTS[::-1]), vectors[::-1], atol=1e-5)


def test_a_question_is_one_vector(embedder: Embedder) -> None:
    vector = embedder.embed_query("When is high tide?")
    assert vector.shape == (embedder.model.dimension,)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)


def test_no_texts_are_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed_passages([]).shape == (0, embedder.model.dimension)


def test_what_is_alike_is_nearer_than_what_is_not(embedder: Embedder) -> None:
    near, far = embedder.embed_passages(["The tide table of the harbour.", "A recipe for lentil soup."])
    question = embedder.embed_query("Where is the tide table of the harbour?")
    assert question @ near > question @ far


def test_the_window_is_what_it_says(embedder: Embedder) -> None:
    full = "tide " * embedder.token_capacity
    assert len(embedder.token_spans(full)) == embedder.token_capacity < embedder.model.window
    inside, beyond = embedder.embed_passages([full, full + "wind"])
    assert np.allclose(inside, beyond, atol=1e-5)


def test_spans_lie_in_the_text_and_in_order(embedder: Embedder) -> None:
    for text in TEXTS:
        spans = embedder.token_spans(text)
        assert all(0 <= begin <= end <= len(text) for begin, end in spans)
        assert spans == sorted(spans)


def test_a_common_word_stands_early_in_the_vocabulary_and_an_unknown_one_nowhere(embedder: Embedder) -> None:
    common, less = embedder.vocabulary_place("the"), embedder.vocabulary_place("people")
    assert common is not None
    assert less is not None
    assert 0 <= common < less
    assert [embedder.vocabulary_place(word) for word in ("", "the people", "hypophosphatasia")] == [None] * 3


@pytest.mark.parametrize("word", ["አዲስ", "ঢাকা", "한국어", "🙂🙂", "a" * 120])
def test_what_the_embedder_cannot_read_stands_nowhere_in_its_vocabulary(embedder: Embedder, word: str) -> None:
    assert embedder.vocabulary_place(word) is None


# What delivery makes of them


class Spoiled(HashingEmbedder):
    """The twin, with other vectors than it made."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        super().__init__(dimension=4)
        self._vectors = vectors

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._vectors


def test_the_combined_vector_is_the_normalised_sum(embedder: Embedder) -> None:
    (made,) = embed([EmbeddableText("Is it open?", "It closes at six.")], embedder)
    question, response = embedder.embed_passages(["Is it open?", "It closes at six."])
    assert np.allclose(made.combined, (question + response) / np.linalg.norm(question + response), atol=1e-5)
    assert made.combined.dtype == np.float32


def test_a_passage_without_a_question_is_its_response_in_all_three(embedder: Embedder) -> None:
    (made,) = embed([EmbeddableText("", "It closes at six.")], embedder)
    assert np.array_equal(made.question, made.response)
    assert np.allclose(made.combined, made.response, atol=1e-5)


def test_every_text_is_embedded_once_and_none_not_at_all() -> None:
    embedder = HashingEmbedder()
    assert embed([], embedder) == []
    embed([EmbeddableText("Same?", "one"), EmbeddableText("Same?", "two"), EmbeddableText("one", "one")], embedder)
    assert embedder.embedded == ["Same?", "one", "two"]


def test_opposite_vectors_have_the_response_for_their_sum() -> None:
    up = np.array([1, 0, 0, 0], dtype=np.float32)
    (made,) = embed([EmbeddableText("yes", "no")], Spoiled(np.stack([up, -up])))
    assert np.array_equal(made.combined, -up)


@pytest.mark.parametrize(
    "vectors", [np.ones((1, 4)), np.ones((3, 4)), np.ones((0, 4)), np.ones((2, 3)), np.ones((2, 4, 1)), np.ones(8)]
)
def test_vectors_of_another_number_or_shape_are_refused(vectors: NDArray[np.float32]) -> None:
    with pytest.raises(LockstepError, match=r"where \(2, 4\) make the vectors"):
        embed([EmbeddableText("yes", "no")], Spoiled(vectors))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_vector_that_is_not_finite_is_refused(value: float) -> None:
    vectors = np.ones((2, 4), dtype=np.float32)
    vectors[1, 2] = value
    with pytest.raises(LockstepError, match="finite"):
        embed([EmbeddableText("yes", "no")], Spoiled(vectors))


def test_a_vector_that_is_zero_is_refused() -> None:
    with pytest.raises(LockstepError, match="zero"):
        embed([EmbeddableText("yes", "no")], Spoiled(np.eye(2, 4, k=-1, dtype=np.float32)))
