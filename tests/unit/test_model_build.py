"""The build of the model's folder, on a model of two small tensors: what is refused, and what a killed build leaves."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from layers.model import build
from layers.model.build import build_model
from shared.errors import ConfigurationError, MismatchError

TABLE: NDArray[np.float32] = (np.arange(12) / 8).astype(np.float32).reshape(3, 4)
BIAS: NDArray[np.float32] = np.array([0.25, -3.0], np.float32)
FILES = {"graph.onnx", "model.json", "tokenizer.json", "weights.bin"}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def safetensors_of(tensors: dict[str, NDArray[np.float32]]) -> bytes:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, array in tensors.items():
        offsets = [len(body), len(body) + array.nbytes]
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": offsets}
        body += array.tobytes()
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A copy of the model as a hub would give it."""
    folder = tmp_path / "hub"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(safetensors_of({"table": TABLE, "bias": BIAS}))
    (folder / "tokenizer.json").write_text('{"model": {}}')
    return folder


@pytest.fixture
def recipe(tmp_path: Path, weights: Path) -> Path:
    """What would be committed: graph, plan and record."""
    folder = tmp_path / "recipe"
    folder.mkdir()
    packed = TABLE.T.astype("<f2").tobytes() + b"\0" * 40 + BIAS.tobytes()
    contents = {
        "graph.onnx": b"a graph",
        "tokenizer.json": (weights / "tokenizer.json").read_bytes(),
        "weights.bin": packed,
    }
    files = {name: {"size": len(content), "sha256": sha256(content)} for name, content in contents.items()}
    record = {"model_id": "acme/tiny", "revision": "1", "files": files}
    source_sha256 = sha256((weights / "model.safetensors").read_bytes())
    plan = {
        "source": {"file": "model.safetensors", "sha256": source_sha256, "package": "acme-tiny==1.0"},
        "tensors": [
            {"source": "table", "transposed": True, "dtype": "float16", "offset": 0, "length": 24},
            {"source": "bias", "transposed": False, "dtype": "float32", "offset": 64, "length": 8},
        ],
    }
    (folder / "graph.onnx").write_bytes(contents["graph.onnx"])
    (folder / "model.json").write_text(json.dumps(record))
    (folder / "weights.json").write_text(json.dumps(plan))
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "state" / "model"


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def state_of(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_weights_are_packed_as_the_plan_says(out: Path, weights: Path, recipe: Path) -> None:
    assert build_model(out, weights=weights, recipe=recipe) == out
    assert names_in(out) == FILES
    packed = (out / "weights.bin").read_bytes()
    assert np.array_equal(np.frombuffer(packed, "<f2", 12).reshape(4, 3), TABLE.T)
    assert np.array_equal(np.frombuffer(packed, "<f4", 2, offset=64), BIAS)


def test_a_safetensors_file_with_the_tokenizer_beside_it_will_do(out: Path, weights: Path, recipe: Path) -> None:
    build_model(out, weights=weights / "model.safetensors", recipe=recipe)
    assert names_in(out) == FILES


def test_a_wheel_will_do(tmp_path: Path, out: Path, weights: Path, recipe: Path) -> None:
    wheel = tmp_path / "acme_tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in weights.iterdir():
            archive.write(path, f"acme_tiny/model/{path.name}")
    build_model(out, weights=wheel, recipe=recipe)
    assert names_in(out) == FILES


def test_a_damaged_wheel_is_refused(tmp_path: Path, out: Path, recipe: Path) -> None:
    wheel = tmp_path / "acme_tiny-1.0-py3-none-any.whl"
    wheel.write_bytes(b"PK not really")
    with pytest.raises(ConfigurationError, match=r"acme_tiny.*cannot be unpacked"):
        build_model(out, weights=wheel, recipe=recipe)
    assert not names_in(out)


def test_other_weights_are_refused_and_nothing_is_left(out: Path, weights: Path, recipe: Path) -> None:
    (weights / "model.safetensors").write_bytes(safetensors_of({"table": TABLE + 1, "bias": BIAS}))
    with pytest.raises(MismatchError, match=r"model\.safetensors is not the pinned one"):
        build_model(out, weights=weights, recipe=recipe)
    assert not names_in(out)


def test_another_tokenizer_is_refused_and_nothing_is_left(out: Path, weights: Path, recipe: Path) -> None:
    (weights / "tokenizer.json").write_text('{"model": {"type": "other"}}')
    with pytest.raises(MismatchError, match=r"tokenizer\.json is not the pinned one"):
        build_model(out, weights=weights, recipe=recipe)
    assert not names_in(out)


@pytest.mark.parametrize("kept_bytes", [0, 4, 60, -1])
def test_a_truncated_safetensors_file_is_refused(out: Path, weights: Path, recipe: Path, kept_bytes: int) -> None:
    path = weights / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept_bytes])
    with pytest.raises(MismatchError, match="not the pinned one"):
        build_model(out, weights=weights, recipe=recipe)
    pin_source(recipe, path)  # even if it were the pinned one
    with pytest.raises(MismatchError, match="cut off"):
        build_model(out, weights=weights, recipe=recipe)
    assert not names_in(out)


