"""Whether the process lives, and whether everything that it needs answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Response

from functions.query.models.health import ReadyOut
from functions.query.services import ServicesOf

router = APIRouter(tags=["health"])


@router.get("/health", summary="Live")
def health() -> dict[str, str]:
    return {"status": "live"}


@router.get("/ready", summary="Both stores and the model answer", responses={503: {"model": ReadyOut}})
def ready(services: ServicesOf, response: Response) -> ReadyOut:
    checks: dict[str, Callable[[], Any]] = {
        "catalog": services.registry.deployment_id,
        "index": lambda: services.index.ping(services.registry.collections()),
        "model": lambda: services.embedders.own().embed_query("ready?"),
    }
    parts = {name: _state_of(check) for name, check in checks.items()}
    is_ready = all(state == "ok" for state in parts.values())
    response.status_code = 200 if is_ready else 503
    return ReadyOut(is_ready=is_ready, parts=parts)


def _state_of(check: Callable[[], Any]) -> str:
    try:
        check()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "ok"
