"""The answer that carries an original: its headers, its range, its bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote

from anyio.to_thread import run_sync
from fastapi import Request, Response
from starlette.exceptions import HTTPException

from minio_proxy.api.byte_range import parse_range
from minio_proxy.api.conditional import Validators
from minio_proxy.api.offload import Offload
from minio_proxy.api.state import Serving
from minio_proxy.api.streaming import ObjectResponse
from minio_proxy.originals.addresses import original_address
from minio_proxy.picture.formats import HEAD_BYTES, MEDIA_TYPES, sniff
from minio_proxy.ports import ObjectStat

CONDITIONS = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "range")
YEAR_S = 365 * 24 * 3600
UNKNOWN_TYPE = "application/octet-stream"
ENDINGS = {media_type: name.lower() for name, media_type in MEDIA_TYPES.items()} | {
    "image/jpeg": "jpg"
}
INERT = {
    # Whatever was uploaded: it runs nothing, frames nothing and is never taken for a page.
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Original:
    """What the answer's headers need.

    Args:
        key: SHA-256 of the bytes.
        stat: from the store.
        media_type: told by the bytes.
        name: the name that somebody gave the file; None where nobody asks for it.
    """

    key: str
    stat: ObjectStat
    media_type: str
    name: str | None = None

    @property
    def is_stored(self) -> bool:
        """Whether the store has it; else it was left in its source."""
        return self.stat.key == original_address(self.key)


def find_original(serving: Serving, key: str, *, named: bool = False) -> Original:
    """Look an original up; reads its first bytes unless its type is known already.

    Raises:
        ObjectNotFound: there is none.
    """
    originals = serving.services.originals
    stat = originals.stat(key)
    serving.stats.remember(key, stat)
    media_type = serving.types.get(key)
    if media_type is None:
        chunks = originals.open(key, offset=0, length=min(HEAD_BYTES, stat.size_bytes))
        media_type = sniff(b"".join(chunks)) or UNKNOWN_TYPE
        serving.types.remember(key, media_type)
    name = None
    if named:
        name = next((path for _, path in originals.record(key).sources if path), key)
    return Original(key, stat, media_type, name)


async def left_in_place(serving: Serving, key: str) -> bool:
    """Tell whether only the source has an original, so that the store cannot give it."""
    originals = serving.services.originals
    if not originals.leaves_in_place:
        return False
    return await run_sync(lambda: originals.is_left_in_place(key), limiter=serving.threads.lookups)


def known_original(serving: Serving, key: str, headers: Mapping[str, str]) -> Original | None:
    """Give an original without asking the store, where only opening it will matter.

    A condition may be answered without opening it, so there it must be looked up.
    """
    stat, media_type = serving.stats.get(key), serving.types.get(key)
    if stat is None or media_type is None or any(name in headers for name in CONDITIONS):
        return None
    return Original(key, stat, media_type)


def original_response(
    serving: Serving, request: Request, original: Original, offload: Offload
) -> Response:
    """Make the answer: whole, a range, nothing new, or left to the server in front."""
    validators = Validators(original.key, original.stat.modified_at)
    if validators.precondition_failed(request.headers):
        raise HTTPException(412, "The picture is not the one that If-Match names.")
    headers = {
        **INERT,
        **validators.headers(),
        "Accept-Ranges": "bytes",
        "Cache-Control": f"{serving.cache_scope}, max-age={YEAR_S}, immutable",
        "Cross-Origin-Resource-Policy": serving.resource_policy,
    }
    if validators.not_modified(request.headers):
        return Response(status_code=304, headers=headers)
    headers["Content-Type"] = original.media_type
    headers["Content-Disposition"] = disposition(original.key, original.media_type, original.name)
    if offload.accelerates and original.is_stored:
        return offload.accelerate(original.key, headers)
    return _streamed(serving, request, original, validators, headers)


def _streamed(
    serving: Serving,
    request: Request,
    original: Original,
    validators: Validators,
    headers: Mapping[str, str],
) -> Response:
    size_bytes = original.stat.size_bytes
    wanted = None
    if request.method == "GET" and validators.range_applies(request.headers.get("if-range")):
        wanted = parse_range(request.headers.get("range"), size_bytes)
    offset, length = (wanted.first, wanted.length) if wanted else (0, size_bytes)
    return ObjectResponse(
        lambda: serving.services.originals.open(original.key, offset=offset, length=length),
        status_code=206 if wanted else 200,
        length=length,
        headers={**headers, **({"Content-Range": wanted.content_range} if wanted else {})},
        limiter=serving.threads.reads,
        on_other_length=lambda: serving.stats.forget(original.key),
    )


def disposition(key: str, media_type: str, name: str | None) -> str:
    """Name the file for who saves it; without a name it is shown in place.

    The ending always fits the bytes, so that no ``holiday.jpg.exe`` is offered.
    """
    ending = ENDINGS.get(media_type, "bin")
    if name is None:
        return f'inline; filename="{key[:16]}.{ending}"'
    stem = PurePosixPath(name.replace("\\", "/")).name.partition(".")[0]
    safe = "".join(letter for letter in stem if letter.isprintable())[:100].strip() or key[:16]
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_ ") else "_" for c in safe)
    extended = quote(safe.encode("utf-8", "replace"), safe="")
    return f"attachment; filename=\"{plain}.{ending}\"; filename*=UTF-8''{extended}.{ending}"
