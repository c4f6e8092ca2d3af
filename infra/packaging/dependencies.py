"""Which distributions each part of a package needs, and how they get there. One source: pyproject.toml, pinned."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra.packaging.target import Target
from shared.errors import ConfigurationError, LockstepError

LAYER = "layer"
LAYER_EXTRA = "s3"

# What others ask for and nothing here needs. `tests/infra/test_package.py` proves it: every module that the functions
# import is imported from the package alone.
NOT_NEEDED = {
    "flatbuffers": "onnxruntime reads models with the C++ library that is built into it",
    "huggingface-hub": "tokenizers asks for it only when it downloads a tokenizer; ours is a file",
    "packaging": "onnxruntime's tools import it, the session does not",
    "pandas": "pymilvus compares types with it: a stand-in of a few lines does",
}


class PackagingError(LockstepError):
    """The package cannot be built."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """One distribution that pip chose."""

    name: str
    version: str
    requires: tuple[Requirement, ...]

    @property
    def pin(self) -> str:
        return f"{self.name}=={self.version}"


def read_requirements(pyproject: Path, functions: Sequence[str]) -> dict[str, list[str]]:
    """By part: the project's dependencies and the extra `s3` for the layer, the extra of its name for a function."""
    project: dict[str, Any] = tomllib.loads(pyproject.read_text("utf-8"))["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    layer = [*project["dependencies"], *extras[LAYER_EXTRA]]
    return {LAYER: layer} | {name: extras.get(name, []) for name in functions}


def read_constraints(file: Path, environment: Mapping[str, str]) -> list[str]:
    """The pins that hold for that environment, without their markers: pip would compare them with its own."""
    lines = (line.strip() for line in file.read_text("utf-8").splitlines())
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return sorted(f"{pin.name}{pin.specifier}" for pin in pins if _holds(pin, "", environment))


def resolve(requirements: Iterable[str], constraints: Sequence[str], target: Target) -> dict[str, Resolved]:
    """What pip would install for those requirements, by canonical name. Nothing is installed. Raises PackagingError."""
    with tempfile.TemporaryDirectory() as folder:
        pins, report = Path(folder) / "constraints.txt", Path(folder) / "report.json"
        pins.write_text("\n".join(constraints), "utf-8")
        wanted = ["--constraint", str(pins), "--target", str(Path(folder) / "nothing"), *requirements]
        run_pip("install", "--dry-run", "--ignore-installed", "--report", str(report), *target.pip_options(), *wanted)
        chosen = [item["metadata"] for item in json.loads(report.read_text("utf-8"))["install"]]
    found = [
        Resolved(item["name"], item["version"], tuple(map(Requirement, item.get("requires_dist", ()))))
        for item in chosen
    ]
    _check_pinned(found, constraints)
    return {canonicalize_name(item.name): item for item in found}


def needed(
    requirements: Iterable[str], resolved: Mapping[str, Resolved], environment: Mapping[str, str]
) -> dict[str, Resolved]:
    """Everything that those requirements lead to, but for what is not needed. Raises PackagingError if one is missing."""
    found: dict[str, Resolved] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(Requirement(text), "") for text in requirements]
    while waiting:
        requirement, extra = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in NOT_NEEDED or not _holds(requirement, extra, environment):
            continue
        if name not in resolved:
            raise PackagingError(
                f"Nothing was found for {requirement}, because pip compares markers with the Python that it runs on: "
                f"run this with Python {environment['python_version']}."
            )
        found[name] = resolved[name]
        for wanted in {"", *requirement.extras} - {known for distribution, known in seen if distribution == name}:
            seen.add((name, wanted))
            waiting += [(following, wanted) for following in resolved[name].requires]
    return found


def install(distributions: Iterable[Resolved], folder: Path, target: Target) -> None:
    """Unpack exactly those into the folder. Raises PackagingError."""
    pins = sorted(item.pin for item in distributions)
    folder.mkdir(parents=True, exist_ok=True)
    if pins:
        run_pip("install", "--no-deps", "--no-compile", "--target", str(folder), *target.pip_options(), *pins)


def run_pip(*arguments: str) -> None:
    """Run this interpreter's pip; what it prints goes to stderr. Raises PackagingError."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    # pip shows its progress on stdout, which belongs to our caller; 2 is stderr even where sys.stderr was replaced.
    if subprocess.run(command, stdout=2, check=False).returncode:
        raise PackagingError(f"pip {arguments[0]} failed; what it said is above.")


def _holds(requirement: Requirement, extra: str, environment: Mapping[str, str]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({**environment, "extra": extra})


def _check_pinned(found: Iterable[Resolved], constraints: Iterable[str]) -> None:
    pinned = {canonicalize_name(Requirement(line).name) for line in constraints}
    if unpinned := sorted(item.name for item in found if canonicalize_name(item.name) not in pinned):
        raise ConfigurationError(f"constraints.txt pins no version of {', '.join(unpinned)}: add what was tested.")
