"""Large documents within the memory of a small function, from the file to passages: measured from outside, in a process."""

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
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path), str(model_folder)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["passages"] > passages
    assert found["mib"] < MAX_MIB, found
