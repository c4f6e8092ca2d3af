"""The reranker over a small cross-encoder: what its window holds, when it gives up, and folders that are none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from shared import wiring
from shared.errors import ConfigurationError, InvalidInputError, MismatchError, StoreUnavailableError
from shared.reranker import OnnxReranker
from shared.settings import Settings
from tests.cross_encoder import make_folder, write_record

ROOT = Path(__file__).parents[2]
ALL, NONE = 2.0, -2.0  # what the graph says of a passage with all words of the question, and with none
NECESSARY = dict.fromkeys(("postgres_url", "milvus_uri", "bucket_url"), "x://")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "model")


def opened(folder: Path, *, timeout_seconds: float = 60, clock: Callable[[], float] = lambda: 0.0) -> OnnxReranker:
    return OnnxReranker(folder, timeout_seconds=timeout_seconds, threads=1, clock=clock)


def test_question_and_passage_are_read_together(folder: Path) -> None:
    passages = ["tide table", "The tide, and the TABLE of the harbour", "table", "soup", "tide [SEP] table"]
    assert opened(folder).score("tide table", passages) == pytest.approx([ALL, ALL, 0, NONE, ALL])


def test_what_the_window_leaves_for_a_passage_is_read_and_no_more(tmp_path: Path) -> None:
    reranker = opened(make_folder(tmp_path / "model", window=16))  # 13 beside the special tokens: 1 and 12
    fits, lost = "word " * 11 + "tide", "word " * 12 + "tide"
    assert reranker.score("tide", [fits, lost]) == pytest.approx([ALL, NONE])


def test_of_a_long_question_half_the_window_is_read(tmp_path: Path) -> None:
    reranker = opened(make_folder(tmp_path / "model", window=16))
    assert reranker.score("tide " * 6 + "soup " * 50, ["tide"]) == pytest.approx([ALL])
    assert reranker.score("soup " * 6 + "tide " * 50, ["tide"]) == pytest.approx([NONE])


def test_a_passage_that_comes_twice_is_read_once(folder: Path) -> None:
    batches = count()
    reranker = opened(folder, clock=lambda: float(next(batches) * 0))
    assert reranker.score("tide", ["tide"] * 5_000) == [ALL] * 5_000
    assert next(batches) == 2  # the beginning, and one batch


def test_more_passages_than_there_is_time_for_say_what_to_do(folder: Path) -> None:
    ticks = count()
    reranker = opened(folder, timeout_seconds=3, clock=lambda: float(next(ticks)))
    passages = [f"{'word ' * 40} {number}" for number in range(100)]  # 32 tokens each, 16 in a batch
    with pytest.raises(StoreUnavailableError, match=r"3 s for 100 passages.*LOCKSTEP_RERANKER_HITS"):
        reranker.score("tide", passages)
    assert next(ticks) == 4  # two batches were in time
    assert len(reranker.score("tide", passages[:16])) == 16


def test_half_a_surrogate_pair_is_refused_as_bad_input(folder: Path) -> None:
    for question, passage in (("half \ud83c", "a"), ("a", "half \ud83c")):
        with pytest.raises(InvalidInputError):
            opened(folder).score(question, [passage])


def test_a_missing_or_incomplete_folder_names_the_setting(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="LOCKSTEP_RERANKER_PATH"):
        opened(tmp_path / "nowhere")
    for name in ("graph.onnx", "tokenizer.json", "model.json"):
        content = (folder / name).read_bytes()
        (folder / name).unlink()
        with pytest.raises(ConfigurationError, match="LOCKSTEP_RERANKER_PATH"):
            opened(folder)
        (folder / name).write_bytes(content)


@pytest.mark.parametrize("name", ["graph.onnx", "tokenizer.json"])
def test_a_file_with_other_content_is_a_mismatch(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(MismatchError, match=name):
        opened(folder)


@pytest.mark.parametrize("window", [None, 0, 7, -1, "512", 32.5])
def test_a_record_without_a_sensible_window_says_so(folder: Path, window: object) -> None:
    write_record(folder, window=window)
    with pytest.raises(ConfigurationError, match="window"):
        opened(folder)


def test_an_embedder_is_no_reranker(folder: Path, model_folder: Path) -> None:
    for name in ("graph.onnx", "weights.bin", "tokenizer.json"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(model_folder / name)
    write_record(folder)
    with pytest.raises(ConfigurationError, match=r"not one score each.*LOCKSTEP_RERANKER_PATH"):
        opened(folder).score("tide", ["tide", "soup"])


def test_the_settings_say_whether_there_is_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = Settings.model_validate(NECESSARY)
    monkeypatch.setattr(wiring, "settings", lambda: chosen)
    wiring.reranker.forget()
    assert wiring.reranker() is None
    chosen = Settings.model_validate(NECESSARY | {"reranker_path": str(folder)})
    wiring.reranker.forget()
    found = wiring.reranker()
    assert found is not None and found.score("tide", ["tide"]) == [ALL]
    wiring.reranker.forget()


def test_importing_the_module_imports_no_vendor() -> None:
    script = "import sys, shared.reranker; print({'numpy', 'onnxruntime', 'tokenizers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
