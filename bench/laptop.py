"""A whole Lockstep in a folder of its own, started as anybody starts it, and looked at from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from pg8000.native import Connection

from infra.local.milvus import free_port
from infra.local.state import State
from infra.local.up import SAMPLE_BOT
from layers.model.build import ensure_model

MODEL = Path(".lockstep/model")
SAMPLE = Path("infra/sample")
START_SECONDS = 120.0
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class RunningLaptop:
    """A running instance."""

    state: State
    pid: int
    url: str
    api: httpx2.Client

    def bucket_of(self, bot: str) -> Path:
        """The folder whose files become the bot's documents; made with the bot if it is not there."""
        if self.api.get(f"/bots/{bot}").status_code == 404:
            self.api.post("/bots", json={"slug": bot}).raise_for_status()
        folder = self.state.bucket / bot
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def state_of(self, bot: str, name: str) -> str:
        """The state of the document, or "" if there is none of that name."""
        return str(self.document(bot, name).get("state", ""))

    def document(self, bot: str, name: str) -> dict[str, Any]:
        """The document of that name as the API tells of it; empty if there is none. Raises RuntimeError if it is no good."""
        answer = self.api.get(f"/bots/{bot}/documents", params={"name": name}).raise_for_status().json()
        found: list[dict[str, Any]] = answer["documents"]
        if found and found[0]["state"] in ("rejected", "failed"):
            raise RuntimeError(f"{name} is {found[0]['state']}: {found[0]['reason']}")
        return found[0] if found else {}

    def delivered(self, bot: str) -> tuple[int, int]:
        """How many passages of the bot are proven in the index, of how many there are."""
        sql = (
            "select count(*) filter (where m.state = 'delivered'), count(*) from markers m"
            " join bots b on b.bot_id = m.bot_id where b.slug = :slug and m.wanted = 'present'"
        )
        ((done, total),) = self.select(sql, slug=bot)
        return int(done), int(total)

    def unlinked(self, bot: str) -> int:
        """How many pairs of the bot are not in its graph yet."""
        sql = "select count(*) from unlinked u join bots b on b.bot_id = u.bot_id where b.slug = :slug"
        return int(self.select(sql, slug=bot)[0][0])

    def wait_for_sample(self) -> None:
        """Wait until what every first start loads is live."""
        files, live = len(list(SAMPLE.iterdir())), 0
        while live < files:
            time.sleep(0.2)
            answer = self.api.get(f"/bots/{SAMPLE_BOT}/documents", params={"state": "live"})
            live = len(answer.json().get("documents", []))

    def select(self, sql: str, **parameters: Any) -> list[list[Any]]:
        """What the catalog holds: read past the product, which has no query for it."""
        url = urlsplit(self.state.read_running()["environment"]["LOCKSTEP_POSTGRES_URL"])
        (sockets,) = parse_qs(url.query)["host"]
        connection = Connection(
            url.username, database=url.path.strip("/"), unix_sock=f"{sockets}/.s.PGSQL.5432", ssl_context=False
        )
        rows: list[list[Any]] = connection.run(sql, **parameters)
        connection.close()
        return rows

    def worker_memory(self) -> float:
        """Resident memory of the process that ingests, in MiB."""
        for process in Path("/proc").glob("[0-9]*"):
            try:
                command = (process / "cmdline").read_bytes()
                status = (process / "status").read_text()
            except OSError:  # it has just ended
                continue
            if b"infra.local.worker" in command and f"PPid:\t{self.pid}\n" in status:
                (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
                return int(line.split()[1]) / 1024
        raise RuntimeError("the worker does not run")


@contextmanager
def running_laptop(kept: Path | None = None) -> Iterator[RunningLaptop]:
    """Start one, and stop it at the end. Its state is in the folder `kept`, or in one that is removed at the end."""
    model = ensure_model(MODEL)
    with tempfile.TemporaryDirectory(prefix="lockstep-bench-") as folder:
        state, port = State(kept or Path(folder) / "state"), free_port()
        url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-c", "from infra.cli import main; main()", "up"]
        with (Path(folder) / "up.log").open("w") as log:
            process = subprocess.Popen(
                [*command, "--state", str(state.root), "--port", str(port)],
                env={**os.environ, "LOCKSTEP_MODEL_PATH": str(model.resolve())},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            with httpx2.Client(base_url=url, timeout=60.0) as api:
                _wait_until_ready(state, api, process, Path(folder) / "up.log")
                yield RunningLaptop(state, process.pid, url, api)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def _wait_until_ready(state: State, api: httpx2.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if api.get("/ready").status_code == 200 and state.read_running():
                return
            time.sleep(0.1)
        except httpx2.TransportError:
            time.sleep(0.1)
    raise RuntimeError(f"Lockstep did not start:\n{log.read_text()}")


def run_module(module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run a module of this package in a process of its own; returns the JSON that it prints."""
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{module}", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    if done.returncode:
        raise RuntimeError(f"bench.{module} failed:\n{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
