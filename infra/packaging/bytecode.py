"""Compiles a package ahead of time: compiling is half of what a cold start would otherwise do."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from infra.packaging.dependencies import PackagingError
from infra.packaging.target import Target

_WHO = "import sys; print(*sys.version_info[:2], sep='.'); print(sys.executable)"


def find_interpreter(target: Target) -> str | None:
    """An interpreter of the target's version: bytecode is the same on every machine, but not for every version."""
    for candidate in (sys.executable, shutil.which(f"python{target.python}")):
        version, executable = _ask(candidate) if candidate else ("", "")
        if version == target.python:
            return executable
    return None


def compile_tree(folder: Path, *, interpreter: str, place: str) -> None:
    """Compile every module below `folder`, which will be at `place` when it runs. Raises PackagingError.

    The bytecode is trusted unseen there: a package's files have the time of its making, not of their own.
    """
    command = [interpreter, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(folder), "-p", place, str(folder)]
    # Sets are written in the order of their hashes: the same sources must give the same package.
    done = subprocess.run(command, env={"PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackagingError(f"Some modules in {folder} do not compile with {interpreter}:\n{done.stdout[-2000:]}")


def _ask(interpreter: str) -> tuple[str, str]:
    """Its version, and where it really is: on PATH may be the stand-in of a version manager, which works here alone."""
    done = subprocess.run([interpreter, "-c", _WHO], capture_output=True, text=True, check=False)
    version, _, executable = done.stdout.strip().partition("\n")
    return (version, executable) if done.returncode == 0 else ("", "")
