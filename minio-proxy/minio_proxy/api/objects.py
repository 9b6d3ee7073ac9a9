"""Originals over HTTP: look at, add, list, describe, delete."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Path, Query, Request, Response

from minio_proxy.access import require, require_or_link
from minio_proxy.api.errors import error_responses
from minio_proxy.api.models import ObjectMetadata, ObjectPage, ObjectSummary, Source, Stored
from minio_proxy.api.offload import Offload
from minio_proxy.api.originals import (
    find_original,
    known_original,
    left_in_place,
    original_response,
)
from minio_proxy.api.state import Serving
from minio_proxy.api.uploads import Upload, received
from minio_proxy.errors import ObjectNotFound
from minio_proxy.originals import Added
from minio_proxy.picture.decode import decode
from minio_proxy.records import RecordPart

IMAGE_KEY = r"^[0-9a-f]{64}$"
ImageKey = Annotated[
    str, Path(pattern=IMAGE_KEY, description="SHA-256 of the original, 64 hex digits.")
]
MAX_PAGE = 1000
PICTURE_BODY = {"schema": {"type": "string", "format": "binary"}}
UPLOAD_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "collection": {"type": "string"},
                        "metadata": {"type": "string", "description": "A JSON object."},
                    },
                }
            },
            "application/octet-stream": PICTURE_BODY,
        },
    }
}


LOOK_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/*": PICTURE_BODY}, "description": "The original."},
    206: {"content": {"image/*": PICTURE_BODY}, "description": "The range asked for."},
    304: {"description": "The client has it already."},
    307: {"description": "It is at the store's own address (BOXSEEK_OFFLOAD=redirect)."},
    **error_responses(401, 403, 404, 409, 410, 412, 416, 422, 429, 502, 503),
}


def objects_router(serving: Serving) -> APIRouter:
    """Make the routes below /objects."""
    router = APIRouter(prefix="/objects", tags=["originals"])
    _add_looking(router, serving)
    _add_listing(router, serving)
    _add_changing(router, serving)
    return router


def _add_looking(router: APIRouter, serving: Serving) -> None:
    offload = Offload(serving.services)

    async def look(
        key: ImageKey,
        request: Request,
        *,
        download: Annotated[bool, Query(description="Offer to save it under its name.")] = False,
    ) -> Response:
        """Give an original: streamed, with ranges, cacheable for ever."""
        redirects = offload.redirects and request.method == "GET" and not download
        if redirects and not await left_in_place(serving, key):
            return offload.redirect(key)
        streams = request.method == "GET" and not offload.accelerates and not download
        original = known_original(serving, key, request.headers) if streams else None
        if original is None:
            original = await run_sync(
                lambda: find_original(serving, key, named=download), limiter=serving.threads.reads
            )
        return original_response(serving, request, original, offload)

    for method in ("GET", "HEAD"):
        router.add_api_route(
            "/{key}",
            look,
            methods=[method],
            operation_id=f"{method.lower()}_object",
            dependencies=[Depends(require_or_link)],
            response_class=Response,
            responses=LOOK_RESPONSES,
        )


def _add_listing(router: APIRouter, serving: Serving) -> None:
    services = serving.services

    @router.get(
        "",
        dependencies=[Depends(require("read"))],
        responses=error_responses(401, 403, 422, 429, 503),
    )
    async def list_objects(
        cursor: Annotated[
            str | None, Query(pattern=IMAGE_KEY, description="From the page before.")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
    ) -> ObjectPage:
        """List originals in key order."""
        keys = await run_sync(
            lambda: services.originals.keys(after=cursor or "", limit=limit),
            limiter=serving.threads.lookups,
        )
        found = [ObjectSummary(key=key, url=services.guard.sign(f"/objects/{key}")) for key in keys]
        return ObjectPage(objects=found, next_cursor=keys[-1] if len(keys) == limit else None)

    @router.get(
        "/{key}/metadata",
        dependencies=[Depends(require("read"))],
        responses=error_responses(401, 403, 404, 409, 410, 422, 429, 502, 503),
    )
    async def object_metadata(key: ImageKey) -> ObjectMetadata:
        """Tell what is known of an original beside its bytes."""
        return await run_sync(lambda: _metadata(serving, key), limiter=serving.threads.lookups)


def _add_changing(router: APIRouter, serving: Serving) -> None:
    services = serving.services

    @router.post(
        "",
        status_code=201,
        dependencies=[Depends(require("write"))],
        responses={
            200: {"model": Stored, "description": "These bytes were here already."},
            **error_responses(400, 401, 403, 408, 413, 415, 422, 429, 503, 507),
        },
        openapi_extra=UPLOAD_BODY,
    )
    async def add_object(request: Request, response: Response) -> Stored:
        """Store a picture; when this answers, no power loss undoes it."""
        async with received(request) as upload:
            await run_sync(lambda: _check(serving, upload), limiter=serving.threads.checks)
            added = await run_sync(lambda: _add(serving, upload), limiter=serving.threads.uploads)
        response.status_code = 200 if added.duplicate else 201
        return Stored(
            key=added.image_key,
            duplicate=added.duplicate,
            size_bytes=added.size_bytes,
            media_type=added.media_type,
            url=services.guard.sign(f"/objects/{added.image_key}"),
        )

    @router.delete(
        "/{key}",
        status_code=204,
        dependencies=[Depends(require("admin"))],
        responses=error_responses(401, 403, 404, 422, 429, 503),
    )
    async def delete_object(key: ImageKey) -> None:
        """Remove an original with its record, thumbnails and crops."""
        await run_sync(lambda: _delete(serving, key), limiter=serving.threads.lookups)


def _check(serving: Serving, upload: Upload) -> None:
    """Decode the picture once: what nobody can look at is refused here, as on every path."""
    limits = serving.services.limits
    decode(upload.file.read(limits.max_bytes + 1), limits)
    upload.file.seek(0)


def _add(serving: Serving, upload: Upload) -> Added:
    part = RecordPart(
        source="upload",
        path=upload.filename,
        collection=upload.collection,
        metadata=upload.metadata,
        taken_at=None,
        added_at=datetime.now(UTC),
    )
    added = serving.services.originals.add(upload.file, part)
    serving.services.originals.unsettled.note(added.image_key)
    serving.types.remember(added.image_key, added.media_type)
    return added


def _delete(serving: Serving, key: str) -> None:
    """Delete also what an earlier delete left that was interrupted."""
    deleted = serving.services.originals.delete(key)
    serving.stats.forget(key)
    serving.services.thumbnails.delete(key)
    serving.services.originals.unsettled.note(key)
    if not deleted:
        raise ObjectNotFound("There is no such picture.", key=key)


def _metadata(serving: Serving, key: str) -> ObjectMetadata:
    original = find_original(serving, key)
    record = serving.services.originals.record(key)
    return ObjectMetadata(
        key=key,
        size_bytes=original.stat.size_bytes,
        media_type=original.media_type,
        modified_at=original.stat.modified_at,
        collections=list(record.collections),
        sources=[Source(source=source, path=path) for source, path in record.sources],
        metadata=dict(record.metadata or {}),
        taken_at=record.taken_at,
        added_at=record.first_added_at,
        url=serving.services.guard.sign(f"/objects/{key}"),
    )
