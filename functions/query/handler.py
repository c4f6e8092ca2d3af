"""The door of query: an HTTP API's events."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mangum import Mangum


def handler(event: Any, context: Any) -> Any:
    """Answer one HTTP request."""
    return _adapter()(event, context)


@lru_cache(maxsize=1)
def _adapter() -> Mangum:
    from mangum import Mangum

    from functions.query.app import app

    return Mangum(app(), lifespan="off")