def pin_source(recipe: Path, safetensors: Path) -> None:
    plan = json.loads((recipe / "weights.json").read_text())
    plan["source"]["sha256"] = sha256(safetensors.read_bytes())
    (recipe / "weights.json").write_text(json.dumps(plan))


def test_a_tensor_that_the_file_lacks_is_named(out: Path, weights: Path, recipe: Path) -> None:
    path = weights / "model.safetensors"
    path.write_bytes(safetensors_of({"table": TABLE}))
    pin_source(recipe, path)
    with pytest.raises(MismatchError, match="no tensor bias"):
        build_model(out, weights=weights, recipe=recipe)


@pytest.mark.parametrize("name", ["tokenizer.json", "model.safetensors"])
def test_a_missing_file_is_named(out: Path, weights: Path, recipe: Path, name: str) -> None:
    (weights / name).unlink()
    with pytest.raises(ConfigurationError, match=name):
        build_model(out, weights=weights, recipe=recipe)
    assert not names_in(out)


def test_a_second_build_changes_nothing_and_needs_no_weights(out: Path, weights: Path, recipe: Path) -> None:
    build_model(out, weights=weights, recipe=recipe)
    before = state_of(out)
    shutil.rmtree(weights)
    build_model(out, weights=weights, recipe=recipe)
    assert state_of(out) == before


@pytest.mark.parametrize("name", sorted(FILES - {"model.json"}))
@pytest.mark.parametrize("damage", ["missing", "shorter", "same size"])
def test_a_damaged_folder_is_mended(out: Path, weights: Path, recipe: Path, name: str, damage: str) -> None:
    build_model(out, weights=weights, recipe=recipe)
    path, whole = out / name, (out / name).read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(whole[:-1] + (b"" if damage == "shorter" else bytes([whole[-1] ^ 1])))
        later = (out / "model.json").stat().st_mtime_ns + 1_000_000_000
        os.utime(path, ns=(later, later))
    build_model(out, weights=weights, recipe=recipe)
    assert path.read_bytes() == whole


def test_a_folder_that_only_lacks_its_record_gets_it_without_the_weights(
    out: Path, weights: Path, recipe: Path
) -> None:
    build_model(out, weights=weights, recipe=recipe)
    (out / "model.json").unlink()
    shutil.rmtree(weights)
    build_model(out, weights=weights, recipe=recipe)
    assert names_in(out) == FILES


@pytest.mark.parametrize("step", range(4))
def test_a_build_that_dies_between_two_moves_is_finished_by_the_next(
    out: Path, weights: Path, recipe: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(Exception):
        pass

    moves = 0

    def replace(source: Path, target: Path) -> None:
        nonlocal moves
        if moves == step:
            raise KilledError
        moves += 1
        os.rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        with pytest.raises(KilledError):
            build_model(out, weights=weights, recipe=recipe)
    assert not (out / "model.json").exists()
    build_model(out, weights=weights, recipe=recipe)
    assert names_in(out) == FILES


def test_what_a_killed_build_left_is_removed_by_a_later_one_but_not_while_it_may_live(
    out: Path, weights: Path, recipe: Path
) -> None:
    old, young = out / ".part-old", out / ".part-young"
    for left in (old, young):
        left.mkdir(parents=True)
        (left / "weights.bin").write_bytes(b"half")
    os.utime(old, (0, 0))
    build_model(out, weights=weights, recipe=recipe)
    assert names_in(out) == FILES | {young.name}


def test_another_model_in_the_folder_is_left_alone(out: Path, weights: Path, recipe: Path) -> None:
    out.mkdir(parents=True)
    theirs = json.dumps({"model_id": "acme/own", "revision": "7", "files": {}})
    (out / "model.json").write_text(theirs)
    with pytest.raises(MismatchError, match="another model"):
        build_model(out, weights=weights, recipe=recipe)
    assert build.ensure_model(out) == out
    assert (out / "model.json").read_text() == theirs


def test_an_unreadable_record_is_replaced(out: Path, weights: Path, recipe: Path) -> None:
    out.mkdir(parents=True)
    (out / "model.json").write_text('{"model_id": "acme/t')
    build_model(out, weights=weights, recipe=recipe)
    assert (out / "model.json").read_bytes() == (recipe / "model.json").read_bytes()


def test_a_failed_download_says_how_to_go_on_without_one(
    out: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false") or "/bin/false")
    with pytest.raises(build.DownloadError, match=r"acme-tiny==1\.0 could not be fetched.*--weights"):
        build_model(out, recipe=recipe)
    assert not names_in(out)


def test_the_committed_files_belong_together() -> None:
    record = json.loads((build.RECIPE / "model.json").read_text("utf-8"))
    plan = json.loads((build.RECIPE / "weights.json").read_text("utf-8"))
    graph = (build.RECIPE / "graph.onnx").read_bytes()
    last = plan["tensors"][-1]
    assert sha256(graph) == record["files"]["graph.onnx"]["sha256"]
    assert last["offset"] + last["length"] == record["files"]["weights.bin"]["size"]
    assert plan["source"]["sha256"].startswith(record["revision"])


def test_the_committed_graph_tells_nothing_of_the_machine_that_made_it() -> None:
    graph = (build.RECIPE / "graph.onnx").read_bytes()
    for trace in (b".py", b"/home/", b"/tmp/", b"site-packages", b"Users"):
        assert trace not in graph
