"""Which distributions each part of a package needs, and how they get there. One source: pyproject.toml, pinned."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.markers import default_environment
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
    "requests": "pymilvus asks with it for the clusters of a global endpoint: a stand-in of a few lines does",
}

RequirementsOf = Callable[[str], Iterable[str]]


class PackagingError(LockstepError):
    """The package cannot be built."""


def read_requirements(pyproject: Path, functions: Sequence[str]) -> dict[str, list[str]]:
    """By part: the project's dependencies and the extra `s3` for the layer, the extra of its name for a function."""
    project: dict[str, Any] = tomllib.loads(pyproject.read_text("utf-8"))["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    layer = [*project["dependencies"], *extras[LAYER_EXTRA]]
    return {LAYER: layer} | {name: extras.get(name, []) for name in functions}


def read_pins(constraints: Path, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Version by canonical name: the pins that hold for that environment, or for where this runs."""
    lines = (line.strip() for line in constraints.read_text("utf-8").splitlines())
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    where = environment if environment is not None else _here()
    return {canonicalize_name(pin.name): str(pin.specifier).strip("=") for pin in pins if _holds(pin, "", where)}


def requirements_of(name: str) -> Iterable[str]:
    """What an installed distribution requires, by its own word. Raises PackagingError if it is not installed."""
    try:
        return metadata.requires(name) or ()
    except metadata.PackageNotFoundError:
        raise PackagingError(
            f"{name} is needed there and not installed here, so what it needs itself is not known: run this from the "
            "environment that `make test` installs, with the Python that the package is for."
        ) from None


def needed(
    requirements: Iterable[str], environment: Mapping[str, str], of: RequirementsOf = requirements_of
) -> set[str]:
    """The canonical names of everything that those requirements lead to, but for what is not needed."""
    seen: set[tuple[str, str]] = set()
    waiting = [(Requirement(text), "") for text in requirements]
    while waiting:
        requirement, extra = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in NOT_NEEDED or not _holds(requirement, extra, environment):
            continue
        for wanted in {"", *requirement.extras} - {known for distribution, known in seen if distribution == name}:
            seen.add((name, wanted))
            waiting += [(Requirement(text), wanted) for text in of(name)]
    return {name for name, _ in seen}


def check_pinned(names: Iterable[str], pins: Mapping[str, str], pins_here: Mapping[str, str]) -> None:
    """Raises ConfigurationError unless each is pinned, and what is installed here is what is pinned for here."""
    if unpinned := sorted(name for name in names if name not in pins):
        raise ConfigurationError(f"constraints.txt pins no version of {', '.join(unpinned)}: add what was tested.")
    for name in sorted(names):
        if (version := metadata.version(name)) != pins_here.get(name):
            raise ConfigurationError(
                f"{name} {version} is installed, constraints.txt has {pins_here.get(name)}: what was tested is not what "
                "would be packaged. Install what is pinned (make clean test)."
            )


def install(pins: Mapping[str, str], folder: Path, target: Target) -> None:
    """Unpack exactly those into the folder. Raises PackagingError."""
    folder.mkdir(parents=True, exist_ok=True)
    if target.is_host:
        for name in pins:
            _copy_installed(name, folder)
    elif pins:
        wanted = [f"{name}=={version}" for name, version in sorted(pins.items())]
        _run_pip("install", "--no-deps", "--no-compile", "--target", str(folder), *target.pip_options(), *wanted)


def _copy_installed(name: str, folder: Path) -> None:
    """For where this runs, the very files that are installed: no download, and nothing that was not tested."""
    for file in metadata.distribution(name).files or ():
        if not {"..", "__pycache__"} & set(file.parts):
            target = folder / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(file.locate()), target)


def _run_pip(*arguments: str) -> None:
    """Run this interpreter's pip; what it prints goes to stderr. Raises PackagingError."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    # pip shows its progress on stdout, which belongs to our caller; 2 is stderr even where sys.stderr was replaced.
    if subprocess.run(command, stdout=2, check=False).returncode:
        raise PackagingError(f"pip {arguments[0]} failed; what it said is above.")


def _here() -> dict[str, str]:
    return {name: str(value) for name, value in default_environment().items()}


def _holds(requirement: Requirement, extra: str, environment: Mapping[str, str]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({**environment, "extra": extra})
