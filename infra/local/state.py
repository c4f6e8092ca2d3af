"""The state folder: everything that a laptop deployment holds, under one lock."""

from __future__ import annotations

import errno
import fcntl
import ipaddress
import json
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from shared.errors import ConfigurationError

DEFAULT_STATE = Path(".lockstep")
FORMAT = 1


@dataclass(frozen=True, slots=True)
class State:
    """Where things are in the state folder."""

    root: Path

    @property
    def bucket(self) -> Path:
        return self.root / "bucket"

    @property
    def backups(self) -> Path:
        return self.root / "backups"

    @property
    def model(self) -> Path:
        return self.root / "model"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres" / "data"

    @property
    def milvus(self) -> Path:
        return self.root / "milvus" / "data"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def worker_metrics(self) -> Path:
        return self.logs / "worker-metrics.json"

    @property
    def hints(self) -> Path:
        return self.root / "hints"

    @property
    def running(self) -> Path:
        return self.root / "running.json"

    @property
    def sample_mark(self) -> Path:
        return self.root / "sample-loaded"

    def prepare(self) -> None:
        """Make the folder. Raises ConfigurationError if it is not one of ours, or damaged."""
        self.root.mkdir(parents=True, exist_ok=True)
        form = self.root / "format"
        if not form.exists():
            harmless = ("lock", "format.new", self.model.name, "models")  # `make model` writes there
            others = (path for path in self.root.iterdir() if path.name not in harmless)
            if any(
                not (path / form.name).is_file() for path in others
            ):  # a state folder of its own may be there before
                raise ConfigurationError(
                    f"{self.root} is not a state folder of Lockstep, or a damaged one (its file `format` is missing). "
                    "Name another with --state, or move this one away; `lockstep restore` brings a snapshot back."
                )
            _write_whole(form, f"{FORMAT}\n")
        elif (found := form.read_text("utf-8", "replace").strip()) != str(FORMAT):
            raise ConfigurationError(f"{form} says {found!r}, this Lockstep knows {FORMAT}.")
        for folder in (self.bucket, self.backups, self.hints, self.logs, self.milvus):
            folder.mkdir(parents=True, exist_ok=True)

    def lock(self) -> IO[str]:
        """Hold the folder until the file is closed. Raises ConfigurationError if another instance holds it."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            file = (self.root / "lock").open("a+")
        except OSError as error:
            raise ConfigurationError(
                f"{self.root} cannot be used as state folder ({error.strerror}): name another with --state."
            ) from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            where = self.read_running().get("url", "")
            raise ConfigurationError(
                f"Lockstep is running on {self.root} already{f', at {where}' if where else ''}. Stop it there with Ctrl-C, "
                "or start another one with --state FOLDER --port PORT."
            ) from None
        return file

    def read_running(self) -> dict[str, Any]:
        """What the instance that runs on this folder wrote about itself; empty if there is none."""
        try:
            found = json.loads(self.running.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def write_running(self, content: dict[str, Any]) -> None:
        _write_whole(self.running, json.dumps(content, indent=1))

    def signing_key(self) -> str:
        """The key that presigned uploads are signed with; made at the first start, and anew where a crash left it empty."""
        path = self.root / "signing.key"
        if not path.exists() or not path.read_bytes().strip():
            _write_whole(path, secrets.token_hex(32))
        return path.read_text()


def _write_whole(path: Path, text: str) -> None:
    """The file appears with all of its text, or not at all; only its owner may read it."""
    temporary = path.with_name(f"{path.name}.new")
    temporary.touch(mode=0o600)
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def check_port(host: str, port: int) -> None:
    """Raises ConfigurationError if nothing can listen there, or somebody else does."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise ConfigurationError(f"Port {port} on {host} is taken: choose one with --port.") from None
        why = error.strerror if isinstance(error, OSError) else "it is no name of a machine"
        raise ConfigurationError(
            f"Nothing can listen at port {port} on {host} ({why}): choose an address of this machine with --host (127.0.0.1 "
            "for it alone, 0.0.0.0 for all that it has), or another --port."
        ) from None


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
