"""Takes out of installed distributions what a function never opens."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

_OTHER_UTILITIES = (
    *("auth_alpha", "batch", "circuit_breaker", "data_classes", "data_masking", "feature_flags"),
    *("idempotency", "kafka", "parameters", "parser", "streaming"),
)
# What the openai client loads only when it is asked for it; here it is asked for chat completions alone.
_OTHER_APIS = (
    *("admin", "audio", "beta", "containers", "conversations", "evals", "fine_tuning", "live", "realtime"),
    *("skills", "uploads", "vector_stores", "webhooks"),
)

# Patterns below the folder that the distributions were installed into. tests/infra/test_package.py imports from the
# package whatever the functions import, and test_runtime.py runs it; who needs something of this list takes it off.
NEVER_OPENED = (
    "bin",
    "**/tests",
    # For compilers and type checkers.
    *(f"**/*.{suffix}" for suffix in ("a", "c", "cpp", "h", "hpp", "pxd", "pxi", "pyi", "pyx")),
    "**/py.typed",
    "pydantic/mypy.py",
    # A copy of the library for programs in C: the Python module holds it already. The others prepare models.
    "onnxruntime/capi/libonnxruntime.so.*",
    *(f"onnxruntime/{part}" for part in ("backend", "datasets", "quantization", "tools", "transformers")),
    "onnxruntime/ThirdPartyNotices.txt",
    *(f"numpy/{part}" for part in ("distutils", "f2py", "fft", "ma", "polynomial", "random", "testing")),
    *(f"numpy/{part}" for part in ("_pyinstaller", "core", "ctypeslib", "doc")),
    *(f"numpy/_core/{part}" for part in ("lib", "_simd.*", "*_tests.*")),
    *(f"grpc/{part}" for part in ("beta", "framework")),
    "pymilvus/bulk_writer",
    "botocore/data/*/*/examples-1.json",
    "dateutil/zoneinfo",  # pg8000 uses the parser alone
    # The logger is all that is used.
    *(f"aws_lambda_powertools/{part}" for part in ("event_handler", *(f"utilities/{it}" for it in _OTHER_UTILITIES))),
    # python-docx needs etree alone, and its templates for new documents not at all.
    *(f"lxml/{part}" for part in ("builder*", "html", "includes", "isoschematron", "objectify*", "sax*")),
    "docx/templates/default-docx-template",
    "pypdfium2_cli",
    *(f"openai/{part}/{api}" for part in ("resources", "types") for api in _OTHER_APIS),
    *(f"openai/{part}" for part in ("cli", "lib/beta", "lib/live", "lib/responses_websocket")),
    "fastapi_offline/static/redoc*",
    "pydantic/v1",
    "starlette/testclient.py",
    "urllib3/contrib/emscripten",
)
AWS_SERVICES = ("s3", "sqs")  # of some four hundred that botocore describes

# Distributions that ask at import for the version that they were installed as, or for their own entry points.
ASKED_FOR = ("httpcore2", "httpx2", "opentelemetry_api", "pg8000", "scramp")
_LICENCE = re.compile(r"(licen[cs]e|notice|copying|authors)", re.IGNORECASE)

STAND_INS = {"pandas": "pandas", "pydantic_v1.py": "pydantic/v1.py", "requests.py": "requests.py"}


def prune(folder: Path, *, licences: Path) -> None:
    """Remove it from `folder`. The distributions' licences go to a folder of their own."""
    for record in sorted(folder.glob("*.dist-info")):
        _keep_licences(record, licences / record.name.split("-")[0])
        _reduce_record(record)
    for pattern in NEVER_OPENED:
        for path in list(folder.glob(pattern)):
            _remove(path)
    for package in ("boto3", "botocore"):
        _keep_services(folder / package / "data")


def add_stand_ins(folder: Path) -> None:
    """Put the small modules where the large ones would be."""
    source = Path(__file__).parent / "stand_in"
    for name, place in STAND_INS.items():
        if (source / name).is_dir():
            shutil.copytree(source / name, folder / place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source / name, folder / place)


def _keep_services(data: Path) -> None:
    """Leave what describes the services that are used. Each client parses the whole list of endpoints."""
    for path in data.glob("*/"):
        if path.name not in AWS_SERVICES:
            _remove(path)
    endpoints = data / "endpoints.json"
    if endpoints.exists():
        known = json.loads(endpoints.read_text("utf-8"))
        for partition in known["partitions"]:
            services = partition["services"]
            partition["services"] = {name: services[name] for name in AWS_SERVICES if name in services}
        endpoints.write_text(json.dumps(known), "utf-8")


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
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
