"""Large documents within the memory of a small function, from the file to passages: each measured in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.parsing.samples import Text, paragraph, pdf

MAX_MIB = 500
WORDS = ("kidneys", "filter", "blood", "remove", "waste", "body", "needs", "water", "salt", "balance", "often")
# With the real tokenizer: it is what cuts passages, and the largest thing in memory.
SCRIPT = """
import json, sys
from pathlib import Path
from uuid import UUID
from functions.ingest.pairs import PairMaker
from functions.ingest.parsing import parse
from functions.ingest.passages import cut
from shared.embedder import OnnxEmbedder

path, model = Path(sys.argv[1]), Path(sys.argv[2])
embedder = OnnxEmbedder(model, threads=1)
pairs = passages = 0
with path.open("rb") as file:
    for pair in PairMaker(UUID(int=1), parse(file, path.name), "guide", {}, path.name).pairs():
        pairs += 1
        passages += sum(1 for _ in cut(pair.question, pair.response, embedder))
# Not getrusage: its peak begins with that of the process that started this one.
(peak,) = (int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({"pairs": pairs, "passages": passages, "mib": peak}))
"""
# What is loaded once is no part of what is traced. In a process of its own: other tests' threads are traced too.
STREAMED = """
import sys, tracemalloc
from pathlib import Path
from functions.ingest.parsing import parse

path = Path(sys.argv[1])
with path.open("rb") as file:
    next(iter(parse(file, path.name).content))
tracemalloc.start()
with path.open("rb") as file:
    count = sum(1 for _ in parse(file, path.name).content)
print(count, tracemalloc.get_traced_memory()[1])
"""


def line(number: int) -> str:
    """Each another one, so that nothing is taken for a repetition."""
    return " ".join(WORDS[(number * step) % len(WORDS)] for step in range(1, 13)) + f" {number}."


def text(path: Path) -> None:
    path.write_text("\n\n".join("\n".join(line(10 * n + k) for k in range(6)) for n in range(6_500)), encoding="utf-8")


def pages(path: Path) -> None:
    made = [
        [
            Text(72, 800, "Guide to the kidneys", 8),
            Text(72, 750, f"Section {line(number)[:20]}", 16),
            *paragraph([line(50 * number + k) for k in range(45)], y=720),
            Text(290, 30, str(number), 8),
        ]
        for number in range(1, 501)
    ]
    path.write_bytes(pdf(made))


@pytest.mark.parametrize(
    ("name", "make", "passages"), [("a.txt", text, 2_000), ("a.md", text, 2_000), ("a.pdf", pages, 500)]
)
def test_a_large_document_fits(
    name: str, make: Callable[[Path], None], passages: int, tmp_path: Path, model_folder: Path
) -> None:
    path = tmp_path / name
    make(path)
    found = json.loads(printed(SCRIPT, path, model_folder))
    assert found["passages"] > passages
    assert found["mib"] < MAX_MIB, found


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.jsonl", "a.json"])
def test_a_large_file_is_streamed(name: str, tmp_path: Path) -> None:
    record = b'{"text": "A sentence that is repeated quite often.", "more": "And another one."}\n'
    path = tmp_path / name
    content = b"[" + record + (b"," + record) * 20_000 + b"]" if name == "a.json" else record * 20_000
    path.write_bytes(content)
    count, peak = map(int, printed(STREAMED, path).split())
    assert count > 50
    assert peak < 1_000_000 < len(content)


def printed(script: str, *arguments: Path) -> str:
    """What a script prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
