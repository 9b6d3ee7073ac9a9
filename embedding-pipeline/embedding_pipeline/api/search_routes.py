"""Asking: search, detect, stored queries."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response

from embedding_pipeline.api.answers import detect_answer, query_answer, search_answer
from embedding_pipeline.api.fields import (
    SOURCES,
    DetectForm,
    SearchForm,
    form_schema,
    parse_fields,
)
from embedding_pipeline.api.forms import Form, received
from embedding_pipeline.api.models import DetectAnswer, QueryAnswer, SearchAnswer
from embedding_pipeline.api.serving import Served, Serving
from embedding_pipeline.errors import InvalidQuery, UnknownQuery
from embedding_pipeline.search.results import (
    EarlierQuery,
    IndexedImage,
    IndexedObject,
    PictureAddress,
    PictureBytes,
    SearchPage,
    SearchRequest,
    Source,
)
from minio_proxy.access import require, require_or_link
from minio_proxy.api.errors import error_responses
from minio_proxy.api.pictures import negotiated
from minio_proxy.picture.formats import HEAD_BYTES, sniff
from minio_proxy.picture.header import Limits
from minio_proxy.picture.render import render_thumbnail

DEFAULT_LIMIT = 20
PREVIEW_WIDTH = 1600
QUERY_PICTURE = {
    "Cache-Control": "private, max-age=3600",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}
"""Headers of a query picture: nobody else's, and inert whatever it holds."""
IMAGE_PART = {
    "image": {
        "type": "string",
        "format": "binary",
        "description": "The query picture: JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC.",
    }
}
PICTURE_ERRORS = (400, 401, 403, 408, 413, 415, 422, 429, 503, 507)

router = APIRouter(prefix="/v1", tags=["search"])
reads = [Depends(require("read"))]


@router.post(
    "/search",
    operation_id="search",
    dependencies=reads,
    responses=error_responses(*PICTURE_ERRORS, 404, 409, 410, 502),
    openapi_extra=form_schema(SearchForm, IMAGE_PART),
)
async def search(request: Request, serving: Served) -> SearchAnswer:
    """Find pictures that have something like the query in them, best first.

    Exactly one of image, object_id, image_key, url, query_id and cursor says what is
    searched for. The first answer freezes its ranking; next_cursor asks for further pages.
    """
    limit = serving.boxseek.settings.max_bytes
    async with received(request, max_files=1, max_file_bytes=limit) as form:
        page = await _answered(serving, form)
    return search_answer(page, serving.addresses)


@router.post(
    "/detect",
    operation_id="detect",
    dependencies=reads,
    responses=error_responses(*PICTURE_ERRORS),
    openapi_extra=form_schema(DetectForm, IMAGE_PART, required=["image"]),
)
async def detect(request: Request, serving: Served) -> DetectAnswer:
    """Find the objects of a picture; nothing is searched or kept."""
    limit = serving.boxseek.settings.max_bytes
    async with received(request, max_files=1, max_file_bytes=limit) as form:
        parse_fields(form, DetectForm)
        if not has_image(form):
            raise InvalidQuery("Send the picture as the file image.", parameter="image")
        data = await serving.lookup(form.files[0].read)
        found = await serving.query(serving.boxseek.search_service.detect, data)
    return detect_answer(found)


@router.get(
    "/queries/{query_id}",
    operation_id="getQuery",
    dependencies=reads,
    responses=error_responses(401, 403, 404, 422, 429),
)
async def get_query(query_id: str, serving: Served) -> QueryAnswer:
    """Show a stored query again, so that the address of a search can be shared."""
    service = serving.boxseek.search_service
    stored = await serving.lookup(service.query, query_id)
    return query_answer(stored, service.query_expires_at(stored), serving.addresses)


@router.get(
    "/queries/{query_id}/image",
    operation_id="getQueryImage",
    dependencies=[Depends(require_or_link)],
    response_class=Response,
    responses={
        200: {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}},
        **error_responses(401, 403, 404, 422, 429, 502, 503),
    },
)
async def get_query_image(query_id: str, serving: Served) -> Response:
    """Give the query picture as it was sent."""
    data = await serving.lookup(serving.boxseek.search_service.query_picture, query_id)
    return Response(data, media_type=sniff(data[:HEAD_BYTES]), headers=QUERY_PICTURE)


