"""What backfills could not bring in."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from embedding_pipeline.api.models import Failure, FailuresAnswer
from embedding_pipeline.api.serving import Served
from embedding_pipeline.ingest.failures import failures
from embedding_pipeline.ingest.source_items import State
from minio_proxy.access import require
from minio_proxy.api.errors import error_responses

router = APIRouter(prefix="/v1", tags=["images"])


@router.get(
    "/failures",
    operation_id="listFailures",
    dependencies=[Depends(require("read"))],
    responses=error_responses(401, 403, 409, 422, 429),
)
async def list_failures(
    *,
    serving: Served,
    rejected: Annotated[
        bool, Query(description="Also what is no picture that Boxseek takes.")
    ] = False,
    cursor: Annotated[str, Query(description="`next_cursor` of the page before.")] = "",
    limit: Annotated[int, Query(ge=1, le=1000, description="Failures on a page.")] = 100,
) -> FailuresAnswer:
    """List what `boxseek ingest` could not bring in, by source and path."""
    states: tuple[State, ...] = ("failed", "rejected") if rejected else ("failed",)
    page, next_cursor = await serving.lookup(
        lambda: failures(
            serving.boxseek.settings.data_dir, states=states, cursor=cursor, limit=limit
        )
    )
    return FailuresAnswer(
        failures=[Failure.model_validate(asdict(one)) for one in page], next_cursor=next_cursor
    )
