"""The steps of packaging, each on a few small files."""

from __future__ import annotations

import gzip
import json
import os
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.packaging.archive import Part, check_sizes, make_archive
from infra.packaging.bytecode import compile_tree, find_interpreter
from infra.packaging.dependencies import (
    PackagingError,
    check_pinned,
    install,
    needed,
    read_pins,
    read_requirements,
    requirements_of,
)
from infra.packaging.pruning import add_stand_ins, prune
from infra.packaging.target import Target
from shared.errors import ConfigurationError
from tests.conftest import ROOT

CLOUD = Target("3.13", "arm64")


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


def tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


# Which distributions


def test_the_layer_gets_what_all_need_and_a_function_its_extra(tmp_path: Path) -> None:
    project = tmp_path / "pyproject.toml"
    project.write_text('[project]\ndependencies = ["a"]\n[project.optional-dependencies]\ns3 = ["b"]\nquery = ["c"]\n')
    assert read_requirements(project, ("query", "sync")) == {"layer": ["a", "b"], "query": ["c"], "sync": []}


def test_pins_are_those_of_the_target_and_not_of_here(tmp_path: Path) -> None:
    constraints = tmp_path / "constraints.txt"
    constraints.write_text(
        "# tested\nnumpy==1; python_version < '3.12'\nnumpy==2; python_version >= '3.12'\nPy_Pkg==3\n"
    )
    assert read_pins(constraints, CLOUD.marker_environment()) == {"numpy": "2", "py-pkg": "3"}
    assert read_pins(constraints, Target("3.11", "x86_64").marker_environment())["numpy"] == "1"


def test_what_is_needed_follows_extras_and_the_markers_of_the_target() -> None:
    requires = {
        "a": ["b[fast]>=1", "only-windows; sys_platform == 'win32'", "pandas"],
        "b": ["c", "d; extra == 'fast'", "e; extra == 'slow'"],
        "c": ["a"],
        "d": ["arm; platform_machine == 'aarch64'"],
        "arm": [],
    }
    assert needed(["A"], CLOUD.marker_environment(), requires.__getitem__) == {"a", "b", "c", "d", "arm"}
    assert "arm" not in needed(["a"], Target("3.13", "x86_64").marker_environment(), requires.__getitem__)


def test_what_is_not_installed_here_cannot_be_asked_what_it_needs() -> None:
    assert "packaging" not in requirements_of("tenacity")
    with pytest.raises(PackagingError, match="no-such-distribution is needed there and not installed here"):
        requirements_of("no-such-distribution")


def test_a_distribution_without_a_pin_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"pins no version of tenacity"):
        check_pinned(["tenacity"], {}, {})


def test_a_distribution_other_than_the_pinned_one_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"tenacity \S+ is installed, constraints.txt has 0.1"):
        check_pinned(["tenacity"], {"tenacity": "0.1"}, {"tenacity": "0.1"})


def test_for_this_machine_the_installed_files_are_copied(tmp_path: Path) -> None:
    install({"tenacity": "whichever"}, tmp_path, Target.host())
    assert (tmp_path / "tenacity" / "__init__.py").is_file()
    assert not list(tmp_path.rglob("*.pyc"))


def test_for_the_cloud_its_own_wheels_are_fetched(tmp_path: Path) -> None:
    pins = read_pins(ROOT / "constraints.txt", CLOUD.marker_environment())
    try:
        install({"annotated-types": pins["annotated-types"]}, tmp_path / "probe", CLOUD)
    except PackagingError:
        pytest.skip("the package registry cannot be reached")
    install({"orjson": pins["orjson"]}, tmp_path, CLOUD)
    (library,) = tmp_path.glob("orjson/*.so")
    assert library.name == "orjson.cpython-313-aarch64-linux-gnu.so"
    assert library.read_bytes()[18:20] == b"\xb7\x00"  # the machine in an ELF header: AArch64


# For which machine


def test_pip_is_told_every_kind_of_wheel_that_runs_there() -> None:
    options = CLOUD.pip_options()
    assert {"manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"} <= set(options)
    assert not [option for option in options if "x86_64" in option]
    assert options[options.index("--python-version") + 1] == "3.13"


def test_a_target_has_a_folder_of_its_own() -> None:
    assert CLOUD.name == "arm64-python3.13"
    assert Target.host().name == f"host-python{sys.version_info.major}.{sys.version_info.minor}"


# What stays


