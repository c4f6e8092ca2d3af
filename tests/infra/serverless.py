"""The CloudFormation template that osls makes of serverless.yml."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.package import FUNCTIONS
from infra.packaging.dependencies import LAYER
from infra.packaging.target import MACHINES
from tests.conftest import ROOT

OSLS = "osls@4.3.1"
REGION = "eu-central-1"


@dataclass(frozen=True, slots=True)
class Template:
    """What would be deployed, and what osls said while it made it."""

    file: Path
    content: dict[str, Any]
    said: str

    def of_type(self, kind: str) -> dict[str, Any]:
        """The properties of every resource of a type, by its name in the template."""
        found = self.content["Resources"].items()
        return {name: resource.get("Properties", {}) for name, resource in found if resource["Type"] == kind}

    def function(self, name: str) -> Any:
        return self.content["Resources"][f"{name.capitalize()}LambdaFunction"]["Properties"]

    def environment(self, name: str) -> dict[str, Any]:
        variables: dict[str, Any] = self.function(name)["Environment"]["Variables"]
        return variables

    def permissions(self, role: str) -> Iterator[tuple[str, str]]:
        """Every action that a role allows, with the resource that it allows it on."""
        for policy in self.content["Resources"][role]["Properties"]["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                assert statement["Effect"] == "Allow"
                for action in _listed(statement["Action"]):
                    yield from ((action, text_of(resource)) for resource in _listed(statement["Resource"]))


def make_template(folder: Path, aws_url: str, **params: str) -> Template:
    """Let osls package a copy of the service whose zips hold next to nothing. Skips the test where that cannot be."""
    _require_osls()
    shutil.copyfile(ROOT / "serverless.yml", folder / "serverless.yml")
    shutil.copytree(ROOT / "infra" / "resources", folder / "infra" / "resources")
    for machine in MACHINES:
        _write_zips(folder / "dist" / f"{machine}-python3.13")
    options = [option for name, value in params.items() for option in ("--param", f"{name}={value}")]
    # A service with a layer asks CloudFormation what is deployed already.
    account = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_ENDPOINT_URL": aws_url}
    done = _npx("package", *options, folder=folder, variables=account)
    assert done.returncode == 0, done.stdout + done.stderr
    file = folder / ".serverless" / "cloudformation-template-update-stack.json"
    said = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("npm ")]
    return Template(file, json.loads(file.read_text("utf-8")), "\n".join(said))


def text_of(value: Any) -> str:
    """A reference within a template in short: {"Fn::GetAtt": ["Queue", "Arn"]} is Queue.Arn."""
    if isinstance(value, dict):
        ((kind, target),) = value.items()
        if kind == "Fn::GetAtt":
            return ".".join(target)
        return str(target).replace("${", "").replace("}", "") if kind == "Fn::Sub" else str(target)
    return str(value)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _write_zips(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in (LAYER, *FUNCTIONS):
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            archive.writestr("readme", "next to nothing")


def _require_osls() -> None:
    if shutil.which("npx") is None:
        pytest.skip("node and npm are not installed: they run osls, which makes the template")
    if _npx("--version", folder=ROOT / "infra", variables={}).returncode != 0:
        pytest.skip(f"{OSLS} cannot be fetched: npm's registry cannot be reached")


def _npx(*arguments: str, folder: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    quiet = {"SLS_TELEMETRY_DISABLED": "1", "SLS_NOTIFICATIONS_MODE": "off", "NODE_NO_WARNINGS": "1", "CI": "1"}
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}
    command = ["npx", "--yes", OSLS, *arguments]
    environment = inherited | quiet | variables
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
