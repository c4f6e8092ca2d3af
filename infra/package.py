"""Builds what is deployed: the layer and the four functions, as folders and as zips.

    python -m infra.package                  # both of the cloud's architectures below dist/
    python -m infra.package --host           # for this interpreter and machine: what the tests run

The dependencies come from pyproject.toml at the versions of constraints.txt. They are fetched again only when one of
those files, or how a package is made, has changed; the project's own code is copied each time.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from infra.packaging.archive import CLOUD_BYTES, LIMIT_BYTES, MIB, Part, check_sizes, files_of, make_archive
from infra.packaging.bytecode import compile_tree, find_interpreter
from infra.packaging.dependencies import (
    LAYER,
    PackagingError,
    check_pinned,
    install,
    needed,
    read_pins,
    read_requirements,
)
from infra.packaging.pruning import add_stand_ins, prune
from infra.packaging.target import MACHINES, Target
from layers.model.build import RECORD, ensure_model, is_built
from shared.embedder import read_model
from shared.errors import LockstepError

ROOT = Path(__file__).parent.parent
FUNCTIONS = ("ingest", "query", "sync", "backup")
MODEL = Path(".lockstep/model")
PLACES = {LAYER: "/opt/python"} | dict.fromkeys(FUNCTIONS, "/var/task")  # where the cloud unpacks them
CODE_STAMP = "code.sha256"
_TESTS_ONLY = ("__pycache__", "testing")

Say = Callable[[str], None]


def build_package(
    target: Target,
    out: Path,
    *,
    model: Path = MODEL,
    next_model: Path | None = None,
    certificates: Path | None = None,
    say: Say = print,
) -> list[Part]:
    """Build everything for one target below `out`; returns the layer and the functions.

    `next_model` goes with it while bots move to another embedder.
    `certificates` is a file of authorities to trust, for a Postgres whose vendor is one itself.
    Raises PackagingError, also when a function with the layer is too large, and what ensure_model raises.
    """
    folder = out / target.name
    parts = {name: Part(name, folder / name) for name in (LAYER, *FUNCTIONS)}
    interpreter = find_interpreter(target)
    model = ensure_model(model)
    with _held(folder):
        _place_dependencies(folder, parts, target, interpreter, say)
        _place_code(folder, parts, interpreter)
        _place_model(model, parts[LAYER].folder / "model")
        _place_next_model(next_model, parts[LAYER].folder / "next-model")
        _place_certificates(certificates, parts[LAYER].folder / "certificates.pem")
        limit = LIMIT_BYTES if next_model is None else CLOUD_BYTES
        check_sizes(parts[LAYER], [parts[name] for name in FUNCTIONS], limit)
        if not target.is_host:
            for part in parts.values():
                make_archive(part)
    if interpreter is None:
        say(f"Not compiled ahead of time: there is no Python {target.python} on PATH. Cold starts take longer.")
    return list(parts.values())


def _place_dependencies(
    folder: Path, parts: dict[str, Part], target: Target, interpreter: str | None, say: Say
) -> None:
    environment = target.marker_environment()
    requirements = read_requirements(ROOT / "pyproject.toml", FUNCTIONS)
    pins = read_pins(ROOT / "constraints.txt", environment)
    stamp, code_stamp = folder / "dependencies.sha256", folder / CODE_STAMP
    inputs = _digest_of([requirements, pins, repr(target), bool(interpreter)], ROOT / "infra" / "packaging")
    if _says(stamp, inputs):
        say(f"{target.name}: the dependencies are as they were")
        return
    stamp.unlink(missing_ok=True)
    code_stamp.unlink(missing_ok=True)  # the code lies among them
    wanted = {name: needed(requirements[name], environment) for name in parts}
    check_pinned(set().union(*wanted.values()), pins, read_pins(ROOT / "constraints.txt"))
    for name, part in parts.items():
        say(f"{target.name}: installing what {name} needs")
        shutil.rmtree(part.folder, ignore_errors=True)
        site = part.folder / "python" if name == LAYER else part.folder
        own = wanted[name] if name == LAYER else wanted[name] - wanted[LAYER]
        install({key: pins[key] for key in own}, site, target)
        prune(site, licences=part.folder / "licenses")
        if name == LAYER:
            add_stand_ins(site)
        _compile(site, interpreter, name)
    stamp.write_text(inputs)


def _place_code(folder: Path, parts: dict[str, Part], interpreter: str | None) -> None:
    """Nothing is touched if it is there already: a function may be running from this very folder."""
    stamp, inputs = folder / CODE_STAMP, _digest_of(bool(interpreter), ROOT / "shared", ROOT / "functions")
    if _says(stamp, inputs):
        return
    stamp.unlink(missing_ok=True)
    _copy_code(ROOT / "shared", parts[LAYER].folder / "python" / "shared")
    _compile(parts[LAYER].folder / "python" / "shared", interpreter, LAYER, "shared")
    for name in FUNCTIONS:
        code = parts[name].folder / "functions"
        _copy_code(ROOT / "functions" / name, code / name)
        shutil.copyfile(ROOT / "functions" / "__init__.py", code / "__init__.py")
        _compile(code, interpreter, name, "functions")
    stamp.write_text(inputs)


def _copy_code(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(*_TESTS_ONLY))


def _compile(folder: Path, interpreter: str | None, part: str, below: str = "") -> None:
    if interpreter:
        compile_tree(folder, interpreter=interpreter, place=f"{PLACES[part]}/{below}".rstrip("/"))


def _place_model(model: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    if is_built(target, model / RECORD):
        return
    names = [*json.loads((model / RECORD).read_text("utf-8"))["files"], RECORD]
    for path in target.iterdir():
        path.unlink()
    for name in names:
        shutil.copyfile(model / name, target / name)


def _place_next_model(model: Path | None, target: Path) -> None:
    if model is None:
        shutil.rmtree(target, ignore_errors=True)
        return
    read_model(model)  # says what is wrong with it
    _place_model(model, target)


def _place_certificates(source: Path | None, target: Path) -> None:
    target.unlink(missing_ok=True)
    if source:
        if not source.is_file():
            raise PackagingError(f"There is no file {source}.")
        shutil.copyfile(source, target)


def _digest_of(said: object, *folders: Path) -> str:
    """Changes with what is said, and with every file below those folders."""
    files = [path for folder in folders for path in files_of(folder) if "__pycache__" not in path.parts]
    contents = [(str(path), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]
    return hashlib.sha256(json.dumps([said, contents]).encode()).hexdigest()


def _says(stamp: Path, inputs: str) -> bool:
    return stamp.exists() and stamp.read_text() == inputs


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """One build of a target at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def table(parts: Sequence[Part]) -> str:
    """What each part weighs, and where it is."""
    rows = [f"{part.name:10}{part.size / MIB:10.1f}{_zip_of(part)}" for part in parts]
    return "\n".join([f"{'part':10}{'MiB':>10}{'zip MiB':>10}", *rows])


