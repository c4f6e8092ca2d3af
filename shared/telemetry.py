"""Structured logs, one JSON object a line, and metrics: counted where it happens, written out by whoever runs the process.

Counting touches a dict and no vendor. In the cloud the figures go into the log as CloudWatch's embedded metrics when an
invocation ends; on a laptop the gateway shows them in Prometheus's text form.
"""

from __future__ import annotations

import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

NAMESPACE = "Lockstep"
BUCKETS_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
UNSENT_OBSERVATIONS = 99  # with a hundred of one metric Powertools writes them out by itself


@lru_cache(maxsize=1)
def logger() -> Logger:
    """The logger of this process; its level is POWERTOOLS_LOG_LEVEL."""
    from aws_lambda_powertools import Logger

    return Logger(service="lockstep", stream=sys.stderr)  # what a command prints is for its caller


@contextmanager
def logging_context(**keys: str | None) -> Iterator[None]:
    """Put those keys into every line that this thread logs within. What is nested adds to what is around it."""
    log = logger()
    before = dict(log.thread_safe_get_current_keys())
    log.thread_safe_append_keys(**{name: value for name, value in keys.items() if value is not None})
    try:
        yield
    finally:
        log.thread_safe_clear_keys()
        log.thread_safe_append_keys(**before)


def request_id_of(context: object) -> str:
    """The id of an invocation; one of our own where the platform gives none."""
    return str(getattr(context, "aws_request_id", None) or uuid4())


# Metrics


@dataclass(frozen=True, slots=True)
class Metric:
    """What a figure is. Bots are no dimension of any: each would cost as much as a metric of its own."""

    kind: Literal["counter", "gauge", "histogram"]
    unit: Literal["Count", "Seconds", "Bytes"]
    help: str


METRICS: Mapping[str, Metric] = {
    # Counted where it happens.
    "query_seconds": Metric("histogram", "Seconds", "How long searches and answers took, by operation."),
    "dropped_candidates": Metric("counter", "Count", "Candidates that the catalog did not vouch for."),
    "deliveries": Metric("counter", "Count", "Passages written, read back and proven."),
    "sweeps": Metric("counter", "Count", "Passages removed from the index and proven absent."),
    "postponements": Metric(
        "counter", "Count", "Passages that could not be delivered or removed, and are tried again."
    ),
    "flips": Metric("counter", "Count", "Generations made live."),
    "store_failures": Metric("counter", "Count", "Calls that a store did not answer, by store."),
    "circuits_opened": Metric(
        "counter", "Count", "Times that a store was left alone after failing repeatedly, by store."
    ),
    "notices": Metric("counter", "Count", "Notices of documents, by outcome: sent or failed."),
    # Read from the catalog.
    "markers": Metric("gauge", "Count", "Passages that wait to be written or removed, by state."),
    "oldest_marker_seconds": Metric("gauge", "Seconds", "For how long the oldest of the pending ones has waited."),
    "documents": Metric("gauge", "Count", "Documents by state."),
    "drift": Metric("gauge", "Count", "Rows in which the last audits found the stores to differ, by kind."),
    "audit_age_seconds": Metric("gauge", "Seconds", "Since the longest-ago of the last audits ended."),
    "snapshot_age_seconds": Metric(
        "gauge", "Seconds", "Since the last snapshot ended, or since there is a deployment."
    ),
    "snapshot_bytes": Metric("gauge", "Bytes", "Size of what the last snapshot names."),
    "drill_failed": Metric("gauge", "Count", "1 if the last restore drill failed, else 0."),
    "drill_age_seconds": Metric("gauge", "Seconds", "Since the last restore drill ended."),
}

Dimensions = tuple[tuple[str, str], ...]
Key = tuple[str, Dimensions]


