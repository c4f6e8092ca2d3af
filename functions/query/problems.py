"""Errors as problem details (RFC 9457): one table from error to status."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from functions.query.models.base import Problem
from shared.errors import (
    BehindError,
    CircuitOpenError,
    CollectionMissingError,
    ConfigurationError,
    ConflictError,
    EmbedderMismatchError,
    InvalidInputError,
    LeasedError,
    LockstepError,
    MismatchError,
    NotFoundError,
    StoreUnavailableError,
    TooLargeError,
)
from shared.telemetry import logger

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

MEDIA_TYPE = "application/problem+json"

# The first class that fits is taken.
_STATUS: tuple[tuple[type[LockstepError], int, str], ...] = (
    (InvalidInputError, 422, "The request is not valid"),
    (NotFoundError, 404, "Not found"),
    (ConflictError, 409, "Conflict"),
    (TooLargeError, 413, "Too large"),
    (CircuitOpenError, 503, "A store is away"),
    (StoreUnavailableError, 503, "A store is away"),
    (CollectionMissingError, 503, "The index is being rebuilt"),
    (BehindError, 503, "Deletes are being made again"),
    (LeasedError, 503, "Busy"),
    (EmbedderMismatchError, 503, "The bot's embedder is not here"),
    (ConfigurationError, 500, "Not configured"),
    (MismatchError, 500, "Parts do not belong together"),
    (LockstepError, 500, "Internal error"),
)


def install_problem_handlers(app: FastAPI) -> None:
    """Make every error of this app a problem document."""
    app.add_exception_handler(LockstepError, _on_lockstep_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_surprise)


def problem_response(
    status: int,
    title: str,
    detail: str,
    *,
    instance: str | None = None,
    headers: dict[str, str] | None = None,
    errors: list[dict[str, Any]] | None = None,
) -> JSONResponse:
    problem = Problem(title=title, status=status, detail=detail, instance=instance, errors=errors)
    return JSONResponse(
        problem.model_dump(exclude_none=True), status_code=status, headers=headers, media_type=MEDIA_TYPE
    )


def _on_lockstep_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, LockstepError)
    status, title = next((status, title) for kind, status, title in _STATUS if isinstance(error, kind))
    headers = {"Retry-After": str(_retry_after(error))} if status == 503 else None
    if status >= 500:
        logger().error("request failed", path=request.url.path, error=f"{type(error).__name__}: {error}")
    return problem_response(status, title, str(error), instance=request.url.path, headers=headers)


def _on_validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [_told(each, error.body) for each in error.errors()]
    detail = "; ".join(f"{e['field'] or 'body'}: {e['message']}" for e in errors[:5])
    return problem_response(422, "The request is not valid", detail, instance=request.url.path, errors=errors)


def _told(error: dict[str, Any], body: Any) -> dict[str, Any]:
    """One mistake: the field, empty where it is the body as a whole, and what is wrong with it."""
    if error["type"] == "json_invalid":  # the field is the place in the text, which nobody counts
        before = body[: error["loc"][-1]]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        return {"field": "", "message": f"It is not JSON: {error['ctx']['error']} (line {line}, column {column})"}
    if error["loc"] == ("body",) and isinstance(body, bytes):  # it was not even tried
        return {"field": "", "message": "Send it as JSON, with the header `Content-Type: application/json`"}
    return {"field": ".".join(map(str, error["loc"][1:])), "message": error["msg"]}


def _on_http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers) if error.headers else None
    title = {404: "Not found", 405: "Method not allowed", 413: "Too large"}.get(error.status_code, "The request failed")
    detail = str(error.detail)
    if error.status_code == 404:
        detail = f"There is nothing at {request.url.path}; /docs lists what there is."
    return problem_response(error.status_code, title, detail, instance=request.url.path, headers=headers)


def _on_surprise(request: Request, error: Exception) -> JSONResponse:
    logger().error("unexpected error", path=request.url.path, exc_info=error)
    return problem_response(500, "Internal error", "Something went wrong; it was logged.", instance=request.url.path)


def _retry_after(error: LockstepError) -> int:
    return math.ceil(getattr(error, "retry_after_seconds", 2.0))
