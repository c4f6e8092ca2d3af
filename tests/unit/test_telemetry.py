"""Logs: one JSON object a line, whatever is in it, and never where a command prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOSTILE = 'library/a\n{"level":"ERROR","message":"forged"}\r\u2028\ud800"\x00.txt'


def log(statement: str, **environment: str) -> subprocess.CompletedProcess[str]:
    script = f"from shared.telemetry import logger\nkey = {HOSTILE!r}\n{statement}"
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )


def test_a_record_is_one_line_of_json_beside_what_a_command_prints() -> None:
    done = log("logger().warning('a\\nb', key=key, number=1)\nprint('result')")
    assert done.stdout == "result\n"
    (line,) = done.stderr.strip().split("\n")
    record = json.loads(line)
    assert (record["level"], record["service"], record["message"]) == ("WARNING", "lockstep", "a\nb")
    assert (record["key"], record["number"]) == (HOSTILE, 1)


def test_an_error_brings_its_traceback_in_the_same_line() -> None:
    done = log("try:\n    1 / 0\nexcept ZeroDivisionError:\n    logger().exception('it failed')")
    (line,) = done.stderr.strip().split("\n")
    record = json.loads(line)
    assert "ZeroDivisionError" in record["exception"]
    assert record["level"] == "ERROR"


def test_the_level_is_chosen_by_the_environment() -> None:
    statement = "logger().info('quiet')\nlogger().error('loud')"
    assert len(log(statement, POWERTOOLS_LOG_LEVEL="ERROR").stderr.strip().split("\n")) == 1
    assert len(log(statement, POWERTOOLS_LOG_LEVEL="INFO").stderr.strip().split("\n")) == 2
