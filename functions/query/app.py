"""The HTTP API: FastAPI, the same behind the cloud's gateway and on a laptop."""

from __future__ import annotations

from functools import lru_cache

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse
from starlette.exceptions import HTTPException

from functions.query.guard import Guard
from functions.query.problems import install_problem_handlers
from functions.query.routes import amendments, bots, documents, exports, graph, health, pairs, questions, receipts
from functions.query.services import Services
from shared import wiring

DESCRIPTION = """\
A hybrid knowledge base for question answering. Create a bot, upload documents, ask.
Every error is a problem document (RFC 9457). With an API key configured, send it as `X-API-Key`.
"""
_DOCS_FILES = ("swagger-ui-bundle.js", "swagger-ui.css")


def create_app(services: Services) -> FastAPI:
    """The app over those services. Nothing is connected or loaded until a request needs it."""
    app = FastAPI(title="Lockstep", version="0.1.0", description=DESCRIPTION, docs_url=None, redoc_url=None)
    app.state.services = services
    routers = (
        questions.router,
        documents.router,
        amendments.router,
        graph.router,
        pairs.router,
        bots.router,
        exports.router,
        receipts.router,
        health.router,
    )
    for router in routers:
        app.include_router(router)
    install_problem_handlers(app)
    _serve_docs(app)
    app.add_middleware(Guard, settings=services.settings)
    return app


@lru_cache(maxsize=1)
def app() -> FastAPI:
    """The app of this process."""
    return create_app(
        Services(
            settings=wiring.settings(),
            registry=wiring.registry(),
            documents=wiring.documents(),
            delivery=wiring.delivery_catalog(),
            reading=wiring.reading(),
            amendments=wiring.amendments(),
            hints=wiring.hints(),
            index=wiring.index(),
            graph=wiring.graph(),
            bucket=wiring.bucket,
            embedders=wiring.embedders(),
            deletions=wiring.deletions(),
            ledger=wiring.ledger,
            live_records=wiring.live_records,
            backups=wiring.backups,
        )
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
