"""Logs: one JSON object a line, whatever is in it, and never where a command prints. Metrics: counted, sent once, rendered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from shared import telemetry
from shared.errors import StoreUnavailableError
from shared.resilience import Circuit
from shared.telemetry import METRICS, UNSENT_OBSERVATIONS, Meter, emit, prometheus_text

ROOT = Path(__file__).parents[2]
HOSTILE = 'library/a\n{"level":"ERROR","message":"forged"}\r\u2028\ud800"\x00.txt'


def log(statement: str, **environment: str) -> subprocess.CompletedProcess[str]:
    script = f"from shared.telemetry import logger\nkey = {HOSTILE!r}\n{statement}"
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )


def test_a_record_is_one_line_of_json_beside_what_a_command_prints() -> None:
    done = log("logger().warning('a\\nb', key=key, number=1)\nprint('result')")
    assert done.stdout == "result\n"
    (line,) = done.stderr.strip().split("\n")
    record = json.loads(line)
    assert (record["level"], record["service"], record["message"]) == ("WARNING", "lockstep", "a\nb")
    assert (record["key"], record["number"]) == (HOSTILE, 1)


def test_an_error_brings_its_traceback_in_the_same_line() -> None:
    done = log("try:\n    1 / 0\nexcept ZeroDivisionError:\n    logger().exception('it failed')")
    (line,) = done.stderr.strip().split("\n")
    record = json.loads(line)
    assert "ZeroDivisionError" in record["exception"]
    assert record["level"] == "ERROR"


def test_the_level_is_chosen_by_the_environment() -> None:
    statement = "logger().info('quiet')\nlogger().error('loud')"
    assert len(log(statement, POWERTOOLS_LOG_LEVEL="ERROR").stderr.strip().split("\n")) == 1
    assert len(log(statement, POWERTOOLS_LOG_LEVEL="INFO").stderr.strip().split("\n")) == 2


def test_a_key_of_the_context_is_in_every_line_within_and_in_none_after() -> None:
    done = log(
        "from shared.telemetry import logging_context\n"
        "with logging_context(request_id='r', version=None):\n"
        "    logger().info('outer')\n"
        "    with logging_context(document_id='d'):\n"
        "        logger().info('inner')\n"
        "    logger().info('outer again')\n"
        "logger().info('after')"
    )
    records = [json.loads(line) for line in done.stderr.strip().split("\n")]
    assert [(record.get("request_id"), record.get("document_id")) for record in records] == [
        ("r", None),
        ("r", "d"),
        ("r", None),
        (None, None),
    ]
    assert "version" not in records[0]


def test_the_context_of_one_thread_is_not_another_s() -> None:
    done = log(
        "from threading import Thread\n"
        "from shared.telemetry import logging_context\n"
        "with logging_context(document_id='d'):\n"
        "    thread = Thread(target=lambda: logger().info('elsewhere'))\n"
        "    thread.start()\n"
        "    thread.join()"
    )
    assert "document_id" not in json.loads(done.stderr)


# Metrics


def test_counters_add_up_and_gauges_are_replaced() -> None:
    meter = Meter()
    meter.count("deliveries", 3)
    meter.count("deliveries")
    meter.measure("snapshot_bytes", 5)
    meter.measure("snapshot_bytes", 2)
    assert {(sample.name, sample.value) for sample in meter.samples()} == {("deliveries", 4), ("snapshot_bytes", 2)}


def test_nothing_is_lost_when_threads_count_at_once() -> None:
    meter = Meter()

    def count_often() -> None:
        for _ in range(2_000):
            meter.count("sweeps")

    threads = [Thread(target=count_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [sample.value for sample in meter.samples()] == [8_000]


@pytest.mark.parametrize("wrong", ["delivery", "snapshot_bytes", "query_seconds"])
def test_a_counter_that_is_none_is_a_mistake(wrong: str) -> None:
    with pytest.raises((KeyError, AssertionError)):
        Meter().count(wrong)


def test_prometheus_finds_each_metric_described_once_and_its_samples_below() -> None:
    meter = Meter()
    meter.count("store_failures", 2, store='a "store"\\\n')
    meter.count("store_failures", 1, store="index")
    meter.observe("query_seconds", 0.02, operation="ask")
    meter.observe("query_seconds", 99.0, operation="ask")
    lines = prometheus_text(meter.samples()).splitlines()
    assert lines[:3] == [
        f"# HELP lockstep_query_seconds {METRICS['query_seconds'].help}",
        "# TYPE lockstep_query_seconds histogram",
        'lockstep_query_seconds_bucket{operation="ask",le="0.01"} 0',
    ]
    assert 'lockstep_query_seconds_bucket{operation="ask",le="0.025"} 1' in lines
    assert 'lockstep_query_seconds_bucket{operation="ask",le="30.0"} 1' in lines
    assert 'lockstep_query_seconds_bucket{operation="ask",le="+Inf"} 2' in lines
    assert 'lockstep_query_seconds_sum{operation="ask"} 99.02' in lines
    assert 'lockstep_query_seconds_count{operation="ask"} 2' in lines
    assert lines[-4:] == [
        f"# HELP lockstep_store_failures_total {METRICS['store_failures'].help}",
        "# TYPE lockstep_store_failures_total counter",
        r'lockstep_store_failures_total{store="a \"store\"\\\n"} 2',
        'lockstep_store_failures_total{store="index"} 1',
    ]


def test_embedded_metrics_hold_what_is_new_with_its_dimensions(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "lockstep-production")
    meter = Meter()
    meter.count("deliveries", 3)
    meter.measure("markers", 7, state="failed")
    for seconds in range(UNSENT_OBSERVATIONS + 1):
        meter.observe("query_seconds", seconds, operation="ask")
    emit(meter.take_unsent())
    meter.count("deliveries", 2)
    emit(meter.take_unsent())
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(records) == 4
    for record in records:
        (described,) = record["_aws"]["CloudWatchMetrics"]
        assert described["Namespace"] == "Lockstep"
        assert record["service"] == "lockstep-production"
    by_name = {each["Name"]: (record, dims) for record in records[:3] for each, dims in _described(record)}
    assert by_name["deliveries"][0]["deliveries"] == [3]
    assert (by_name["markers"][0]["markers"], by_name["markers"][0]["state"]) == ([7], "failed")
    assert set(by_name["markers"][1]) == {"service", "state"}
    assert len(by_name["query_seconds"][0]["query_seconds"]) == UNSENT_OBSERVATIONS
    assert records[3]["deliveries"] == [2]


def test_nothing_new_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    emit(Meter().take_unsent())
    assert capsys.readouterr().out == ""


def test_a_store_that_fails_is_counted_and_its_circuit_once(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = Meter()
    monkeypatch.setattr("shared.resilience.count", meter.count)
    circuit = Circuit("index", failures=2, rest_seconds=0.0)

    def fail() -> None:
        raise StoreUnavailableError

    for _ in range(3):
        with pytest.raises(StoreUnavailableError):
            circuit.call(fail)
    assert {(sample.name, sample.dimensions, sample.value) for sample in meter.samples()} == {
        ("store_failures", (("store", "index"),), 3),
        ("circuits_opened", (("store", "index"),), 1),
    }


def test_counting_and_timing_load_no_vendor() -> None:
    script = (
        "import sys\nfrom shared.telemetry import count, meter, prometheus_text, timed\n"
        "count('flips')\nwith timed('query_seconds', operation='ask'): pass\n"
        "prometheus_text(meter().samples())\nprint('aws_lambda_powertools' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_process_has_one_meter() -> None:
    before = {sample.value for sample in telemetry.meter().samples() if sample.name == "flips"} or {0.0}
    telemetry.count("flips", 5)
    after = {sample.value for sample in telemetry.meter().samples() if sample.name == "flips"}
    assert after == {value + 5 for value in before}


def _described(record: dict[str, Any]) -> list[tuple[dict[str, Any], list[str]]]:
    (described,) = record["_aws"]["CloudWatchMetrics"]
    return [(each, described["Dimensions"][0]) for each in described["Metrics"]]
