"""Takes in forms: text fields, and files that spill to disk and are cut at a limit."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from urllib.parse import parse_qsl

import anyio
from anyio.to_thread import run_sync
from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from embedding_pipeline.api.errors import MalformedBody, UnsupportedBody
from embedding_pipeline.errors import InvalidQuery
from minio_proxy.errors import PictureTooLarge, StoreFull

SPOOL_BYTES = 1024 * 1024
MAX_FIELDS = 32
MAX_FIELD_BYTES = 64 * 1024
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(slots=True)
class FormFile:
    """A file of a form.

    Args:
        name: of the form's part.
        filename: as the client names it; never used as a path.
        max_bytes: what comes beyond is dropped.
    """

    name: str
    filename: str
    max_bytes: int
    size_bytes: int = 0
    spool: SpooledTemporaryFile[bytes] = field(
        default_factory=lambda: SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115
    )

    @property
    def too_large(self) -> bool:
        """More bytes came than are taken."""
        return self.size_bytes > self.max_bytes

    def append(self, piece: bytes) -> None:
        """Take in the next bytes."""
        self.size_bytes += len(piece)
        if not self.too_large:
            self.spool.write(piece)

    def read(self) -> bytes:
        """All bytes; PictureTooLarge when there were too many."""
        if self.too_large:
            raise PictureTooLarge(
                f"The file has more than {self.max_bytes} bytes.", limit=self.max_bytes
            )
        self.spool.seek(0)
        return self.spool.read()


@dataclass(slots=True)
class Form:
    """What a form says.

    Args:
        fields: texts by name, without the empty ones.
        files: in the order sent, without the parts of empty file inputs.
    """

    fields: dict[str, str] = field(default_factory=dict)
    files: list[FormFile] = field(default_factory=list)

    def close(self) -> None:
        """Remove what was spilled to disk."""
        for file in self.files:
            file.spool.close()


@asynccontextmanager
async def received(request: Request, *, max_files: int, max_file_bytes: int) -> AsyncIterator[Form]:
    """Take in the request's form; what lies in temporary files is gone afterwards.

    How long and how slow the body may be is watched by minio_proxy's BodyLimitMiddleware.

    Args:
        request: with ``multipart/form-data``, or ``application/x-www-form-urlencoded``.
        max_files: more are refused.
        max_file_bytes: what a file has beyond is dropped; reading it raises PictureTooLarge.

    Raises:
        UnsupportedBody: neither type.
        MalformedBody: cut off, without boundary, too many parts or too long fields.
        InvalidQuery: a field twice, or one that is no UTF-8 text.
        StoreFull: no space for temporary files.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    form = Form()
    try:
        with _space():
            if kind == b"multipart/form-data":
                await _multipart(request, form, options.get(b"boundary"), max_files, max_file_bytes)
            elif kind == b"application/x-www-form-urlencoded":
                await _urlencoded(request, form)
            else:
                raise UnsupportedBody(
                    "Send a form: multipart/form-data (curl -F) or "
                    "application/x-www-form-urlencoded (curl -d)."
                )
        form.files = [file for file in form.files if file.filename or file.size_bytes]
        yield form
    finally:
        with anyio.CancelScope(shield=True):
            await run_sync(form.close)


async def _multipart(
    request: Request, form: Form, boundary: bytes | None, max_files: int, max_file_bytes: int
) -> None:
    if not boundary:
        raise MalformedBody("The multipart body has no boundary in its Content-Type.")
    builder = _Builder(form, max_files, max_file_bytes)
    try:
        parser = MultipartParser(boundary, builder.callbacks())  # type: ignore[arg-type]
        async for piece in request.stream():
            if piece:
                await run_sync(parser.write, piece)
        parser.finalize()
    except FormParserError as exc:
        raise MalformedBody("The multipart body is not valid.") from exc
    if not builder.complete:
        raise MalformedBody("The multipart body is cut off.")


async def _urlencoded(request: Request, form: Form) -> None:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_FIELD_BYTES:
            raise MalformedBody(f"The form is longer than {MAX_FIELD_BYTES} bytes.")
    try:
        pairs = parse_qsl(body.decode(), errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError as exc:
        raise MalformedBody("The form is not valid.") from exc
    for name, text in pairs:
        _add_field(form, name, text.encode("utf-8", "surrogatepass"))


class _Builder:
    """Puts a form together as its parts come in."""

    def __init__(self, form: Form, max_files: int, max_file_bytes: int) -> None:
        self._form = form
        self._max_files = max_files
        self._max_file_bytes = max_file_bytes
        self._header = b""
        self._value = b""
        self._disposition = b""
        self._name = ""
        self._text = bytearray()
        self._file: FormFile | None = None
        self._fields = 0
        self.complete = False

    def callbacks(self) -> dict[str, object]:
        """Callbacks of the parser, by its names for them."""
        return {
            "on_part_begin": self._part_begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._part_data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }

    def _part_begin(self) -> None:
        self._disposition = b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"name" not in options:
            raise MalformedBody("A part of the form has no name.")
        self._name = options[b"name"].decode("utf-8", "replace")
        self._text = bytearray()
        self._file = None
        if b"filename" not in options:
            self._fields += 1
            if self._fields > MAX_FIELDS:
                raise MalformedBody(f"The form has more than {MAX_FIELDS} fields.")
            return
        if len(self._form.files) >= self._max_files:
            files = "1 file" if self._max_files == 1 else f"{self._max_files} files"
            raise MalformedBody(f"The form has more than {files}.", limit=self._max_files)
        filename = options[b"filename"].decode("utf-8", "replace")
        self._file = FormFile(self._name, filename, self._max_file_bytes)
        self._form.files.append(self._file)

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.append(data[start:end])
            return
        self._text += data[start:end]
        if len(self._text) > MAX_FIELD_BYTES:
            raise MalformedBody(f"A field is longer than {MAX_FIELD_BYTES} bytes.")

    def _part_end(self) -> None:
        if self._file is None:
            _add_field(self._form, self._name, bytes(self._text))

    def _end(self) -> None:
        self.complete = True


def _add_field(form: Form, name: str, data: bytes) -> None:
    try:
        text = data.decode()
    except UnicodeDecodeError as exc:
        raise InvalidQuery(f"{name} is no UTF-8 text.", parameter=name[:80]) from exc
    if "\0" in text:
        raise InvalidQuery(f"{name} has a zero character.", parameter=name[:80])
    if name in form.fields:
        raise InvalidQuery(f"{name} is given twice.", parameter=name[:80])
    if text:
        form.fields[name] = text


@contextmanager
def _space() -> Iterator[None]:
    """A full disk under a temporary file is the store's fullness to the client."""
    try:
        yield
    except OSError as exc:
        if exc.errno in FULL:
            raise StoreFull("No space is left for uploads.") from exc
        raise
