"""A child process that logs to a file and does not outlive its parent, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from shared.errors import LockstepError

_LAUNCH = Path(__file__).with_name("launch.py")


class Child:
    """One child process. Start it from the main thread: Linux ends it with the thread that started it.

    With `may_outlive` it is not ended so, and starts some hundredths of a second sooner.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        never_as_root: bool = False,
        may_outlive: bool = False,
    ) -> None:
        self.name = name
        self._command = list(command)
        self._log = log
        self._environment = environment
        self._stop_signal = stop_signal
        self._never_as_root = never_as_root
        self._may_outlive = may_outlive
        self._process: subprocess.Popen[bytes] | None = None
        self._log_begin = 0

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        command = self._command
        if not self._may_outlive:
            command = launched(command, self._stop_signal, never_as_root=self._never_as_root)
        with self._log.open("ab") as log:
            self._log_begin = log.tell()
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=None if self._environment is None else dict(self._environment),
                start_new_session=True,  # Ctrl-C reaches the parent alone, which stops its children in order
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


def launched(command: Sequence[str], stop_signal: signal.Signals, *, never_as_root: bool) -> list[str]:
    """The command as one that gets that signal when this process ends."""
    root = "leave" if never_as_root else "keep"
    return [sys.executable, "-I", "-S", str(_LAUNCH), str(os.getpid()), str(int(stop_signal)), root, *command]
