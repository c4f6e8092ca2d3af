"""From the start of a process to the first answered search, in the packaged function and the cloud's runtime client."""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.laptop import RunningLaptop
from bench.report import Figure, at_least, at_most
from infra.local.up import SAMPLE_BOT
from infra.package import build_package
from infra.packaging.target import Target
from tests.infra.packaged import Package, PackagedFunction, bare_python, copy_runtime

SECONDS = 0.6
TIMES_FASTER = 8.0
# What was promised is 0.6 s where the bare embedder, from the start of Python to its first vector, takes 0.22 s.
TIMES_BARE = 2.7
RUNS = 5
_BARE = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from shared.embedder import OnnxEmbedder
OnnxEmbedder(Path(sys.argv[2])).embed_query("How often should I oil the chain?")
"""
EVENT = Path("tests/events/api_search.json")
# sentence-transformers 5.7.0 on torch 2.13.0: from the start of Python to the first embedding of the same model. Needs an
# environment of several gigabytes, so it was measured once, on two cores, in turns with the bare embedder: the medians of five.
# The machine's speed changes from run to run: with the bare embedder of each run, torch is compared by its ratio to it.
TORCH_SECONDS, TORCH_BARE_SECONDS, TORCH_DATE = 4.22, 0.247, "2026-11-30"


def measure(laptop: RunningLaptop) -> Iterator[Figure]:
    """Start the packaged query function several times and search the sample once each time."""
    build_package(Target.host(), Path("dist"), say=lambda message: None)
    with tempfile.TemporaryDirectory() as folder:
        package = Package(Path("dist") / Target.host().name, copy_runtime(Path(folder) / "runtime"))
        runs = [(_first_search(laptop, package, Path(folder)), _first_vector(package)) for _ in range(RUNS)]
    seconds, bare = [search for search, _ in runs], statistics.median(vector for _, vector in runs)
    median = statistics.median(seconds)
    yield at_most("cold start: process to first /search, median", median, SECONDS, "{:.2f} s")
    yield Figure("… fastest and slowest of five", f"{min(seconds):.2f} to {max(seconds):.2f} s")
    yield Figure("the embedder alone: process to first vector, median", f"{bare:.2f} s")
    yield at_most("cold start, of the embedder alone", median / bare, TIMES_BARE, "{:.1f} times")
    torch = TORCH_SECONDS / TORCH_BARE_SECONDS * bare
    yield Figure(f"torch to its first embedding, at the ratio of {TORCH_DATE}", f"{torch:.1f} s")
    yield at_least("times faster to answer than torch is to embed", torch / median, TIMES_FASTER, "{:.1f}")


def _first_vector(package: Package) -> float:
    """The least that any answer needs: onnxruntime, the tokenizer and the model, from the same package."""
    command = bare_python("-c", _BARE, str(package.folder / "layer" / "python"), str(package.model))
    begin = time.perf_counter()
    subprocess.run(command, check=True, env={"PYDANTIC_DISABLE_PLUGINS": "__all__"})
    return time.perf_counter() - begin


def _first_search(laptop: RunningLaptop, package: Package, folder: Path) -> float:
    environment = dict(laptop.state.read_running()["environment"])
    environment |= {
        "LOCKSTEP_MODEL_PATH": str(package.model.resolve()),
        "LOCKSTEP_ALLOWED_HOSTS": "*",
        "PYDANTIC_DISABLE_PLUGINS": "__all__",
    }
    query = PackagedFunction("query", package, environment, logs=folder)
    event = json.loads(EVENT.read_text("utf-8"))
    event["rawPath"] = event["requestContext"]["http"]["path"] = f"/bots/{SAMPLE_BOT}/search"
    event["body"], event["isBase64Encoded"] = json.dumps({"question": "How often should I oil the chain?"}), False
    begin = time.perf_counter()
    query.start()
    outcome = query.invoke(event)
    seconds = time.perf_counter() - begin
    query.stop()
    if outcome.is_error or outcome.payload["statusCode"] != 200 or not json.loads(outcome.payload["body"])["hits"]:
        raise RuntimeError(f"The packaged query function did not find anything: {outcome.payload}")
    return seconds
