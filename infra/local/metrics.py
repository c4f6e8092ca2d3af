"""`/metrics` of the laptop: the gateway's own figures, the worker's, and what the catalog says now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from shared import wiring
from shared.errors import LockstepError
from shared.operations import measure_deployment
from shared.telemetry import Meter, Sample, logger, meter, prometheus_text

METRICS = "/metrics"
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class MetricsPage:
    """An ASGI app of one page. The worker is another process, which leaves its figures in a file."""

    def __init__(self, of_worker: Path) -> None:
        self._of_worker = of_worker

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        from starlette.concurrency import run_in_threadpool
        from starlette.responses import PlainTextResponse

        text = await run_in_threadpool(self._text)
        await PlainTextResponse(text, media_type=MEDIA_TYPE)(scope, receive, send)

    def _text(self) -> str:
        processes = {"gateway": meter().samples(), "worker": read_samples(self._of_worker)}
        counted = [_of(process, sample) for process, samples in processes.items() for sample in samples]
        return prometheus_text(counted + _gauges())


def _gauges() -> list[Sample]:
    gauges = Meter()
    try:
        measure_deployment(wiring.operations(), gauges)
    except LockstepError as error:  # what was counted is still worth showing
        logger().warning("the catalog's figures are missing", error=f"{type(error).__name__}: {error}")
    return gauges.samples()


def _of(process: str, sample: Sample) -> Sample:
    return Sample(sample.name, sample.suffix, (("process", process), *sample.dimensions), sample.value)


def write_samples(file: Path, samples: Sequence[Sample]) -> None:
    """The file is replaced as a whole, so that a reader never sees half of it."""
    temporary = file.with_suffix(".new")
    temporary.write_text(json.dumps([asdict(sample) for sample in samples]), "utf-8")
    temporary.replace(file)


def read_samples(file: Path) -> list[Sample]:
    """None if nothing was written yet."""
    try:
        found = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return []
    return [Sample(**each | {"dimensions": tuple(map(tuple, each["dimensions"]))}) for each in found]
