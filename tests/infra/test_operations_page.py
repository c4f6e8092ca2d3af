"""The page for whoever is woken: what it names is there."""

from __future__ import annotations

import re

import yaml

from shared.telemetry import METRICS
from tests.conftest import ROOT

PAGE = (ROOT / "infra" / "OPERATIONS.md").read_text("utf-8")
ROWS = [line.split("|")[1:-1] for line in PAGE.splitlines() if line.startswith("|")][2:]


class _Template(yaml.SafeLoader):
    """Takes CloudFormation's own tags for what they hold."""


_Template.add_multi_constructor("!", lambda loader, suffix, node: suffix)


def test_every_alarm_is_in_the_table() -> None:
    template = yaml.load((ROOT / "infra/resources/alarms.yml").read_text("utf-8"), Loader=_Template)  # noqa: S506
    names = {
        resource["Properties"]["AlarmName"].partition("}-")[2]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }
    told = " ".join(row[1] for row in ROWS).replace("`…-throttles`", " ".join(n for n in names if "throttles" in n))
    assert {name for name in names if name not in told} == set()


def test_every_metric_in_the_table_is_one() -> None:
    named = {name for row in ROWS for name in re.findall(r"`(\w+)(?:\{[^}]*\})?`", row[1].partition("·")[2])}
    assert named
    assert named <= METRICS.keys()


def test_every_log_line_in_the_table_is_written_somewhere() -> None:
    code = "\n".join(
        path.read_text("utf-8") for folder in ("functions", "shared", "infra") for path in (ROOT / folder).rglob("*.py")
    )
    plain = re.sub(r'"\s*f?"', "", code).replace("`", "")
    lines = {text for row in ROWS for text in re.findall(r"`([a-zA-Z][^`…]{8,})`", row[2])}
    assert len(lines) > 10
    assert {text for text in lines if text not in plain} == set()
