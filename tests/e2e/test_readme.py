"""The commands of the README, as they stand there."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.e2e.test_laptop import LOCKSTEP, Laptop, wait_for

README = (ROOT / "README.md").read_text("utf-8")


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Iterator[Laptop]:
    made = Laptop(tmp_path_factory.mktemp("readme") / "state", model_folder)
    made.start()
    yield made
    if made.process is not None:
        made.stop()


def commands(begin: str) -> list[str]:
    """The indented lines that begin so, in order."""
    return re.findall(rf"^    ({re.escape(begin)}.*?)(?:  +#.*)?$", README, re.MULTILINE)


def test_make_knows_what_the_readme_tells_to_make() -> None:
    targets = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert targets >= set(re.findall(r"`?make ([a-z]+)", README))


def test_the_commands_of_the_first_minutes(laptop: Laptop, tmp_path: Path) -> None:
    wait_for(lambda: len(laptop.json("documents", "list", "demo", "--in", "live")) == 4)
    (tmp_path / "FOLDER").mkdir()
    (tmp_path / "FOLDER" / "NAME").write_text("Dogs wait at the door, on a leash.")
    said = {}
    for command in commands(".venv/bin/lockstep "):
        _, *arguments = shlex.split(command)
        if arguments[0] == "up":
            continue
        where = [f"file://{tmp_path}/stick" if a.startswith("file:") else a for a in arguments]
        asked = ["Where do dogs wait?" if a == "…" else a for a in where]
        done = subprocess.run(
            [LOCKSTEP, *asked], cwd=tmp_path, env=laptop.environment, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        said[command] = done.stdout
    answers = [answer for command, answer in said.items() if " ask " in command]
    assert answers[0].split("[1]")[0].strip() in README.replace("\n    ", " ")
    assert "on a leash" in answers[1]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_http_commands(laptop: Laptop) -> None:
    create, put, ask = (
        shlex.split(command.replace("localhost:8000", f"127.0.0.1:{laptop.port}")) for command in commands("curl ")
    )

    def run(command: list[str]) -> str:
        return subprocess.run([*command, "-sS", "--max-time", "60"], cwd=ROOT, capture_output=True, text=True).stdout

    assert '"slug":"shop"' in run(create)
    assert '"name":"faq.csv"' in run(put)
    assert "from Tuesday to Saturday" in run(ask)


def test_every_path_that_is_named_is_there() -> None:
    named = re.findall(r"`((?:functions|shared|infra|layers|tests)/[\w./]+)`", README)
    assert len(named) > 15
    assert [path for path in named if not (ROOT / path).exists()] == []
