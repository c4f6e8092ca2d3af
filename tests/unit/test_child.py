"""Child processes: they end with their parent, whichever threads it has."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra.local.child import Child, launched
from shared.errors import LockstepError
from tests.conftest import ROOT

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
PARENT = """
import sys, time
from pathlib import Path
from infra.local.child import Child
child = Child("sleeper", sys.argv[2:], log=Path(sys.argv[1]))
child.start()
print(child.pid, flush=True)
time.sleep(600)
"""


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_child_ends_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", PARENT, str(log), *SLEEP]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        while not (log.exists() and "up" in log.read_text()):
            time.sleep(0.02)
        assert is_running(pid)
        parent.send_signal(signal.SIGKILL)
    while is_running(pid):
        time.sleep(0.02)


def test_a_child_whose_parent_is_gone_before_it_begins_does_not() -> None:
    command = launched(SLEEP, signal.SIGTERM, never_as_root=False)
    command[command.index(str(os.getpid()))] = "1"
    done = subprocess.run(command, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, b"")


@pytest.mark.skipif(os.geteuid() != 0, reason="is not root anyway")
def test_a_child_that_must_not_be_root_is_not() -> None:
    asked = [sys.executable, "-c", "import os; print(os.geteuid())"]
    told = [
        subprocess.run(launched(asked, signal.SIGTERM, never_as_root=never), capture_output=True, text=True).stdout
        for never in (True, False)
    ]
    assert told == ["1000\n", "0\n"]


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    child = Child("The thing", ["no-such-program"], log=tmp_path / "log")
    child.start()
    with pytest.raises(LockstepError, match="no-such-program cannot be started: No such file"):
        child.wait_until(lambda: False, seconds=60)
