"""The OpenAPI document as FastAPI makes it, but with the errors that there are: problem details, whatever the status."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from functions.query.models.base import Problem
from functions.query.problems import MEDIA_TYPE

if TYPE_CHECKING:
    from fastapi import FastAPI

_PROBLEM = {"$ref": "#/components/schemas/Problem"}
_ERRORS = (
    "Any error. 401: the API key is missing or wrong. 404: there is no such thing. 409: the name is taken. 413: too large. "
    "422: something in the request is not valid. 503: a store is away, or the bot is not ready; `Retry-After` says when "
    "to ask again."
)


def install_document(app: FastAPI) -> None:
    """Have that app tell of its errors as they are."""
    made_by_fastapi = app.openapi

    @lru_cache(maxsize=1)
    def document() -> dict[str, Any]:
        made = made_by_fastapi()
        for operations in made["paths"].values():
            for operation in operations.values():
                _tell_errors(operation["responses"])
        schemas = made["components"]["schemas"]
        for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own form, which nobody gets
            schemas.pop(name, None)
        schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        return made

    app.openapi = document  # type: ignore[method-assign]


def _tell_errors(responses: dict[str, Any]) -> None:
    responses.pop("422", None)
    responses["default"] = {"description": _ERRORS, "content": {MEDIA_TYPE: {"schema": _PROBLEM}}}
