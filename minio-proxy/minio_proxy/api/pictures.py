"""Thumbnails and crops over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.exceptions import HTTPException

from minio_proxy.access import parse_box, require_or_link
from minio_proxy.api.conditional import Validators
from minio_proxy.api.errors import error_responses
from minio_proxy.api.objects import PICTURE_BODY, ImageKey
from minio_proxy.api.originals import INERT
from minio_proxy.api.state import Serving
from minio_proxy.errors import InvalidBox
from minio_proxy.picture.render import RenderedType
from minio_proxy.thumbnails import WIDTHS, Rendered

DAY_S = 24 * 3600
Width = Annotated[int, Path(description=f"Pixels; one of {', '.join(map(str, WIDTHS))}.")]
BoxText = Annotated[
    str, Query(max_length=128, description="`x1,y1,x2,y2` in pixels of the upright original.")
]
RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"image/webp": PICTURE_BODY, "image/jpeg": PICTURE_BODY},
        "description": "WebP where Accept names it, else JPEG.",
    },
    304: {"description": "The client has it already."},
    **error_responses(401, 403, 404, 409, 410, 412, 413, 415, 422, 429, 502, 503),
}


def pictures_router(serving: Serving) -> APIRouter:
    """Make /thumbnails and /crops."""
    router = APIRouter(tags=["thumbnails"])
    service = serving.services.thumbnails

    async def thumbnail(width: Width, key: ImageKey, request: Request) -> Response:
        """Give an upright thumbnail without EXIF, made at the first request."""
        media_type = negotiated(request.headers.get("accept", ""))
        found = service.thumbnail_at_hand(key, width, media_type)
        if found is None:
            found = await _slowly(serving, lambda: service.thumbnail(key, width, media_type))
        return _answer(serving, request, found)

    async def crop(width: Width, key: ImageKey, request: Request, box: BoxText) -> Response:
        """Give a small picture of one box of an original."""
        edges = parse_box(box)
        if edges is None:
            raise InvalidBox("A box is x1,y1,x2,y2 with x1 < x2 and y1 < y2.", box=box)
        media_type = negotiated(request.headers.get("accept", ""))
        found = service.crop_at_hand(key, edges, width, media_type)
        if found is None:
            found = await _slowly(serving, lambda: service.crop(key, edges, width, media_type))
        return _answer(serving, request, found)

    for path, endpoint in (("thumbnails", thumbnail), ("crops", crop)):
        for method in ("GET", "HEAD"):
            router.add_api_route(
                f"/{path}/{{width}}/{{key}}",
                endpoint,
                methods=[method],
                operation_id=f"{method.lower()}_{path.removesuffix('s')}",
                dependencies=[Depends(require_or_link)],
                response_class=Response,
                responses=RESPONSES,
            )
    return router


def negotiated(accept: str) -> RenderedType:
    """Choose WebP where Accept names it and does not prefer JPEG; JPEG everywhere else.

    A wildcard is not enough: programs send ``*/*`` whatever they can show.
    """
    qualities: dict[str, float] = {}
    for item in accept.lower().split(",")[:64]:
        name, *parameters = (part.strip() for part in item.split(";"))
        quality = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        try:
            qualities[name] = float(quality)
        except ValueError:
            qualities[name] = 0.0
    webp = qualities.get("image/webp", 0.0)
    return "image/webp" if webp > 0 and webp >= qualities.get("image/jpeg", 0.0) else "image/jpeg"


async def _slowly(serving: Serving, make: Callable[[], Rendered]) -> Rendered:
    async with serving.services.decodes.slot():
        return await run_sync(make, limiter=serving.threads.thumbnails)


def _answer(serving: Serving, request: Request, rendered: Rendered) -> Response:
    validators = Validators(rendered.etag)
    if validators.precondition_failed(request.headers):
        raise HTTPException(412, "The picture is not the one that If-Match names.")
    headers = {
        **INERT,
        **validators.headers(),
        "Cache-Control": f"{serving.cache_scope}, max-age={DAY_S}",
        "Cross-Origin-Resource-Policy": serving.resource_policy,
        "Vary": "Accept",
    }
    if validators.not_modified(request.headers):
        return Response(status_code=304, headers=headers)
    headers |= {"Content-Type": rendered.media_type, "Content-Length": str(len(rendered.data))}
    return Response(rendered.data if request.method == "GET" else b"", headers=headers)