@router.get(
    "/queries/{query_id}/preview",
    operation_id="getQueryPreview",
    dependencies=[Depends(require_or_link)],
    response_class=Response,
    responses={
        200: {
            "content": {
                kind: {"schema": {"type": "string", "format": "binary"}}
                for kind in ("image/webp", "image/jpeg")
            }
        },
        **error_responses(401, 403, 404, 413, 415, 422, 429, 502, 503),
    },
)
async def get_query_preview(query_id: str, request: Request, serving: Served) -> Response:
    """Give the query picture upright and small, as WebP or JPEG, whatever it was sent as.

    Browsers cannot show HEIC and TIFF; boxes of the query lie on this at its scale.
    """
    media_type = negotiated(request.headers.get("accept", ""))
    data = await serving.lookup(serving.boxseek.search_service.query_picture, query_id)
    settings = serving.boxseek.settings
    limits = Limits(max_bytes=settings.max_bytes, max_pixels=settings.max_pixels)
    async with serving.boxseek.services.decodes.slot():
        preview = await serving.lookup(
            render_thumbnail, data, PREVIEW_WIDTH, media_type, settings.jpeg_quality, limits
        )
    return Response(preview, media_type=media_type, headers={**QUERY_PICTURE, "Vary": "Accept"})


@router.delete(
    "/queries/{query_id}",
    operation_id="deleteQuery",
    dependencies=reads,
    status_code=204,
    responses=error_responses(401, 403, 404, 422, 429),
)
async def delete_query(query_id: str, serving: Served) -> None:
    """Forget a stored query and its picture. Who knows its id may do so."""
    if not await serving.lookup(serving.boxseek.search_service.delete_query, query_id):
        raise UnknownQuery("No stored query has this query_id.", query_id=query_id[:80])


def has_image(form: Form) -> bool:
    """Whether the form's only file is its picture; a file of another name is refused.

    Raises:
        InvalidQuery: a file part that is not named image.
    """
    for file in form.files:
        if file.name != "image":
            raise InvalidQuery(
                f"The form has no file {file.name[:80]!r}; send the picture as image.",
                parameter=file.name[:80],
            )
    return bool(form.files)


async def _answered(serving: Serving, form: Form) -> SearchPage:
    with_image = has_image(form)
    if "image" in form.fields:
        raise InvalidQuery("image is a file: curl -F image=@photo.jpg", parameter="image")
    fields = parse_fields(form, SearchForm)
    given = [name for name in SOURCES if getattr(fields, name, None) is not None]
    given += ["image"] if with_image else []
    if len(given) != 1:
        raise InvalidQuery(
            f"Give exactly one of {', '.join(SOURCES)}; {', '.join(given) or 'none'} given.",
            parameter=given[0] if given else "image",
            actual=given,
        )
    service = serving.boxseek.search_service
    if fields.cursor is not None:
        _check_alone(fields)
        return await serving.query(service.page, fields.cursor, fields.limit)
    source = _source(fields) or PictureBytes(await serving.lookup(form.files[0].read))
    question = SearchRequest(
        source=source,
        box=fields.box,
        scope=fields.scope,
        where=fields.entry_filter(),
        min_score=fields.min_score,
        limit=DEFAULT_LIMIT if fields.limit is None else fields.limit,
        label_weight=fields.label_weight,
        fold=fields.fold,
    )
    return await serving.query(service.search, question)


def _source(fields: SearchForm) -> Source | None:
    if fields.object_id is not None:
        return IndexedObject(fields.object_id)
    if fields.image_key is not None:
        return IndexedImage(fields.image_key)
    if fields.url is not None:
        return PictureAddress(fields.url)
    if fields.query_id is not None:
        return EarlierQuery(fields.query_id)
    return None


def _check_alone(fields: SearchForm) -> None:
    others = sorted(fields.model_fields_set - {"cursor", "limit"})
    if others:
        raise InvalidQuery(
            "A cursor continues its search as it was asked; only limit may go with it.",
            parameter=others[0],
            actual=others,
        )
