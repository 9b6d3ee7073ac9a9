"""Pictures of the index: add, list, look, delete, count."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse

from embedding_pipeline.api.answers import image_answer, list_answer
from embedding_pipeline.api.errors import STATUS_BY_CODE
from embedding_pipeline.api.fields import AddForm, form_schema, parse_fields
from embedding_pipeline.api.forms import FormFile, received
from embedding_pipeline.api.models import (
    AddAnswer,
    AddedImage,
    CollectionsAnswer,
    ImageAnswer,
    ImageListAnswer,
    LabelsAnswer,
)
from embedding_pipeline.api.search_routes import PICTURE_ERRORS
from embedding_pipeline.api.serving import Served
from embedding_pipeline.bootstrap import Boxseek
from embedding_pipeline.errors import InvalidQuery, UnknownImage
from embedding_pipeline.ingest.library import AddResult, Upload
from minio_proxy.access import require
from minio_proxy.api.errors import error_response, error_responses
from minio_proxy.errors import PictureTooLarge

IMAGE_KEY = re.compile(r"[0-9a-f]{64}", re.ASCII)
MAX_FILENAME = 1000
FILES_PART = {
    "files": {
        "type": "array",
        "items": {"type": "string", "format": "binary"},
        "description": "Pictures; the part is repeated.",
    }
}
READ_ERRORS = (401, 403, 409, 422, 429, 503)

router = APIRouter(prefix="/v1", tags=["images"])
reads = [Depends(require("read"))]


@router.post(
    "/images",
    operation_id="addImages",
    response_model=AddAnswer,
    dependencies=[Depends(require("write"))],
    responses=error_responses(*PICTURE_ERRORS, 409, 502),
    openapi_extra=form_schema(AddForm, FILES_PART, required=["files"]),
)
async def add_images(request: Request, serving: Served) -> AddAnswer | JSONResponse:
    """Store and index pictures; one row each, in the order sent.

    What is indexed or a duplicate is durable and found by the next search. What is rejected
    leaves nothing behind and stops no other file.
    """
    settings = serving.boxseek.settings
    async with received(
        request, max_files=settings.max_upload_files, max_file_bytes=settings.max_bytes
    ) as form:
        fields = parse_fields(form, AddForm)
        for file in form.files:
            if file.name != "files":
                raise InvalidQuery("Send the pictures as files.", parameter=file.name[:80])
        if not form.files:
            raise InvalidQuery("Send at least one picture as files.", parameter="files")
        await serving.lookup(serving.boxseek.check_writable)
        rows: list[AddedImage] = []
        for start in range(0, len(form.files), settings.batch_pictures):
            files = form.files[start : start + settings.batch_pictures]
            rows += await serving.upload(_add, serving.boxseek, files, fields)
    return _whole_failure(rows) or AddAnswer(images=rows)


@router.get(
    "/images",
    operation_id="listImages",
    dependencies=reads,
    responses=error_responses(*READ_ERRORS),
)
async def list_images(
    serving: Served,
    cursor: Annotated[str, Query(description="`next_cursor` of the page before.")] = "",
    limit: Annotated[int, Query(ge=1, le=1000, description="Pictures on a page.")] = 100,
) -> ImageListAnswer:
    """List pictures in key order."""
    if cursor and not IMAGE_KEY.fullmatch(cursor):
        raise InvalidQuery(
            "This is no cursor of the list of images.", parameter="cursor", actual=cursor[:80]
        )
    found = await serving.lookup(
        lambda: serving.boxseek.index().pictures(after=cursor, limit=limit + 1)
    )
    page, more = found[:limit], len(found) > limit
    return list_answer(page, page[-1].image_key if more else None, serving.addresses)


@router.get(
    "/images/{image_key}",
    operation_id="getImage",
    dependencies=reads,
    responses=error_responses(*READ_ERRORS, 404),
)
async def get_image(image_key: str, serving: Served) -> ImageAnswer:
    """Show a picture with everything found in it, the whole picture first."""
    picture = None
    if IMAGE_KEY.fullmatch(image_key):
        picture = await serving.lookup(lambda: serving.boxseek.index().picture(image_key))
    if picture is None:
        raise _unknown(image_key)
    return image_answer(picture, serving.addresses)


@router.delete(
    "/images/{image_key}",
    operation_id="deleteImage",
    dependencies=[Depends(require("admin"))],
    status_code=204,
    responses=error_responses(*READ_ERRORS, 404, 502),
)
async def delete_image(image_key: str, serving: Served) -> None:
    """Delete a picture: original, record, thumbnails and everything the index has of it."""
    known = IMAGE_KEY.fullmatch(image_key)
    if not known or not await serving.upload(serving.boxseek.library.delete, image_key):
        raise _unknown(image_key)


@router.get(
    "/labels",
    operation_id="listLabels",
    dependencies=reads,
    responses=error_responses(*READ_ERRORS),
)
async def list_labels(serving: Served) -> LabelsAnswer:
    """Count the objects of each label."""
    counts = await serving.lookup(lambda: serving.boxseek.index().label_counts())
    return LabelsAnswer(labels=counts)


@router.get(
    "/collections",
    operation_id="listCollections",
    dependencies=reads,
    responses=error_responses(*READ_ERRORS),
)
async def list_collections(serving: Served) -> CollectionsAnswer:
    """Count the pictures of each collection."""
    counts = await serving.lookup(lambda: serving.boxseek.index().collection_counts())
    return CollectionsAnswer(collections=counts)


def _add(boxseek: Boxseek, files: Sequence[FormFile], fields: AddForm) -> list[AddedImage]:
    """Add a batch, so that only its files are in memory at once."""
    rows: dict[int, AddedImage] = {}
    uploads: dict[int, Upload] = {}
    for place, file in enumerate(files):
        name = file.filename[:MAX_FILENAME].replace("\0", "")
        try:
            uploads[place] = Upload(name, file.read(), fields.collection, fields.metadata)
        except PictureTooLarge as exc:
            rows[place] = AddedImage(
                filename=name,
                image_key=None,
                status="rejected",
                objects=0,
                reason=exc.message,
                code=exc.code,
            )
    results = boxseek.library.add(list(uploads.values()))
    rows |= {place: _row(result) for place, result in zip(uploads, results, strict=True)}
    return [rows[place] for place in range(len(files))]


def _row(result: AddResult) -> AddedImage:
    kept = result.status in {"indexed", "duplicate"}
    return AddedImage(
        filename=result.filename,
        image_key=result.image_key if kept else None,
        status=result.status,
        objects=result.objects,
        reason=result.reason,
        code=result.code,
    )


def _whole_failure(rows: Sequence[AddedImage]) -> JSONResponse | None:
    """An error answer when nothing could be stored for a reason on our side."""
    if not all(row.status == "failed" for row in rows):
        return None
    first = rows[0]
    status = STATUS_BY_CODE.get(first.code or "", 503)
    details = {"images": [row.model_dump() for row in rows]}
    message = f"No picture could be stored: {first.reason}"
    return error_response(max(status, 500), first.code or "store_error", message, details)


def _unknown(image_key: str) -> UnknownImage:
    return UnknownImage("No picture has this image_key.", image_key=image_key[:100])