@dataclass(slots=True)
class Histogram:
    """How often what was observed fell into each bucket."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_SECONDS) + 1))
    total: float = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(BUCKETS_SECONDS, value)] += 1
        self.total += value


class Meter:
    """The figures of one process since it began, and what of them was not sent yet. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[Key, float] = {}
        self._histograms: dict[Key, Histogram] = {}
        self._unsent: dict[Key, list[float]] = {}

    def count(self, name: str, value: float = 1, /, **dimensions: str) -> None:
        """Add to a counter."""
        key = _key(name, dimensions, "counter")
        with self._lock:
            self._values[key] = self._values.get(key, 0) + value
            self._unsent[key] = [sum(self._unsent.get(key, ())) + value]

    def measure(self, name: str, value: float, /, **dimensions: str) -> None:
        """Set a gauge."""
        key = _key(name, dimensions, "gauge")
        with self._lock:
            self._values[key] = value
            self._unsent[key] = [value]

    def observe(self, name: str, value: float, /, **dimensions: str) -> None:
        """Add one observation to a histogram."""
        key = _key(name, dimensions, "histogram")
        with self._lock:
            self._histograms.setdefault(key, Histogram()).add(value)
            self._unsent[key] = [*self._unsent.get(key, ()), value][-UNSENT_OBSERVATIONS:]

    def samples(self) -> list[Sample]:
        """What Prometheus reads: a histogram is several samples."""
        with self._lock:
            plain = [Sample(name, "", dimensions, value) for (name, dimensions), value in self._values.items()]
            return plain + [each for key, found in self._histograms.items() for each in _samples_of(key, found)]

    def take_unsent(self) -> dict[Key, list[float]]:
        """What came since the last time."""
        with self._lock:
            unsent, self._unsent = self._unsent, {}
        return unsent


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of Prometheus's text form; `suffix` tells the parts of a histogram apart."""

    name: str
    suffix: str
    dimensions: Dimensions
    value: float


_meter = Meter()
count, measure, observe = _meter.count, _meter.measure, _meter.observe


@contextmanager
def timed(name: str, **dimensions: str) -> Iterator[None]:
    """Observe how many seconds it took, however it ended."""
    begin = time.perf_counter()
    try:
        yield
    finally:
        observe(name, time.perf_counter() - begin, **dimensions)


def meter() -> Meter:
    """The meter of this process."""
    return _meter


def emit(unsent: Mapping[Key, list[float]]) -> None:
    """Write figures to standard output in CloudWatch's embedded form; one line per set of dimensions."""
    from aws_lambda_powertools.metrics import EphemeralMetrics

    for dimensions in {dimensions for _, dimensions in unsent}:
        metrics = EphemeralMetrics(namespace=NAMESPACE)  # its dimension `service` is POWERTOOLS_SERVICE_NAME
        for dimension, chosen in dimensions:
            metrics.add_dimension(dimension, chosen)
        for (name, of), values in unsent.items():
            if of == dimensions:
                for value in values:
                    metrics.add_metric(name, METRICS[name].unit, value)
        metrics.flush_metrics()


def prometheus_text(samples: Iterable[Sample]) -> str:
    """Samples in the text form that Prometheus scrapes, those of a metric together."""
    by_name: dict[str, list[Sample]] = {}
    for sample in samples:
        by_name.setdefault(sample.name, []).append(sample)
    lines: list[str] = []
    for name, metric in METRICS.items():
        if name in by_name:
            full = f"lockstep_{name}{'_total' if metric.kind == 'counter' else ''}"
            lines += [f"# HELP {full} {metric.help}", f"# TYPE {full} {metric.kind}"]
            lines += [f"{full}{each.suffix}{_labels(each.dimensions)} {each.value:.15g}" for each in by_name[name]]
    return "\n".join(lines) + "\n"


def _key(name: str, dimensions: Mapping[str, str], kind: str) -> Key:
    assert METRICS[name].kind == kind, f"{name} is a {METRICS[name].kind}"
    return name, tuple(sorted(dimensions.items()))


def _samples_of(key: Key, histogram: Histogram) -> Iterator[Sample]:
    name, dimensions = key
    so_far = 0
    for bound, number in zip([*map(str, BUCKETS_SECONDS), "+Inf"], histogram.counts, strict=True):
        so_far += number
        yield Sample(name, "_bucket", (*dimensions, ("le", bound)), so_far)
    yield Sample(name, "_sum", dimensions, histogram.total)
    yield Sample(name, "_count", dimensions, so_far)


def _labels(dimensions: Dimensions) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in dimensions) + "}" if dimensions else ""


def _escaped(value: Any) -> str:
    return str(value).replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