def _zip_of(part: Part) -> str:
    return (
        f"{part.archive.stat().st_size / MIB:10.1f}  {part.archive}"
        if part.archive.exists()
        else f"{'':12}{part.folder}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    chosen = tuple(MACHINES) if options.arch == "all" else (options.arch,)
    targets = [Target.host()] if options.host else [Target(options.python, name) for name in chosen]
    begin = time.monotonic()
    try:
        for target in targets:
            parts = build_package(
                target,
                options.out,
                model=options.model,
                next_model=options.next_model,
                certificates=options.certificates,
                say=_tell,
            )
            print(f"\n{target.name}\n{table(parts)}\n")
    except LockstepError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Built in {time.monotonic() - begin:.0f} s.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.package",
        description="Build what is deployed: one layer (dependencies, shared code, model) and the four functions.",
        epilog="infra/README.md says how they are deployed.",
    )
    parser.add_argument(
        "--python", default="3.13", metavar="X.Y", help="the version that runs it (default: %(default)s)"
    )
    parser.add_argument("--arch", choices=(*MACHINES, "all"), default="all", help="for which machine (default: both)")
    parser.add_argument("--out", type=Path, default=Path("dist"), help="the folder to build in (default: %(default)s)")
    parser.add_argument(
        "--model", type=Path, default=MODEL, metavar="FOLDER",
        help="the embedder: the default one is built there if it holds none (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--next-model", type=Path, metavar="FOLDER",
        help="an embedder that bots are moving to: /opt/next-model in the cloud",
    )  # fmt: skip
    parser.add_argument(
        "--certificates", type=Path, metavar="FILE",
        help="authorities to trust, for a Postgres that needs sslrootcert: /opt/certificates.pem in the cloud",
    )  # fmt: skip
    parser.add_argument(
        "--host", action="store_true", help="for this interpreter and machine, not zipped: what the tests run"
    )
    return parser


def _tell(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
