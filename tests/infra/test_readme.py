"""The commands of the pages for operators: each exists, with the options that it is given there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

README = (ROOT / "infra" / "README.md").read_text("utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "infra").glob("*.md"))]
# A command within backticks or on a line of its own; what follows is cut at comments and closing backticks.
_COMMAND = re.compile(r"(?:\.venv/bin/|`)lockstep ([a-z][^`#\n]*)")
LOCKSTEP = sorted({command for page in PAGES for command in _COMMAND.findall(page.read_text("utf-8"))})
PARAMS = sorted(set(re.findall(r"--param '?(\w+)=", README)) | set(re.findall(r"`(\w+(?:Concurrency|Days))`", README)))


def help_of(*command: str) -> str:
    done = subprocess.run([*command, "--help"], capture_output=True, text=True, check=False, env={"COLUMNS": "200"})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_there_are_commands_to_check() -> None:
    assert len(LOCKSTEP) >= 30
    assert {"alarmEmail", "architecture", "syncRate", "snapshotDays"} <= set(PARAMS)


@pytest.mark.parametrize("command", LOCKSTEP)
def test_a_lockstep_command_has_the_options_it_is_given(command: str) -> None:
    words = command.split()
    group = 2 if words[0] in ("bots", "documents") else 1
    known = help_of(str(Path(sys.executable).parent / "lockstep"), *words[:group])
    assert {word for word in words[group:] if word.startswith("--") and word not in known} == set()


def test_the_packager_has_the_options_it_is_given() -> None:
    known = help_of(sys.executable, "-m", "infra.package")
    given = set(re.findall(r'ARGS="(--\w+)', README)) | {"--python"}
    assert given == {"--certificates", "--model", "--python"}
    assert {option for option in given if option not in known} == set()


@pytest.mark.parametrize("name", PARAMS)
def test_a_parameter_is_one_of_serverless_yml(name: str) -> None:
    service = (
        (ROOT / "serverless.yml").read_text("utf-8").replace("!Sub", "").replace("!Ref", "").replace("!GetAtt", "")
    )
    assert name in yaml.safe_load(service)["params"]["default"]
