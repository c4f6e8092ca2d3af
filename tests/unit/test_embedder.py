"""The embedder over the real model: the vectors of sentence-transformers, whatever the order and the company."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from layers.model.build import RECIPE, DownloadError, ensure_model
from shared.embedder import OnnxEmbedder
from shared.errors import ConfigurationError, InvalidInputError, MismatchError
from shared.onnx_model import available_cores, plan_batches

ROOT = Path(__file__).parents[2]
LAST_BITS = 1e-6
TEXTS = [
    "A tide table for the harbour.",
    "",
    "Gelgit çizelgesi: İskele'de ılık su, ğüşöç.",
    "항구의 조석표는 매일 아침에 바뀝니다.",
    "🌊⚓️ 👩‍👩‍👧‍👦 tide 🇹🇷🇰🇷",
    "nul\x00 inside, tab\t, line\n, zero width\u200b, bidi\u202e",
    "one",
    "The ferry crosses twice a day, but not when the wind comes from the north. " * 9,
    "word " * 700,
    "?!" * 50,
]


@pytest.fixture(scope="session")
def folder() -> Path:
    """The built model, shared by all runs; LOCKSTEP_MODEL_PATH names another place for it."""
    try:
        return ensure_model(Path(os.environ.get("LOCKSTEP_MODEL_PATH") or ROOT / ".lockstep" / "model"))
    except DownloadError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def embedder(folder: Path) -> OnnxEmbedder:
    return OnnxEmbedder(folder)


@pytest.fixture(scope="session")
def canonical(folder: Path) -> list[dict[str, Any]]:
    path = folder / "canonical.json"
    records: list[dict[str, Any]] = json.loads(
        (path if path.exists() else RECIPE / "canonical.json").read_text("utf-8")
    )
    return records


def test_vectors_are_those_of_sentence_transformers(embedder: OnnxEmbedder, canonical: list[dict[str, Any]]) -> None:
    assert len(canonical) >= 10 and max(len(record["text"].split()) for record in canonical) > 600
    passages = embedder.embed_passages([record["text"] for record in canonical])
    for record, passage in zip(canonical, passages, strict=True):
        assert passage @ np.array(record["passage"]) >= 0.9999
        assert embedder.embed_query(record["text"]) @ np.array(record["query"]) >= 0.9999


def test_shapes_types_and_unit_length(embedder: OnnxEmbedder) -> None:
    dimension = embedder.model.dimension
    passages, query = embedder.embed_passages(TEXTS), embedder.embed_query(TEXTS[0])
    assert passages.shape == (len(TEXTS), dimension) and passages.dtype == np.float32
    assert query.shape == (dimension,) and query.dtype == np.float32
    assert np.allclose(np.linalg.norm(passages, axis=1), 1.0, atol=LAST_BITS)
    assert np.linalg.norm(query) == pytest.approx(1.0, abs=LAST_BITS)


def test_no_texts_give_no_vectors(embedder: OnnxEmbedder) -> None:
    assert embedder.embed_passages([]).shape == (0, embedder.model.dimension)


def test_the_result_is_in_the_order_given(embedder: OnnxEmbedder) -> None:
    order = [7, 2, 9, 0, 8, 1, 5, 3, 6, 4]
    shuffled = embedder.embed_passages([TEXTS[position] for position in order])
    assert np.abs(shuffled - embedder.embed_passages(TEXTS)[order]).max() <= LAST_BITS


def test_a_text_does_not_depend_on_its_neighbours(embedder: OnnxEmbedder) -> None:
    together = embedder.embed_passages(TEXTS)
    alone = np.stack([embedder.embed_passages([text])[0] for text in TEXTS])
    assert np.abs(together - alone).max() <= LAST_BITS


def test_equal_texts_are_embedded_once_and_given_each_time(
    embedder: OnnxEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, embedded = embedder._run, 0

    def count(batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        nonlocal embedded
        embedded += len(batch)
        return run(batch)

    monkeypatch.setattr(embedder, "_run", count)
    vectors = embedder.embed_passages(["twin", "other", "twin", "twin"])
    assert embedded == 2
    assert np.array_equal(vectors[0], vectors[2]) and np.array_equal(vectors[0], vectors[3])
    assert not np.array_equal(vectors[0], vectors[1])


def test_what_is_beyond_the_window_does_not_count(embedder: OnnxEmbedder) -> None:
    window = embedder.model.window
    endless = embedder.token_ids("tide " * 3000)
    assert len(endless) == window
    assert endless[:2] + endless[-1:] == [*embedder.token_ids("tide")[:2], embedder.token_ids("tide")[-1]]
    full = "tide " * embedder.token_capacity
    assert np.abs(embedder.embed_query(full) - embedder.embed_query(full + "wind")).max() <= LAST_BITS
    assert np.abs(embedder.embed_query(full) - embedder.embed_query("wind " + full)).max() > LAST_BITS


def test_the_capacity_is_what_fits_beside_special_tokens_and_prefix(embedder: OnnxEmbedder) -> None:
    prefix = embedder.model.passage_prefix
    fitting = prefix + "tide " * embedder.token_capacity
    assert len(embedder.token_ids(fitting)) == embedder.model.window
    assert embedder.token_ids(fitting + "tide") == embedder.token_ids(fitting)
    assert len(embedder.token_ids(prefix + "tide " * (embedder.token_capacity - 1))) == embedder.model.window - 1


def test_spans_cover_every_content_token_and_nothing_else(embedder: OnnxEmbedder) -> None:
    text = "Çay 🌊 tides, 항구 " * 300
    spans = embedder.token_spans(text)
    assert len(spans) > embedder.model.window
    covered = {position for begin, end in spans for position in range(begin, end)}
    assert covered == {position for position, character in enumerate(text) if not character.isspace()}
    plain = "The tide, again"
    assert [plain[begin:end] for begin, end in embedder.token_spans(plain)] == ["The", "tide", ",", "again"]
    assert embedder.token_spans("") == []


def test_a_hundred_thousand_characters_are_no_trouble(embedder: OnnxEmbedder) -> None:
    text = "The harbour master writes it down. " * 2858
    assert len(text) > 100_000
    vector = embedder.embed_query(text)
    assert np.abs(vector - embedder.embed_query(text[:3000])).max() <= LAST_BITS
    assert embedder.token_spans(text)[-1] == (len(text) - 2, len(text) - 1)


def test_half_a_surrogate_pair_is_refused_as_bad_input(embedder: OnnxEmbedder) -> None:
    with pytest.raises(InvalidInputError):
        embedder.embed_query("half \ud83c of a wave")


def test_threads_may_share_an_embedder(embedder: OnnxEmbedder) -> None:
    alone = embedder.embed_passages(TEXTS)
    with ThreadPoolExecutor(8) as pool:
        passages = [pool.submit(embedder.embed_passages, TEXTS) for _ in range(8)]
        queries = [pool.submit(embedder.embed_query, text) for text in TEXTS * 4]
        spans = [pool.submit(embedder.token_spans, TEXTS[7]) for _ in range(8)]
        assert all(np.abs(future.result() - alone).max() <= LAST_BITS for future in passages)
        expected = np.stack([embedder.embed_query(text) for text in TEXTS])
        assert np.abs(np.stack([future.result() for future in queries]) - np.tile(expected, (4, 1))).max() <= LAST_BITS
        assert all(future.result() == embedder.token_spans(TEXTS[7]) for future in spans)


def test_the_number_of_threads_changes_the_last_bits_at_most(folder: Path, embedder: OnnxEmbedder) -> None:
    single = OnnxEmbedder(folder, threads=1)
    assert np.abs(single.embed_passages(TEXTS) - embedder.embed_passages(TEXTS)).max() <= LAST_BITS
    assert 1 <= available_cores() <= (os.cpu_count() or 1)


def test_prefixes_are_put_before_queries_and_passages(folder: Path, tmp_path: Path, embedder: OnnxEmbedder) -> None:
    copy = shutil.copytree(folder, tmp_path / "model", ignore=shutil.ignore_patterns(".part-*"))
    record = json.loads((copy / "model.json").read_text("utf-8"))
    record |= {"query_prefix": "ask: ", "passage_prefix": "answer: "}
    (copy / "model.json").write_text(json.dumps(record), "utf-8")
    prefixed = OnnxEmbedder(copy)
    assert np.abs(prefixed.embed_query("tide") - embedder.embed_query("ask: tide")).max() <= LAST_BITS
    assert np.abs(prefixed.embed_passages(["tide"]) - embedder.embed_passages(["answer: tide"])).max() <= LAST_BITS
    assert prefixed.token_capacity == embedder.token_capacity - len(embedder.token_spans("answer: "))


def test_a_missing_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"make up.*make model"):
        OnnxEmbedder(tmp_path / "nowhere")


@pytest.fixture
def linked(folder: Path, tmp_path: Path) -> Path:
    """The model's files under another name, each to be unlinked or replaced."""
    links = tmp_path / "model"
    links.mkdir()
    for name in ("graph.onnx", "model.json", "tokenizer.json", "weights.bin"):
        (links / name).symlink_to(folder / name)
    return links


