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

from mangum import Mangum  # noqa: E402

from functions.query.app import app  # noqa: E402

# Everything else is sent as base64.
TEXT = ["text/", "application/json", "application/problem+json", "application/javascript"]


def handler(event: Any, context: Any) -> Any:
    """Answer one HTTP request."""
    return _adapter()(event, context)


@lru_cache(maxsize=1)
def _adapter() -> Mangum:
    return Mangum(app(), lifespan="off", text_mime_types=TEXT)


with suppress(ConfigurationError):  # told to the first request
    _adapter()
gc.freeze()
gc.enable()
