"""A real PgBouncer in transaction mode in front of the embedded Postgres."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from infra.local.child import Child
from infra.local.milvus import free_port, is_listening

_CONFIGURATION = """
[databases]
* = host={sockets} port=5432 user=lockstep

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
max_client_conn = 100
server_reset_query_always = 1
"""


def find_pgbouncer() -> str:
    found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip("PgBouncer is not installed (Debian: apt-get install pgbouncer)")
    return found


@contextmanager
def pgbouncer(direct_url: str, folder: Path) -> Iterator[str]:
    """The address (host:port) of a pooler in front of the server behind `direct_url`."""
    port = free_port()
    (sockets,) = parse_qs(urlsplit(direct_url).query)["host"]
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(_CONFIGURATION.format(sockets=sockets, port=port))
    server = Child(
        "PgBouncer", [find_pgbouncer(), str(configuration)], log=folder / "pgbouncer.log", never_as_root=True
    )
    server.start()
    server.wait_until(lambda: is_listening(port), seconds=20)
    yield f"127.0.0.1:{port}"
    server.stop()
