"""Starts everything on one machine and keeps it running: two stores, the gateway and the worker, as children."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from importlib import resources
from pathlib import Path
from types import FrameType

from functions.sync.bucket_scan import IDENTITY_KEY, bucket_deployment, claim_bucket
from infra.local.child import Child
from infra.local.environment import QUICK_START, shell
from infra.local.milvus import EmbeddedMilvus
from infra.local.postgres import EmbeddedPostgres
from infra.local.readiness import parts_of, wait_until_ready
from infra.local.state import State, check_port, is_loopback
from infra.migrate import migrate
from shared.catalog.registry import PostgresRegistry
from shared.errors import ConfigurationError, LockstepError
from shared.folder import FolderObjectStore
from shared.postgres import PostgresClient
from shared.settings import load_settings

DATABASE = "lockstep"
SAMPLE_BOT = "demo"
START_SECONDS = 60.0
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # what listens at every address, and which one is used here
# Of the store at LOCKSTEP_BACKUP_URL, and at that of `--restore`.
OF_BACKUPS = ("LOCKSTEP_S3_ENDPOINT_URL", "LOCKSTEP_S3_REGION", "LOCKSTEP_S3_ADDRESSING_STYLE")

Say = Callable[[str], None]


class Laptop:
    """The whole of Lockstep on this machine. Use it from the main thread only: children end with it."""

    def __init__(self, state: State, *, host: str = "127.0.0.1", port: int = 8000, say: Say = print) -> None:
        self.state = state
        self.url = f"http://{_in_url(EVERYWHERE.get(host, host))}:{port}"
        self._say = say
        self._postgres = EmbeddedPostgres(state.postgres)
        self._milvus = EmbeddedMilvus(state.milvus)
        self.environment = self._environment(host, port)
        between = ["--worker-metrics", str(state.worker_metrics), "--hints", str(state.hints)]
        self._gateway = self._python("gateway", ["--host", host, "--port", str(port), *between])
        self._worker = self._python("worker", between)

    def start(self) -> None:
        """Everything but the worker. Raises LockstepError, which says what is wrong."""
        self._milvus.start()
        self._gateway.start()
        self._postgres.start()
        self._prepare_catalog()
        self._milvus.wait()
        children = {"catalog": self._postgres.child, "index": self._milvus.child, "model": self._gateway}
        wait_until_ready(self._parts, {"gateway": self._gateway, **children}, seconds=START_SECONDS)
        self.state.write_running({"pid": os.getpid(), "url": self.url, "environment": self.environment})

    def start_worker(self) -> None:
        self._worker.start()

    def restore(self, url: str) -> None:
        """Restore the newest snapshot at `url`, with the command that anybody could give. Raises LockstepError."""
        command = [sys.executable, "-c", "from infra.cli import main; main()", "restore"]
        done = subprocess.run([*command, "--at", url, "--state", str(self.state.root)], env=shell(), check=False)
        if done.returncode != 0:
            raise LockstepError(f"The snapshot at {url} could not be restored.")
        self.state.sample_mark.touch()

    def stop(self) -> None:
        self.state.running.unlink(missing_ok=True)
        for child in (self._worker, self._gateway, self._milvus, self._postgres):
            child.stop()

    def watch(self, stop: threading.Event) -> None:
        """Start again what ends by itself, until told to stop."""
        while not stop.wait(0.5):
            for name, child in (("gateway", self._gateway), ("worker", self._worker)):
                if not child.is_running():
                    self._say(f"The {name} ended and is started again; the end of its log:\n{child.log_tail(5)}")
                    child.start()
            for store, start in ((self._milvus, self._milvus.start), (self._postgres, self._postgres.start)):
                if not store.is_running():
                    self._say(f"{type(store).__name__} ended and is started again; see {self.state.root}.")
                    start()

    def load_sample(self) -> None:
        """At the very first start: a small knowledge base to ask."""
        if self.state.sample_mark.exists():
            return
        self._request("POST", "/bots", b'{"slug": "%s", "name": "Bicycle workshop"}' % SAMPLE_BOT.encode())
        with resources.as_file(resources.files("infra").joinpath("sample")) as sample:
            shutil.copytree(sample, self.state.bucket / SAMPLE_BOT, dirs_exist_ok=True)
        self.state.sample_mark.touch()

    def sample_is_live(self) -> bool:
        with suppress(urllib.error.URLError):  # somebody may have deleted it already
            return b'"document_id"' in self._request("GET", f"/bots/{SAMPLE_BOT}/documents?state=live&limit=1")
        return False

    def _prepare_catalog(self) -> None:
        client = PostgresClient(self._postgres.ensure_database(DATABASE))
        migrate(client)
        self._claim_bucket(PostgresRegistry(client, client))
        client.close()

    def _claim_bucket(self, registry: PostgresRegistry) -> None:
        bucket = FolderObjectStore(self.state.bucket)
        if registry.bots() and bucket_deployment(bucket) is None:
            # Taking it for ours would take all that is missing in it for deleted.
            self._say(
                f"{self.state.bucket} is not the bucket that it was ({IDENTITY_KEY} is missing): nothing in it is compared "
                "with the catalog. Bring it back, or let `lockstep migrate` take this one."
            )
            return
        claim_bucket(bucket, registry.deployment_id())

    def _python(self, module: str, arguments: list[str]) -> Child:
        command = [sys.executable, "-m", f"infra.local.{module}", *arguments]
        environment = {**shell(), **QUICK_START, **self.environment}
        return Child(f"The {module}", command, log=self.state.logs / f"{module}.log", environment=environment)

    def _environment(self, host: str, port: int) -> dict[str, str]:
        names = {"127.0.0.1", "localhost", "::1", host}
        return {
            "LOCKSTEP_POSTGRES_URL": self._postgres.url(DATABASE),
            "LOCKSTEP_MILVUS_URI": self._milvus.uri,
            "LOCKSTEP_INDEX_PROFILE": "small",
            "LOCKSTEP_BUCKET_URL": self.state.bucket.resolve().as_uri(),
            "LOCKSTEP_BACKUP_URL": os.environ.get("LOCKSTEP_BACKUP_URL") or self.state.backups.resolve().as_uri(),
            **{name: os.environ.get(name, "") for name in OF_BACKUPS},
            "LOCKSTEP_UPLOAD_URL": f"{self.url}/presigned",
            "LOCKSTEP_UPLOAD_SIGNING_KEY": self.state.signing_key(),
            "LOCKSTEP_MODEL_PATH": os.environ.get("LOCKSTEP_MODEL_PATH") or str(self.state.model.resolve()),
            "LOCKSTEP_NEXT_MODEL_PATH": os.environ.get("LOCKSTEP_NEXT_MODEL_PATH", ""),
            "LOCKSTEP_ALLOWED_HOSTS": "*" if host in EVERYWHERE else ",".join(sorted(names)),
            "LOCKSTEP_ALLOWED_ORIGINS": ",".join(f"http://{_in_url(name)}:{port}" for name in sorted(names)),
        }

    def _parts(self) -> dict[str, str]:
        """What `/ready` says of each part; nothing as long as nobody answers."""
        try:
            return parts_of(self._request("GET", "/ready", seconds=10))
        except urllib.error.HTTPError as error:
            with error:
                return parts_of(error.read())
        except (OSError, HTTPException):
            return {}

    def _request(self, method: str, path: str, body: bytes | None = None, *, seconds: float = 30) -> bytes:
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get("LOCKSTEP_API_KEY"):
            headers["X-API-Key"] = key
        request = urllib.request.Request(self.url + path, data=body, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=seconds) as response:
            content: bytes = response.read()
        return content


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def up(state_folder: Path, *, host: str, port: int, restore: str | None = None, say: Say = print) -> None:
    """Run until Ctrl-C, after restoring a snapshot if one is named. Raises LockstepError if it cannot start."""
    begin = time.monotonic()
    if os.environ.get("LOCKSTEP_POSTGRES_URL"):
        raise ConfigurationError(
            "This shell holds the settings of another deployment (LOCKSTEP_POSTGRES_URL): open a new one, and try again."
        )
    if not is_loopback(host) and not os.environ.get("LOCKSTEP_API_KEY"):
        raise ConfigurationError(
            f"Others could reach {host}, and without a key anybody could read and delete everything: set "
            "LOCKSTEP_API_KEY to a secret that you send with every request (as X-API-Key), or leave --host out."
        )
    state = State(state_folder)
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    with state.lock():
        state.prepare()
        check_port(host, port)
        laptop = Laptop(state, host=host, port=port, say=say)
        load_settings({**shell(), **laptop.environment})  # what is wrong is told here, not in the log of a child
        _build_model(state, say)
        say("Starting Postgres, Milvus Lite, the gateway and the worker …")
        try:
            laptop.start()
            if restore:
                laptop.restore(restore)
            laptop.start_worker()
            signal.signal(signal.SIGINT, on_signal)
            signal.signal(signal.SIGTERM, on_signal)
            _load_sample(laptop, stop, say)  # before anybody is told to ask it
            say(_summary(laptop, time.monotonic() - begin))
            laptop.watch(stop)
        finally:
            say("Stopping …")
            laptop.stop()


def _build_model(state: State, say: Say) -> None:
    if os.environ.get("LOCKSTEP_MODEL_PATH"):
        return
    from layers.model.build import ensure_model

    if not (state.model / "model.json").exists():
        say("Building the embedding model (a download of 84 MB, once) …")
    ensure_model(state.model)


def _load_sample(laptop: Laptop, stop: threading.Event, say: Say) -> None:
    is_first = not laptop.state.sample_mark.exists()
    laptop.load_sample()
    deadline = time.monotonic() + 60
    while is_first and not stop.is_set() and time.monotonic() < deadline:
        if laptop.sample_is_live():
            say(f"The sample knowledge base {SAMPLE_BOT!r} is live.")
            return
        stop.wait(0.3)


def _summary(laptop: Laptop, seconds: float) -> str:
    lockstep = Path(sys.executable).parent / "lockstep"
    command = os.path.relpath(lockstep) if lockstep.exists() else "lockstep"
    bucket = os.path.relpath(laptop.state.bucket)
    return f"""
Lockstep is up after {seconds:.1f} s, and runs until Ctrl-C.

  API            {laptop.url}           documentation: {laptop.url}/docs
  bucket         {bucket}/<bot>/    what you copy there becomes a document
  logs, state    {os.path.relpath(laptop.state.logs)}/, {os.path.relpath(laptop.state.root)}/

Try, in another terminal:

  {command} ask {SAMPLE_BOT} "How often should I oil the chain?"
  {command} bots create library
  {command} upload library FOLDER --wait
  {command} ask library "…"
"""
