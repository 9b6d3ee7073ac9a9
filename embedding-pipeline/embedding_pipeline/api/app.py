"""The application: the search API, the proxy's routes and the page, behind one guard."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI

from embedding_pipeline.api import failure_routes, image_routes, search_routes, status_routes
from embedding_pipeline.api.answers import Addresses
from embedding_pipeline.api.errors import ERRORS
from embedding_pipeline.api.front import FrontMiddleware
from embedding_pipeline.api.serving import Serving
from embedding_pipeline.bootstrap import Boxseek
from embedding_pipeline.errors import BoxseekError
from embedding_pipeline.settings import Settings
from minio_proxy.api.app import add_middlewares, build_router
from minio_proxy.api.errors import register_error_handlers
from minio_proxy.api.metrics import Metrics
from minio_proxy.api.security import declare_security
from minio_proxy.bootstrap import ProxyServices
from minio_proxy.errors import ProxyError

FORM_BYTES = 4 * 1024 * 1024
"""What a form may have beside the bytes of its files: fields, and the heads of its parts."""


def create_app(boxseek: Boxseek) -> FastAPI:
    """Make the application around an open Boxseek; closing that is the caller's."""
    settings, services = boxseek.settings, boxseek.services
    metrics = Metrics()
    app = describe_app(services, metrics)
    guard = services.guard
    app.state.serving = Serving(boxseek, Addresses(guard.sign, settings.proxy_public_url))
    register_error_handlers(app, ERRORS, root=ProxyError)
    register_error_handlers(app, ERRORS, root=BoxseekError)
    paths = [*app.openapi()["paths"], "/openapi.json"]
    app.add_middleware(
        FrontMiddleware,
        folder=settings.front_dir or built_page(),
        claimed={path.split("/")[1] for path in paths},
        picture_base=settings.proxy_public_url,
    )
    add_middlewares(app, services, metrics, table=ERRORS, max_body_bytes=_body_limits(settings))
    return app


def describe_app(services: ProxyServices, metrics: Metrics) -> FastAPI:
    """All routes with their description, but nothing that answers /v1."""
    app = FastAPI(
        title="Boxseek",
        summary="Search inside pictures: every object of every image is found.",
        version="1",
        docs_url=None,
        redoc_url=None,
    )
    for room in (search_routes, image_routes, failure_routes, status_routes):
        app.include_router(room.router)
    app.include_router(build_router(services, metrics))
    declare_security(app)
    return app


def built_page() -> Path:
    """Where the page is built: search-front/dist beside the package's folder."""
    return Path(__file__).parents[3] / "search-front" / "dist"


def _body_limits(settings: Settings) -> dict[str, int]:
    return {
        "/v1/search": settings.max_bytes + FORM_BYTES,
        "/v1/detect": settings.max_bytes + FORM_BYTES,
        "/v1/images": settings.max_upload_bytes + FORM_BYTES,
    }