def put(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["graph.onnx", "model.json", "tokenizer.json", "weights.bin"])
def test_an_incomplete_folder_says_what_to_do(linked: Path, name: str) -> None:
    (linked / name).unlink()
    with pytest.raises(ConfigurationError, match="make up"):
        OnnxEmbedder(linked)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"[]", b"{}", b'{"files": {"graph.onnx": {}}}', b'{"files": {}}']
)
def test_an_unreadable_record_says_what_to_do(linked: Path, content: bytes) -> None:
    put(linked / "model.json", content)
    with pytest.raises(ConfigurationError, match="make up"):
        OnnxEmbedder(linked)


@pytest.mark.parametrize("name", ["graph.onnx", "tokenizer.json"])
def test_a_small_file_with_other_content_is_a_mismatch(linked: Path, name: str) -> None:
    content = bytearray((linked / name).read_bytes())
    content[len(content) // 2] ^= 1
    put(linked / name, bytes(content))
    with pytest.raises(MismatchError, match=name):
        OnnxEmbedder(linked)


def test_weights_of_another_size_are_a_mismatch(linked: Path) -> None:
    put(linked / "weights.bin", b"short")
    with pytest.raises(MismatchError, match=r"weights\.bin"):
        OnnxEmbedder(linked)


@pytest.mark.parametrize("name", ["graph.onnx", "tokenizer.json"])
def test_a_file_that_the_libraries_cannot_read_says_what_to_do(linked: Path, name: str) -> None:
    record = json.loads((linked / "model.json").read_text("utf-8"))
    record["files"][name] = {"size": 4, "sha256": hashlib.sha256(b"oops").hexdigest()}
    put(linked / "model.json", json.dumps(record).encode())
    put(linked / name, b"oops")
    with pytest.raises(ConfigurationError, match=name):
        OnnxEmbedder(linked)


def test_importing_the_module_imports_no_vendor() -> None:
    script = "import sys, shared.embedder; print({'numpy', 'onnxruntime', 'tokenizers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_batches_keep_to_the_budget_and_lose_nothing() -> None:
    lengths = [3, 700, 12, 256, 256, 256, 1, 90, 12, 40, 513, 2]
    batches = list(plan_batches(lengths, budget=512))
    assert sorted(position for batch in batches for position in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or max(lengths[position] for position in batch) * len(batch) <= 512
    assert list(plan_batches([])) == []
