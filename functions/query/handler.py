"""The door of query: an HTTP API's events."""

from __future__ import annotations

import gc
from contextlib import suppress
from functools import lru_cache
from typing import Any

from shared import wiring
from shared.errors import ConfigurationError

gc.disable()  # what is imported stays: looking through it for garbage, again and again, finds none
wiring.warm_up()  # the model and the stores are opened while the web framework is imported: it takes about as long

from pydantic import BaseModel  # noqa: E402

# A model is built when it is first used. FastAPI's own for the OpenAPI document take a tenth of a second otherwise.
BaseModel.model_config["defer_build"] = True

from mangum import Mangum  # noqa: E402

from functions.query.app import answering_app, entry  # noqa: E402

# Everything else is sent as base64, exports too: as text within JSON, what is not ASCII could be twice as long.
TEXT = [
    "text/html",
    "text/css",
    "text/javascript",
    "application/json",
    "application/problem+json",
    "application/javascript",
]


def handler(event: Any, context: Any) -> Any:
    """Answer one HTTP request."""
    try:
        return _adapter()(event, context)
    finally:
        _emit_metrics()


_answered_before: list[bool] = []


def _emit_metrics() -> None:
    """What a process counts for its first request goes out with the second: loading what writes it takes 0.1 s."""
    if _answered_before:
        wiring.emit_metrics()
    _answered_before[:] = [True]


@lru_cache(maxsize=1)
def _adapter() -> Mangum:
    answering_app()  # most likely it is a question
    return Mangum(entry, lifespan="off", text_mime_types=TEXT)


with suppress(ConfigurationError):  # told to the first request
    _adapter()
gc.freeze()
gc.enable()
