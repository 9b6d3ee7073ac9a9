"""The one shape of every error answer, and the table from errors to HTTP.

The search API registers its own table beside this one; both give the same shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Protocol, TypeAlias

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from minio_proxy import errors

log = structlog.get_logger(__name__)


class ErrorBody(BaseModel):
    """Every answer that is no success."""

    code: str = Field(description="Stable name of the error, for programs.")
    message: str = Field(description="One sentence for people.")
    details: dict[str, Any] = Field(
        default_factory=dict, description="What the error is about: key, limit, actual, ..."
    )


class CodedError(Protocol):
    """What the errors of both packages have in common."""

    code: str
    message: str
    details: dict[str, object]


ErrorTable: TypeAlias = Mapping[type[Exception], int]
"""Error class to status; the nearest base class that is listed decides."""

PROXY_ERRORS: ErrorTable = {
    errors.UnsupportedFormat: 415,
    errors.PictureTooLarge: 413,
    errors.PictureError: 422,
    errors.VariantError: 422,
    errors.ObjectNotFound: 404,
    errors.InvalidKey: 404,
    errors.StoreFull: 507,
    errors.SourceGone: 410,
    errors.SourceChanged: 409,
    errors.StoreUnavailable: 503,
    errors.StoreDenied: 503,
    errors.StoreCorrupt: 502,
    errors.StoreFormatMismatch: 503,
    errors.StoreError: 503,
    errors.RangeNotSatisfiable: 416,
    errors.NotAuthenticated: 401,
    errors.NotAllowed: 403,
    errors.ForeignOrigin: 403,
    errors.TooManyRequests: 429,
    errors.AccessError: 403,
    errors.SettingsError: 503,
    errors.ProxyError: 500,
}

_OWN_WORDS: Mapping[type[Exception], str] = {
    # What a store says may carry paths, hosts or vendor text; it belongs into the log.
    errors.StoreFull: "The store has no space left; nothing was stored.",
    errors.SourceAway: "The source that this original was left in cannot be read; is it mounted?",
    errors.StoreUnavailable: "The store does not answer; try again.",
    errors.StoreDenied: "The store refuses its credentials; the log says more.",
    errors.StoreCorrupt: "The stored object is damaged; the log says more.",
    errors.StoreFormatMismatch: "The store was written by another version of Boxseek.",
    errors.StoreError: "The store failed; the log says more.",
    errors.SettingsError: "A setting cannot work; the log says more.",
    errors.ProxyError: "The service failed; the log says more.",
}
_HTTP_CODES = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}
_MAX_VALIDATION_ERRORS = 10


def error_response(
    status: int,
    code: str,
    message: str,
    details: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Make an answer in the one shape."""
    body = {"code": code, "message": message, "details": dict(details or {})}
    return JSONResponse(body, status_code=status, headers=dict(headers or {}))


def status_of(error: Exception, table: ErrorTable = PROXY_ERRORS) -> int:
    """Find the status of an error by its nearest listed base class; 500 where none is."""
    return next((table[kind] for kind in type(error).__mro__ if kind in table), 500)


def answer(error: Exception, table: ErrorTable = PROXY_ERRORS) -> JSONResponse:
    """Turn an error of either package into its answer.

    The answers of 500 and above, except those with words of our own, say nothing of what
    went wrong inside; the log does.
    """
    status = status_of(error, table)
    code = getattr(error, "code", "internal_error")
    details = dict(getattr(error, "details", {}))
    message = _message(error, status)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and isinstance(error, errors.ProxyError):
        log.error("request_failed", code=code, reason=str(error), details=details)
        details = {}
    headers = _headers(status, details)
    return error_response(status, code, message, details, headers)


def _message(error: Exception, status: int) -> str:
    if status < HTTPStatus.INTERNAL_SERVER_ERROR or not isinstance(error, errors.ProxyError):
        return str(getattr(error, "message", error))
    return next(_OWN_WORDS[kind] for kind in type(error).__mro__ if kind in _OWN_WORDS)


def _headers(status: int, details: Mapping[str, object]) -> dict[str, str]:
    if status == HTTPStatus.UNAUTHORIZED:
        return {"WWW-Authenticate": 'Bearer realm="boxseek"'}
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        return {"Retry-After": str(details.get("retry_after_s", 1))}
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and "size_bytes" in details:
        return {"Content-Range": f"bytes */{details['size_bytes']}"}
    return {}


def register_error_handlers(
    app: FastAPI, table: ErrorTable, *, root: type[Exception] = errors.ProxyError
) -> None:
    """Answer every error below ``root`` by ``table``, and the framework's own in the same shape.

    Args:
        app: the application.
        table: error class to status.
        root: the root of the errors that the table is about; a package with a tree of its
            own calls this once more with its root.
    """

    def by_table(_: Request, error: Exception) -> JSONResponse:
        return answer(error, table)

    app.add_exception_handler(root, by_table)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)


def _invalid(_: Request, error: Exception) -> JSONResponse:
    """Name each wrong parameter without repeating what was sent (it may be a whole file)."""
    found: Sequence[Any] = error.errors() if isinstance(error, RequestValidationError) else ()
    problems = [
        {"where": ".".join(str(part) for part in item["loc"]), "problem": str(item["msg"])}
        for item in found[:_MAX_VALIDATION_ERRORS]
    ]
    first = problems[0] if problems else {"where": "request", "problem": "not valid"}
    message = f"{first['where']}: {first['problem']}"
    return error_response(422, "invalid_request", message, {"problems": problems})


def _http_error(request: Request, error: Exception) -> JSONResponse:
    """Give the framework's 404, 405 and the like the one shape."""
    if not isinstance(error, HTTPException):
        return error_response(500, "internal_error", "The service failed; the log says more.")
    status = error.status_code
    code = _HTTP_CODES.get(status, "invalid_request" if status < 500 else "internal_error")  # noqa: PLR2004
    headers = dict(error.headers or {})
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = _allowed_methods(request)
    return error_response(status, code, str(error.detail), headers=headers)


def _allowed_methods(request: Request) -> str:
    """List every method that this address takes; the framework names those of one route."""

    def taken(method: str) -> bool:
        scope = {**request.scope, "method": method}
        return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)

    return ", ".join(filter(taken, ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")))


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document error answers of a route for OpenAPI."""
    return {
        status: {"model": ErrorBody, "description": HTTPStatus(status).phrase}
        for status in sorted(set(statuses))
    }
