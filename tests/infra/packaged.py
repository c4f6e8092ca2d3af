"""Runs packaged functions as the cloud does: in the real runtime client, from the package alone.

The interpreter is the one below the virtual environment, without its site-packages: what is not in the package or in
the runtime cannot be imported.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from infra.local.child import Child
from tests.infra.runtime_api import Outcome, RuntimeApi

RUNTIME = ("awslambdaric", "simplejson", "snapshot-restore-py")  # what the cloud's own part of a runtime consists of
_BOOT = "import sys; sys.path[:0] = sys.argv.pop(1).split(':'); from awslambdaric.__main__ import main; main(sys.argv)"


def bare_python(*arguments: str) -> list[str]:
    """A command for the base interpreter with nothing installed."""
    base: str = getattr(sys, "_base_executable", sys.executable)
    return [base, "-I", "-S", *arguments]


def copy_runtime(folder: Path) -> Path:
    """Copy the runtime client out of the environment, apart from the package, as /var/runtime is in the cloud."""
    for name in RUNTIME:
        for file in metadata.distribution(name).files or ():
            if ".." not in file.parts:
                target = folder / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file.locate(), target)
    return folder


@dataclass(frozen=True, slots=True)
class Package:
    """A built package and the runtime that it runs in."""

    folder: Path
    runtime: Path

    def search_path(self, function: str) -> list[str]:
        """In the cloud: /var/task, /opt/python, /var/runtime."""
        return [str(self.folder / function), str(self.folder / "layer" / "python"), str(self.runtime)]

    @property
    def model(self) -> Path:
        return self.folder / "layer" / "model"


class PackagedFunction:
    """One packaged function, as a process that takes one event after the other. Use it from the main thread."""

    def __init__(
        self,
        name: str,
        package: Package,
        environment: Mapping[str, str],
        *,
        logs: Path,
        handler: str = "",
        python_options: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.api = RuntimeApi(name)
        handler = handler or f"functions/{name}/handler.handler"  # as serverless.yml has it
        command = bare_python(*python_options, "-c", _BOOT, ":".join(package.search_path(name)), handler)
        self._process = Child(
            name,
            command,
            log=logs / f"{name}.log",
            environment=self._environment(package, environment),
            may_outlive=True,  # its cold start is measured; without its API it ends by itself
        )

    def _environment(self, package: Package, environment: Mapping[str, str]) -> dict[str, str]:
        return {
            "PATH": "/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "AWS_LAMBDA_RUNTIME_API": self.api.address,
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{self.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "local",
            "AWS_REGION": "eu-central-1",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "LAMBDA_TASK_ROOT": str(package.folder / self.name),
            **environment,
        }

    def start(self) -> None:
        self._process.start()

    def invoke(self, event: Any, *, time_left_seconds: float = 120.0) -> Outcome:
        """The outcome of one event; `time_left_seconds` is what the function is told. Raises RuntimeError if it ends."""
        return self.api.invoke(event, time_left_seconds=time_left_seconds, is_alive=self._process.is_running)

    def init_error(self, *, seconds: float = 60.0) -> Any:
        """What the function reported instead of getting ready."""
        return self.api.init_errors.get(timeout=seconds)

    def stop(self) -> None:
        self._process.stop(seconds=2.0)
        self.api.close()