def test_pruning_leaves_what_runs_and_the_licences(tmp_path: Path) -> None:
    files = {
        "pkg/__init__.py": "code",
        "pkg/tests/test_pkg.py": "test",
        "pkg/stubs.pyi": "stub",
        "numpy/core.py": "code",
        "numpy/ma/core.py": "never imported",
        "bin/tool": "script",
        "pkg-1.0.dist-info/METADATA": "Name: pkg\n\nA readme.",
        "pkg-1.0.dist-info/licenses/LICENSE": "Do what you like.",
    }
    site = write(tmp_path / "site", files)
    prune(site, licences=tmp_path / "licences")
    assert tree(site) == {"pkg/__init__.py", "numpy/core.py"}
    assert (tmp_path / "licences" / "pkg" / "LICENSE").read_text() == "Do what you like."


def test_what_asks_for_its_version_keeps_it_and_no_readme(tmp_path: Path) -> None:
    metadata = "pg8000-1.31.6.dist-info/METADATA"
    files = {
        metadata: "Name: pg8000\nVersion: 1.31.6\n\nA long readme.",
        "pg8000-1.31.6.dist-info/RECORD": "pg8000.py,,",
    }
    prune(write(tmp_path, files), licences=tmp_path / "licences")
    assert tree(tmp_path) == {metadata}
    assert (tmp_path / metadata).read_text() == "Name: pg8000\nVersion: 1.31.6\n"


def test_of_the_cloud_s_services_only_those_in_use_stay(tmp_path: Path) -> None:
    data = tmp_path / "botocore" / "data"
    for service in ("s3", "sqs", "ec2"):
        (data / service).mkdir(parents=True)
        (data / service / "service.json.gz").write_bytes(gzip.compress(b"{}"))
    endpoints = {"partitions": [{"services": {"s3": {"endpoints": 1}, "ec2": {}}}]}
    (data / "endpoints.json").write_text(json.dumps(endpoints))
    prune(tmp_path, licences=tmp_path / "licences")
    assert {path.name for path in data.iterdir()} == {"s3", "sqs", "endpoints.json"}
    assert json.loads((data / "endpoints.json").read_text()) == {"partitions": [{"services": {"s3": {"endpoints": 1}}}]}


def test_stand_ins_take_the_places_of_the_large_ones(tmp_path: Path) -> None:
    (tmp_path / "pydantic").mkdir()
    add_stand_ins(tmp_path)
    assert {"pandas/__init__.py", "pandas/api/types.py", "pydantic/v1.py", "requests.py"} <= tree(tmp_path)


# Compiled, and packed


def test_the_interpreter_must_be_of_the_target_s_version() -> None:
    here = find_interpreter(Target.host())
    assert here is not None
    assert Path(here).is_absolute()
    assert find_interpreter(Target("2.6", "x86_64")) is None


def test_a_module_that_does_not_compile_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def")
    with pytest.raises(PackagingError, match=r"broken\.py"):
        compile_tree(tmp_path, interpreter=sys.executable, place="/opt")


def test_a_zip_is_the_same_whenever_and_in_whatever_order_its_files_came(tmp_path: Path) -> None:
    first, second = Part("a", tmp_path / "1" / "a"), Part("a", tmp_path / "2" / "a")
    write(first.folder, {"one": "1", "two/three": "3"})
    write(second.folder, {"two/three": "3", "one": "1"})
    os.utime(second.folder / "one", (0, 0))
    (second.folder / "one").chmod(0o600)
    for part in (first, second):
        make_archive(part)
    assert first.archive.read_bytes() == second.archive.read_bytes()
    with zipfile.ZipFile(first.archive) as archive:
        assert archive.namelist() == ["one", "two/three"]
        assert archive.getinfo("one").external_attr >> 16 == 0o100644


def test_a_zip_is_made_again_when_a_file_has_changed(tmp_path: Path) -> None:
    part = Part("a", write(tmp_path / "a", {"one": "1"}))
    make_archive(part)
    before = part.archive.read_bytes()
    write(part.folder, {"one": "2"})
    make_archive(part)
    assert part.archive.read_bytes() != before


def test_the_size_that_counts_is_that_of_the_layer_and_one_function(tmp_path: Path) -> None:
    layer, ingest, query = (Part(name, tmp_path / name) for name in ("layer", "ingest", "query"))
    for part, size in ((layer, 60), (ingest, 30), (query, 40)):
        write(part.folder, {"file": "x" * size})
    check_sizes(layer, [ingest, query], limit=100)
    with pytest.raises(PackagingError, match="query with the layer is"):
        check_sizes(layer, [ingest, query], limit=99)
