"""What is deployed: whole, small enough, the same each time, and nothing that it does not need.

It is built once, into dist/, for the interpreter that runs the tests; only the model may have to be fetched for it.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from importlib import metadata
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from infra.package import FUNCTIONS, build_package, main, table
from infra.packaging.archive import LIMIT_BYTES, MIB, Part, check_sizes, content_digest, files_of
from infra.packaging.dependencies import (
    LAYER,
    NOT_NEEDED,
    PackagingError,
    needed,
    read_pins,
    read_requirements,
)
from infra.packaging.target import Target
from layers.model.build import DownloadError
from shared.embedder import read_model
from tests.conftest import ROOT
from tests.infra.imports import import_failures, reachable_imports
from tests.infra.packaged import Package, bare_python

BUILD_ONLY = ("torch", "transformers", "sentence_transformers", "optimum", "scipy", "onnx", "milvus_lite", "pyarrow")


@pytest.fixture(scope="session")
def parts(package: Package) -> dict[str, Part]:
    return {name: Part(name, package.folder / name) for name in (LAYER, *FUNCTIONS)}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_whatever_a_function_imports_is_in_its_package(package: Package, name: str) -> None:
    imported = reachable_imports(package, name)
    assert ("shared.wiring", "") in imported or ("shared", "wiring") in imported
    assert import_failures(package, name, imported) == {}


def test_imports_inside_functions_are_among_what_is_tried(package: Package) -> None:
    query, ingest = (reachable_imports(package, name) for name in ("query", "ingest"))
    assert {("openai", "OpenAI"), ("mangum", "Mangum"), ("pymilvus", "MilvusClient"), ("boto3", "")} <= query
    assert {("pypdf", "PdfReader"), ("functions.ingest.parsing.word", "")} <= ingest
    assert ("openai", "OpenAI") not in ingest


def test_a_workbook_can_be_written_in_the_package_of_backup(package: Package, tmp_path: Path) -> None:
    program = (
        "import sys; sys.path[:0] = sys.argv[1].split(':'); from pathlib import Path; "
        "from functions.backup.export_files import XlsxFile; XlsxFile(Path(sys.argv[2])).close()"
    )
    command = bare_python("-c", program, ":".join(package.search_path("backup")), str(tmp_path))
    subprocess.run(command, check=True)
    assert (tmp_path / "export.xlsx").stat().st_size > 0


def test_data_beside_the_code_is_in_it(package: Package) -> None:
    data = [path.relative_to(ROOT) for path in (ROOT / "functions").rglob("*.toml")]
    assert data
    assert [path for path in data if not (package.folder / path.parts[1] / path).is_file()] == []


def test_what_is_missing_is_noticed(package: Package) -> None:
    assert set(import_failures(package, "sync", {("json", ""), ("mangum", "Mangum"), ("shared.rows", "nothing")})) == {
        "mangum:Mangum",
        "shared.rows:nothing",
    }


def test_every_function_with_the_layer_is_small_enough(parts: dict[str, Part]) -> None:
    check_sizes(parts[LAYER], [parts[name] for name in FUNCTIONS])
    with pytest.raises(PackagingError, match=r"ingest with the layer is \d+\.\d MiB unzipped, more than 100 MiB"):
        check_sizes(parts[LAYER], [parts["ingest"]], limit=100 * MIB)
    assert LIMIT_BYTES < 250 * MIB


def test_nothing_is_in_it_that_only_builds_or_tests(package: Package) -> None:
    names = {path.name for pattern in ("*/*", "*/python/*") for path in package.folder.glob(pattern)}
    assert not names & {*BUILD_ONLY, "pytest", "moto", "typer", "uvicorn", "pip"}
    for path in files_of(package.folder):
        assert not {"testing", "tests", "infra"} & set(path.relative_to(package.folder).parts), path


def test_pandas_is_a_stand_in_of_a_few_lines(package: Package) -> None:
    files = [path for path in files_of(package.folder / LAYER / "python" / "pandas") if path.suffix == ".py"]
    assert 0 < sum(len(path.read_text("utf-8").splitlines()) for path in files) < 100


def test_the_model_is_whole(package: Package) -> None:
    files = json.loads((package.model / "model.json").read_text("utf-8"))["files"]
    assert files.keys() | {"model.json"} == {path.name for path in package.model.iterdir()}
    for name, expected in files.items():
        assert hashlib.sha256((package.model / name).read_bytes()).hexdigest() == expected["sha256"]


def test_every_module_is_compiled_for_where_it_will_be(package: Package) -> None:
    sources = [path for path in files_of(package.folder) if path.suffix == ".py"]
    assert [path for path in sources if not Path(cache_from_source(str(path))).exists()] == []
    compiled = Path(cache_from_source(str(package.folder / "sync" / "functions" / "sync" / "handler.py"))).read_bytes()
    assert b"/var/task/functions/sync/handler.py" in compiled
    assert str(ROOT).encode() not in compiled


def test_licences_stay_with_what_they_are_for(package: Package) -> None:
    target = Target.host()
    requirements = read_requirements(ROOT / "pyproject.toml", FUNCTIONS)
    for name in (LAYER, "ingest", "query"):
        kept = {path.name.lower().replace("_", "-") for path in (package.folder / name / "licenses").iterdir()}
        own = needed(requirements[name], target.marker_environment())
        if name != LAYER:
            own -= needed(requirements[LAYER], target.marker_environment())
        with_licence = {each for each in own if _has_licence(each)}
        assert with_licence <= kept
        assert len(with_licence) > 0.8 * len(own)


def test_what_is_in_it_is_what_is_pinned(package: Package) -> None:
    pins = read_pins(ROOT / "constraints.txt")
    records = [metadata.PathDistribution(path) for path in package.folder.rglob("*.dist-info")]
    assert {"pg8000", "httpx2"} <= {record.name for record in records}
    for record in records:
        assert record.version == pins[record.name.replace("_", "-")]


def test_a_second_build_makes_the_same_and_a_third_only_what_has_changed(
    parts: dict[str, Part], model_folder: Path, tmp_path: Path
) -> None:
    def build(certificates: Path | None = None, next_model: Path | None = None) -> dict[str, str]:
        made = build_package(
            Target.host(),
            out,
            model=model_folder,
            next_model=next_model,
            certificates=certificates,
            say=lambda message: None,
        )
        return {part.name: content_digest(part.folder) for part in made}

    def times() -> dict[str, int]:
        return {path.relative_to(out).as_posix(): path.stat().st_mtime_ns for path in files_of(out)}

    out, authorities = tmp_path / "out", tmp_path / "authorities.pem"
    assert build() == {name: content_digest(part.folder) for name, part in parts.items()}
    before = times()
    authorities.write_text("-----BEGIN CERTIFICATE-----")
    build(authorities)
    changed = {name for name, time in times().items() if before.get(name) != time}
    assert changed == {f"{Target.host().name}/{name}" for name in ("lock", "layer/certificates.pem")}
    build(next_model=model_folder)
    assert read_model(out / Target.host().name / "layer" / "next-model") == read_model(model_folder)
    build()
    assert not (out / Target.host().name / "layer" / "next-model").exists()


def test_the_table_tells_what_each_part_weighs(parts: dict[str, Part]) -> None:
    lines = table(list(parts.values())).splitlines()
    assert [line.split()[0] for line in lines] == ["part", LAYER, *FUNCTIONS]


def test_an_error_is_told_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def away(model: Path) -> Path:
        raise DownloadError("no model today")

    monkeypatch.setattr("infra.package.ensure_model", away)
    assert main(["--host", "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "no model today\n"


def test_what_is_left_out_on_purpose_would_otherwise_be_in_it() -> None:
    environment = Target.host().marker_environment()
    asked_for = {requirement.split(">")[0] for requirement in read_requirements(ROOT / "pyproject.toml", ())[LAYER]}
    assert not asked_for & NOT_NEEDED.keys()
    assert not needed(["pymilvus", "tokenizers", "onnxruntime"], environment) & NOT_NEEDED.keys()


def _has_licence(name: str) -> bool:
    files = metadata.distribution(name).files or ()
    return any(".dist-info" in str(file) and "licen" in str(file).lower() for file in files)
