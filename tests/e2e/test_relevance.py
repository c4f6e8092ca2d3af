"""`python -m relevance` from beginning to end, on a made-up set and an instance as anybody starts it."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

from functions.query.reranking import CAN_BE_LEFT_OUT
from relevance.sets import CORPORA
from tests.conftest import ROOT

TOWNS = ["Ankara", "Bursa", "Çanakkale", "Diyarbakır", "Edirne", "Isparta", "İzmir", "Şanlıurfa"]


def write_set(data: Path) -> None:
    """In place of XQuAD in Turkish: the answers of the last two questions are those of others."""
    for folder in ("corpora", "xquad_tr"):
        (data / folder).mkdir(parents=True)
    records = [
        {"id": str(n), "title": town, "text": f"{town} kalesi {1900 + n} yılında onarıldı."}
        for n, town in enumerate(TOWNS)
    ]
    (data / CORPORA["xquad-tr"]).write_bytes(gzip.compress("\n".join(map(json.dumps, records)).encode()))
    questions = [{"id": f"q{n}", "text": f"{town} kalesi ne zaman onarıldı?"} for n, town in enumerate(TOWNS)]
    (data / "xquad_tr" / "queries.jsonl").write_text("\n".join(map(json.dumps, questions)))
    answers = [*range(len(TOWNS) - 2), 0, 1]
    (data / "xquad_tr" / "qrels.tsv").write_text("".join(f"q{n}\t{a}\t1\n" for n, a in enumerate(answers)))


def run(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "relevance", "--sets", "xquad-tr", *arguments],
        cwd=ROOT,
        env={**os.environ, "LOCKSTEP_TEST_DATA": str(data)},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def test_a_corpus_is_loaded_once_and_a_missed_promise_is_an_error(tmp_path: Path, model_folder: Path) -> None:
    data, state = tmp_path / "data", tmp_path / "state"
    write_set(data)
    first = run(data, "--state", str(state), "--out", str(tmp_path / "runs"))
    assert first.returncode == 1, first.stdout + first.stderr
    assert "| xquad-tr | 8 " in first.stdout
    assert "MISSED" in first.stdout
    assert "Promises missed: 1." in first.stdout
    assert "without lexical" in first.stdout
    assert len(list((tmp_path / "runs").iterdir())) == 1 + len(CAN_BE_LEFT_OUT)
    (loaded,) = (line for line in first.stderr.splitlines() if "live since" in line)
    assert "8 pairs, 8 passages" in loaded

    again = run(data, "--state", str(state), "--no-ablation", "--limit", "7")
    assert again.returncode == 0, again.stdout + again.stderr
    assert loaded in again.stderr.splitlines()
    assert "no promise is held or missed" in again.stdout
    assert "without lexical" not in again.stdout
