"""A warm process that has everything imported and nothing connected, and forks the workers.

It has one thread and no channel of gRPC, so a fork of it is as sound as a process that was started anew, and a hundred
times as quick. It is asked over its standard input, line by line.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from crash.deployment import Deployment
from crash.worker import Order, work

ROOT = Path(__file__).parents[1]
LONGEST_SECONDS = 60.0  # a worker that takes longer hangs


class Zygote:
    """The parent's end."""

    def __init__(self, deployment: Deployment, log: Path) -> None:
        environment = {**os.environ, "GRPC_ENABLE_FORK_SUPPORT": "0", "POWERTOOLS_LOG_LEVEL": "CRITICAL"}
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "crash.zygote", json.dumps(deployment.as_values())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                cwd=ROOT,
                env=environment,
            )

    def start(self, order: Order) -> int:
        """Fork a worker; returns its process id."""
        return int(self._ask("start", order.as_line()))

    def wait(self, pid: int) -> str:
        """What became of it: `ended`, `killed`, `stopped` or `hung` (then it is killed)."""
        return str(self._ask("wait", pid))

    def resume(self, pid: int) -> None:
        self._ask("resume", pid)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def _ask(self, verb: str, what: object) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps([verb, what]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("The process that forks the workers has ended: see its log.")
        return json.loads(answer)


def main() -> None:
    """Answer one request a line, until the parent is gone."""
    import starlette.testclient  # noqa: F401

    deployment, children = Deployment(**json.loads(sys.argv[1])), set[int]()
    for line in sys.stdin:
        verb, what = json.loads(line)
        if verb == "start":
            answer: Any = _fork(deployment, json.loads(what))
            children.add(answer)
        elif verb == "wait":
            answer = _wait(what)
            children -= {what} if answer != "stopped" else set()
        else:
            os.kill(what, signal.SIGCONT)
            answer = what
        print(json.dumps(answer), flush=True)
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def _fork(deployment: Deployment, order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        work(deployment, Order(**order))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _wait(pid: int) -> str:
    deadline = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < deadline:
        found, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
        if found:
            if os.WIFSTOPPED(status):
                return "stopped"
            if os.WIFSIGNALED(status):
                return "killed"
            return "ended" if os.WEXITSTATUS(status) == 0 else "broke"
        time.sleep(0.003)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return "hung"


if __name__ == "__main__":
    main()
