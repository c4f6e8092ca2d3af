"""Milvus Lite as a server on loopback, so that several workers share it."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from infra.local.child import Child

# Rows that wait in memory are searched one by one in Python: a small limit moves them into indexed segments early.
MEMORY_LIMIT_BYTES = 4_000_000


class EmbeddedMilvus:
    """A Milvus Lite server over one data folder."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._port = free_port()
        command = [sys.executable, "-c", "from milvus_lite.cmdline import main; main()", "server"]
        command += ["--data-dir", str(data), "--host", "127.0.0.1", "--port", str(self._port)]
        self.child = Child(
            "Milvus Lite",
            command,
            log=data.parent / "milvus.log",
            environment={**os.environ, "MILVUS_LITE_MEMTABLE_MEMORY_LIMIT_BYTES": str(MEMORY_LIMIT_BYTES)},
        )

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        return self.child.pid

    def start(self) -> None:
        remove_unreadable_indexes(self._data)
        self.child.start()

    def wait(self, *, seconds: float = 60.0) -> None:
        """Raises LockstepError with the server's own words if it cannot start."""
        self.child.wait_until(lambda: is_listening(self._port), seconds=seconds)

    def stop(self) -> None:
        self.child.stop()

    def is_running(self) -> bool:
        return self.child.is_running()


def remove_unreadable_indexes(data: Path) -> None:
    """Whoever was killed while writing one leaves it in half, and its collection cannot be loaded; without, it is built anew."""
    for file in data.glob("collections/*/partitions/*/indexes/*.idx"):
        if not _is_readable(file):
            file.unlink()


def _is_readable(file: Path) -> bool:
    import numpy as np

    if not file.name.endswith(".flat.idx"):
        return file.stat().st_size > 0
    try:
        np.load(file, mmap_mode="r", allow_pickle=False)  # its head, and whether as much follows as that says
    except (ValueError, OSError, EOFError):
        return False
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0
