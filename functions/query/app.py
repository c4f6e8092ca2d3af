"""The HTTP API: FastAPI, the same behind the cloud's gateway and on a laptop."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse
from starlette.exceptions import HTTPException

from functions.query.guard import install_guard
from functions.query.problems import install_problem_handlers
from functions.query.routes import questions
from functions.query.services import Services
from shared import wiring

if TYPE_CHECKING:
    from fastapi import APIRouter

DESCRIPTION = """\
A hybrid knowledge base for question answering. Create a bot, upload documents, ask.
Every error is a problem document (RFC 9457). With an API key configured, send it as `X-API-Key`.
"""
_DOCS_FILES = ("swagger-ui-bundle.js", "swagger-ui.css")


def create_app(services: Services, *, only_answers: bool = False) -> FastAPI:
    """The app over those services, or what of it answers questions. Nothing is connected until a request needs it."""
    app = FastAPI(title="Lockstep", version="0.1.0", description=DESCRIPTION, docs_url=None, redoc_url=None)
    app.state.services = services
    for router in [questions.router] if only_answers else _routers():
        app.include_router(router)
    install_problem_handlers(app)
    if not only_answers:
        from functions.query.openapi_document import install_document

        install_document(app)
        _serve_docs(app)
    install_guard(app, services.settings)
    return app


@lru_cache(maxsize=1)
def app() -> FastAPI:
    """The app of this process."""
    return create_app(_services())


@lru_cache(maxsize=1)
def answering_app() -> FastAPI:
    """What of it answers questions: a cold start is spared importing and making the rest."""
    return create_app(_services(), only_answers=True)


async def entry(scope: Any, receive: Any, send: Any) -> None:
    """The whole API as ASGI. What no question needs is made for the first request that needs it."""
    responsible = answering_app() if is_question(scope["path"]) else app()
    await responsible(scope, receive, send)


def is_question(path: str) -> bool:
    """Whether `answering_app` has what is at that path."""
    return re.fullmatch(r"/bots/[^/]+/(search|ask|feedback)", path) is not None


def _routers() -> list[APIRouter]:
    from functions.query.routes import amendments, bots, documents, exports, graph, health, pairs, receipts

    modules = (questions, documents, amendments, graph, pairs, bots, exports, receipts, health)
    return [module.router for module in modules]


@lru_cache(maxsize=1)
def _services() -> Services:
    return Services(
        settings=wiring.settings(),
        registry=wiring.registry(),
        documents=wiring.documents(),
        delivery=wiring.delivery_catalog(),
        reading=wiring.reading(),
        amendments=wiring.amendments(),
        hints=wiring.hints(),
        index=wiring.index(),
        graph=wiring.graph(),
        condenser=wiring.question_condenser,
        reranker=wiring.reranker,
        bucket=wiring.bucket,
        embedders=wiring.embedders(),
        deletions=wiring.deletions(),
        ledger=wiring.ledger,
        live_records=wiring.live_records,
        backups=wiring.backups,
    )


def _serve_docs(app: FastAPI) -> None:
    """The documentation page, with its script and style from here: a laptop may have no internet."""

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="openapi.json",
            title="Lockstep",
            swagger_js_url="docs/swagger-ui-bundle.js",
            swagger_css_url="docs/swagger-ui.css",
            swagger_favicon_url="data:,",
        )

    @app.get("/docs/{file}", include_in_schema=False)
    def docs_file(file: str) -> FileResponse:
        from importlib import resources

        if file not in _DOCS_FILES:
            raise HTTPException(404)
        with resources.as_file(resources.files("fastapi_offline").joinpath("static", file)) as path:
            return FileResponse(path)
