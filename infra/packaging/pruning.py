"""Takes out of installed distributions what a function never opens."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

STAND_IN = Path(__file__).parent / "stand_in"

# Patterns below the folder that the distributions were installed into.
NEVER_OPENED = (
    "bin",
    "**/tests",
    # For compilers and type checkers.
    *(f"**/*.{suffix}" for suffix in ("a", "c", "cpp", "h", "hpp", "pxd", "pxi", "pyi", "pyx")),
    "**/py.typed",
    # A copy of the library for programs in C: the Python module holds it already. The rest prepares models.
    "onnxruntime/capi/libonnxruntime.so.*",
    *(f"onnxruntime/{part}" for part in ("backend", "datasets", "quantization", "tools", "transformers")),
    "onnxruntime/ThirdPartyNotices.txt",
    "numpy/f2py",
    "numpy/_core/lib",
    # python-docx needs etree alone.
    *(f"lxml/{part}" for part in ("html", "includes", "isoschematron", "objectify*")),
    "pypdfium2_cli",
    "fastapi_offline/static/redoc*",
    "aws_lambda_powertools/event_handler/openapi/swagger_ui",
)
AWS_SERVICES = ("s3", "sqs")  # of some four hundred that botocore describes

# Distributions that ask at import for the version that they were installed as, or for their own entry points.
ASKED_FOR = ("httpcore2", "httpx2", "opentelemetry_api", "pg8000", "scramp")
_LICENCE = re.compile(r"(licen[cs]e|notice|copying|authors)", re.IGNORECASE)


def prune(folder: Path) -> None:
    """Remove it from `folder`. Licences move to the folder `licenses` in it."""
    for record in sorted(folder.glob("*.dist-info")):
        _keep_licences(record, folder / "licenses" / record.name.split("-")[0])
        _reduce_record(record)
    for pattern in NEVER_OPENED:
        for path in list(folder.glob(pattern)):
            _remove(path)
    for path in (folder / "botocore" / "data").glob("*/"):
        if path.name not in AWS_SERVICES:
            _remove(path)


def add_stand_in(folder: Path) -> None:
    """Put the stand-in for pandas where the real one would be."""
    shutil.copytree(STAND_IN, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "__init__.py").unlink()


def _keep_licences(record: Path, target: Path) -> None:
    for path in _files(record):
        if _LICENCE.search(str(path.relative_to(record))):
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / path.name)


def _reduce_record(record: Path) -> None:
    """Leave what importlib.metadata is asked for. It parses the whole of METADATA, most of which is a readme."""
    if record.name.split("-")[0] not in ASKED_FOR:
        _remove(record)
        return
    for path in _files(record):
        if path.name == "METADATA":
            path.write_text(path.read_text("utf-8").partition("\n\n")[0] + "\n", "utf-8")
        elif path.name != "entry_points.txt":
            path.unlink()


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
