"""The proxy as an application, alone or as part of the search API's process."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Scope

from minio_proxy.access import GuardMiddleware
from minio_proxy.access.hosts import split_list
from minio_proxy.api.at_once import AtOnce
from minio_proxy.api.bodies import BodyLimitMiddleware
from minio_proxy.api.errors import PROXY_ERRORS, ErrorTable, register_error_handlers
from minio_proxy.api.metrics import Metrics
from minio_proxy.api.middleware import RequestMiddleware
from minio_proxy.api.objects import objects_router
from minio_proxy.api.offload import Offload
from minio_proxy.api.operation import health_router, metrics_router
from minio_proxy.api.pictures import pictures_router
from minio_proxy.api.security import declare_security
from minio_proxy.api.session import session_router
from minio_proxy.api.state import Serving
from minio_proxy.bootstrap import ProxyServices

FORM_OVERHEAD_BYTES = 256 * 1024  # parts and fields of a form around its one file
SMALL_BODY_BYTES = 64 * 1024  # of everything that is no picture


def build_router(services: ProxyServices, metrics: Metrics) -> APIRouter:
    """Make the proxy's routes: originals, thumbnails, crops, login, metrics.

    /healthz and /readyz are left to the application, which knows what else must work.
    """
    serving = Serving(services, metrics)
    metrics.watch(
        "boxseek_thumbnails_in_flight",
        "Requests busy with thumbnails and crops.",
        lambda: services.decodes.in_flight,
    )
    router = APIRouter()
    router.include_router(objects_router(serving))
    router.include_router(pictures_router(serving))
    router.include_router(session_router(services.guard))
    router.include_router(metrics_router(serving))
    return router


def add_middlewares(
    app: FastAPI,
    services: ProxyServices,
    metrics: Metrics,
    *,
    table: ErrorTable = PROXY_ERRORS,
    max_body_bytes: dict[str, int] | None = None,
) -> None:
    """Surround an application with logs, metrics, error shape, CORS, guard and body limits.

    Args:
        app: the application; call this once, after which nothing is to be added outside.
        services: the guard and settings.
        metrics: where to count.
        table: statuses of errors that come out of middlewares.
        max_body_bytes: further paths that take large bodies, with their limits.
    """
    largest = {
        "/objects": services.settings.max_bytes + FORM_OVERHEAD_BYTES,
        **(max_body_bytes or {}),
    }

    def limit(scope: Scope) -> int:
        return largest.get(scope["path"], SMALL_BODY_BYTES)

    # The last one added is the outermost.
    app.add_middleware(BodyLimitMiddleware, max_bytes=limit)
    app.add_middleware(GuardMiddleware, guard=services.guard)
    app.add_middleware(RequestMiddleware, table=table, metrics=metrics)
    offload = Offload(services)
    if offload.redirects:
        app.state.at_once = AtOnce(services, metrics, offload)
    origins = split_list(services.settings.cors_origins)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "HEAD", "POST", "DELETE"],
            allow_headers=["Authorization", "X-API-Key", "X-Request-ID", "Content-Type", "Range"],
            expose_headers=["X-Request-ID", "ETag", "Content-Range", "Retry-After"],
        )


def create_app(services: ProxyServices) -> FastAPI:
    """Make the application of the proxy alone."""
    metrics = Metrics()
    app = FastAPI(
        title="Boxseek proxy",
        summary="Originals and thumbnails, and who may see them.",
        version="0.1.0",
        docs_url=None,
        redoc_url=None,
    )
    register_error_handlers(app, PROXY_ERRORS)
    app.include_router(build_router(services, metrics))
    app.include_router(health_router(Serving(services, metrics)))
    declare_security(app)
    add_middlewares(app, services, metrics)
    return app
