"""Finds every import that a packaged function can come to, also those inside functions, and imports them from it alone."""

from __future__ import annotations

import ast
import json
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.infra.packaged import Package, bare_python

PROJECT = ("functions", "shared")
Imported = tuple[str, str]  # a module, and what is taken out of it; or a module and ""

_IMPORT_ALL = """
import importlib, json, sys
sys.path[:0] = json.loads(sys.argv[1])
failures = {}
for module, name in json.loads(sys.argv[2]):
    try:
        found = importlib.import_module(module)
        if name and not hasattr(found, name):
            importlib.import_module(f"{module}.{name}")
    except Exception as error:
        failures[f"{module}:{name}"] = repr(error)
print(json.dumps(failures))
"""


def reachable_imports(package: Package, function: str) -> set[Imported]:
    """From every module of the function, through every module of the project that one of them imports anywhere."""
    places = [Path(place) for place in package.search_path(function)]
    modules = {_name_of(path, places[0]) for path in (places[0] / "functions" / function).rglob("*.py")}
    seen: set[str] = set()
    found: set[Imported] = {(module, "") for module in modules}
    while modules:
        module = modules.pop()
        seen.add(module)
        imported = set(_imports(ast.parse(_file_of(module, places).read_text("utf-8"))))
        found |= imported
        modules |= set(_project_modules(imported, places)) - seen
    return found


def import_failures(package: Package, function: str, imported: Iterable[Imported]) -> dict[str, str]:
    """What cannot be imported in a bare interpreter that has the package and nothing else."""
    paths = json.dumps(package.search_path(function)[:2])
    command = bare_python("-c", _IMPORT_ALL, paths, json.dumps(sorted(imported)))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    failures: dict[str, str] = json.loads(done.stdout)
    return failures


def _imports(node: ast.AST) -> Iterator[Imported]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Import):
            yield from ((alias.name, "") for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module:
            yield from ((child.module, alias.name) for alias in child.names)
        yield from _imports(child)


def _project_modules(imported: Iterable[Imported], places: list[Path]) -> Iterator[str]:
    for module, name in imported:
        if module.split(".")[0] in PROJECT:
            yield from (m for m in (module, f"{module}.{name}") if name != "" or m == module if _exists(m, places))


def _exists(module: str, places: list[Path]) -> bool:
    return any(path.exists() for path in _candidates(module, places))


def _file_of(module: str, places: list[Path]) -> Path:
    return next(path for path in _candidates(module, places) if path.exists())


def _candidates(module: str, places: list[Path]) -> Iterator[Path]:
    for place in places:
        path = place.joinpath(*module.split("."))
        yield from (path.with_suffix(".py"), path / "__init__.py")


def _name_of(path: Path, place: Path) -> str:
    return ".".join(path.relative_to(place).with_suffix("").parts).removesuffix(".__init__")
