"""A Postgres that takes too long, or does not answer at all: nobody waits for it longer than a question may take."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.local.postgres import EmbeddedPostgres
from shared import postgres
from shared.errors import CircuitOpenError, OverdueError, StoreUnavailableError
from shared.postgres import PostgresClient, Transaction


@contextmanager
def frozen(data: Path) -> Iterator[None]:
    """The server and all its children stand still meanwhile."""
    server = int((data / "postmaster.pid").read_text().split()[0])
    told = subprocess.run(["pgrep", "-P", str(server)], capture_output=True, text=True, check=True).stdout
    processes = [server, *map(int, told.split())]
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


def test_a_server_that_hangs_is_given_up_and_then_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("CONNECT_TIMEOUT_SECONDS", "GRACE_SECONDS"):
        monkeypatch.setattr(postgres, limit, 0.3)
    server = EmbeddedPostgres(tmp_path / "data", durable=False)
    server.start()
    try:
        client = PostgresClient(server.url(), statement_timeout_seconds=0.3)
        assert client.transact(lambda tx: tx.value("ping")) == 1
        with frozen(tmp_path / "data"):
            for _ in range(2):
                with pytest.raises(StoreUnavailableError):
                    client.transact(lambda tx: tx.value("ping"))
            with pytest.raises(CircuitOpenError, match="The last time: Postgres did not answer"):
                client.transact(lambda tx: tx.value("ping"))
        client.close()
    finally:
        server.stop()


def test_a_statement_that_takes_too_long_is_run_once(catalog_url: str) -> None:
    client = PostgresClient(catalog_url, statement_timeout_seconds=0.3)
    runs = 0

    def sleep(tx: Transaction) -> None:
        nonlocal runs
        runs += 1
        tx.script("select pg_sleep(60)")

    with pytest.raises(OverdueError, match="Postgres could not finish in time"):
        client.transact(sleep)
    assert runs == 1
    assert client.transact(lambda tx: tx.value("ping")) == 1
    client.close()
