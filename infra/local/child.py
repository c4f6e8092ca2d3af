"""A child process that logs to a file and does not outlive its parent, however that ends."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from shared.errors import LockstepError

# gRPC would start its threads again in every fork, before the exec that follows; a process of several threads may not
# enter a user namespace.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000


class Child:
    """One child process. Start it from the main thread: Linux ends it with the thread that started it."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        never_as_root: bool = False,
    ) -> None:
        self.name = name
        self._command = list(command)
        self._log = log
        self._environment = environment
        self._stop_signal = stop_signal
        self._never_as_root = never_as_root
        self._process: subprocess.Popen[bytes] | None = None
        self._log_begin = 0

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._log_begin = log.tell()
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=None if self._environment is None else dict(self._environment),
                start_new_session=True,  # Ctrl-C reaches the parent alone, which stops its children in order
                preexec_fn=in_child(self._stop_signal, never_as_root=self._never_as_root),
            )

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait_until(self, is_ready: Callable[[], bool], *, seconds: float) -> None:
        """Wait until the child answers. Raises LockstepError, with the end of its log, if it ends or takes too long."""
        deadline = time.monotonic() + seconds
        while not is_ready():
            if not self.is_running():
                raise LockstepError(f"{self.name} ended while starting. {self.told()}")
            if time.monotonic() > deadline:
                raise LockstepError(f"{self.name} was not ready after {seconds:.0f} s. {self.told()}")
            time.sleep(0.02)

    def told(self) -> str:
        """The end of its log, and where that is."""
        return f"The end of {self._log}:\n{self.log_tail()}"

    def log_tail(self, lines: int = 12) -> str:
        """The last lines since it was started; what stands before them is of an earlier time."""
        with suppress(FileNotFoundError), self._log.open("rb") as log:
            log.seek(self._log_begin)
            return "\n".join(log.read().decode("utf-8", "replace").splitlines()[-lines:]) or "(empty)"
        return "(empty)"

    def stop(self, *, seconds: float = 15.0) -> None:
        """Ask it to end, and end it if it does not."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(self._stop_signal)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def in_child(stop_signal: signal.Signals, *, never_as_root: bool) -> Callable[[], None]:
    """What runs in the child between fork and exec."""
    libc = ctypes.CDLL(None, use_errno=True)
    drop_root = never_as_root and os.geteuid() == 0

    def prepare() -> None:
        if drop_root:
            _leave_root(libc)
        if sys.platform == "linux":
            libc.prctl(_PR_SET_PDEATHSIG, int(stop_signal))

    return prepare


def _leave_root(libc: ctypes.CDLL) -> None:
    """Postgres refuses to run as root: in a user namespace of its own it has another number and the same rights on files."""
    if libc.unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "a user namespace is refused here: run as an ordinary user, not as root")
    for path, content in (("setgroups", "deny"), ("uid_map", "1000 0 1"), ("gid_map", "1000 0 1")):
        with open(f"/proc/self/{path}", "w") as file:
            file.write(content)
