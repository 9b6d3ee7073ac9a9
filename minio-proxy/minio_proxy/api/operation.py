"""Whether the service lives, whether it can work, and what it counted."""

from __future__ import annotations

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Response

from minio_proxy.access import require
from minio_proxy.api.errors import error_responses
from minio_proxy.api.models import Health
from minio_proxy.api.state import Serving

METRICS_TYPE = "text/plain; version=1.0.0; charset=utf-8"


def health_router(serving: Serving) -> APIRouter:
    """Make /healthz and /readyz of the proxy alone; the search API has its own."""
    router = APIRouter(tags=["operation"])

    @router.get("/healthz", responses=error_responses(403))
    async def healthz() -> Health:
        """Answer as long as the process lives."""
        return Health()

    @router.get("/readyz", responses=error_responses(403, 503))
    async def readyz() -> Health:
        """Answer 200 when originals can be read and written."""
        await run_sync(serving.services.store.check, limiter=serving.threads.lookups)
        return Health()

    return router


def metrics_router(serving: Serving) -> APIRouter:
    """Make /metrics."""
    router = APIRouter(tags=["operation"])

    @router.get(
        "/metrics",
        dependencies=[Depends(require("read"))],
        response_class=Response,
        responses={
            200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
            **error_responses(401, 403, 429),
        },
    )
    async def metrics() -> Response:
        """Give the counts in the text format of Prometheus."""
        return Response(serving.metrics.text(), headers={"Content-Type": METRICS_TYPE})

    return router
