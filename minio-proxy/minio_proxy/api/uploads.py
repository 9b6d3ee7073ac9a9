"""Takes in one uploaded file, multipart or raw, in little memory."""

from __future__ import annotations

import errno
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser

from minio_proxy.errors import StoreFull

SPOOL_BYTES = 256 * 1024  # of an upload in memory; the rest goes to a temporary file
MAX_FIELDS = 8
MAX_FIELD_BYTES = 64 * 1024
MAX_COLLECTION = 200
MAX_NAME = 255


@dataclass(frozen=True, slots=True)
class Upload:
    """A file whose last byte has come.

    Args:
        file: its bytes, from the start.
        filename: as the client names it; never used as a path.
        collection: to put it in; None for none.
        metadata: the user's fields; None when none were given.
    """

    file: BinaryIO
    filename: str | None
    collection: str | None
    metadata: Mapping[str, Any] | None


@asynccontextmanager
async def received(request: Request) -> AsyncIterator[Upload]:
    """Take in the request's file; what lies in temporary files is gone afterwards.

    ``multipart/form-data`` has the part ``file`` and may have ``collection`` and
    ``metadata``; any other body is the file itself, with these two (and ``filename``) in
    the query.

    Raises:
        HTTPException: 400 for a body that is no valid multipart or has too many parts, 422
            for a missing file or wrong fields.
        StoreFull: no space for the temporary file.
    """
    is_form = request.headers.get("content-type", "").lower().startswith("multipart/form-data")
    with _space():
        form = await (_form(request) if is_form else _raw(request))
    try:
        yield _upload(form, request.query_params)
    finally:
        await form.close()


async def _form(request: Request) -> FormData:
    parser = MultiPartParser(
        request.headers,
        request.stream(),
        max_files=1,
        max_fields=MAX_FIELDS,
        max_part_size=MAX_FIELD_BYTES,
    )
    parser.spool_max_size = SPOOL_BYTES
    try:
        return await parser.parse()
    except MultiPartException as exc:
        raise HTTPException(400, exc.message) from exc


async def _raw(request: Request) -> FormData:
    spool = SpooledTemporaryFile[bytes](max_size=SPOOL_BYTES)
    name = request.query_params.get("filename")
    file = UploadFile(cast("BinaryIO", spool), size=0, filename=name)
    try:
        async for piece in request.stream():
            await file.write(piece)
        await file.seek(0)
    except BaseException:
        await file.close()
        raise
    return FormData([("file", file)])


def _upload(form: FormData, query: Mapping[str, str]) -> Upload:
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise HTTPException(422, "The form has no file in its part 'file'.")
    collection = form.get("collection", query.get("collection")) or None
    metadata = form.get("metadata", query.get("metadata")) or None
    if isinstance(collection, UploadFile) or isinstance(metadata, UploadFile):
        raise HTTPException(422, "collection and metadata are fields, not files.")
    return Upload(
        file=file.file,
        filename=_name(file.filename, "filename", MAX_NAME),
        collection=_name(collection, "collection", MAX_COLLECTION),
        metadata=_metadata(metadata),
    )


def _name(text: str | None, what: str, longest: int) -> str | None:
    if not text:
        return None
    if len(text) > longest or not text.isprintable():
        raise HTTPException(422, f"{what} is longer than {longest} or has control characters.")
    return text


def _metadata(text: str | None) -> Mapping[str, Any] | None:
    if text is None:
        return None
    try:
        value = json.loads(text, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False).encode()  # lone surrogates cannot be stored
    except (ValueError, RecursionError) as exc:
        raise HTTPException(422, "metadata is no valid JSON.") from exc
    if not isinstance(value, dict):
        raise HTTPException(422, "metadata is not a JSON object.")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


@contextmanager
def _space() -> Iterator[None]:
    """A full disk under a temporary file is the store's fullness to the client."""
    try:
        yield
    except OSError as exc:
        if exc.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise StoreFull("No space is left for uploads.") from exc
        raise
