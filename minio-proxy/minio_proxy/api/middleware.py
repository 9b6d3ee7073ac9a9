"""What surrounds every request: its id, its log line, its metrics, its last resort."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from minio_proxy.access import Caller
from minio_proxy.api.direct import DIRECT
from minio_proxy.api.errors import ErrorTable, answer, error_response
from minio_proxy.api.metrics import Metrics
from minio_proxy.errors import ProxyError

log = structlog.get_logger("boxseek.request")

CLIENT_LEFT = 499  # nginx's number for it: no answer was wanted any more
BROKEN_OFF = 599  # in the log only: an answer that began and could not be finished
FAILED = 400
NO_ROUTE = "none"
WATCHED_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})  # asked every few seconds
MAX_HEAD_BYTES = 16 * 1024
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class AnswerBrokenOff(Exception):
    """Tells the server to cut the connection; what happened is in the log already."""


class RequestMiddleware:
    """Gives each request an id, answers what nobody else did, logs and counts it.

    It stands outside the guard, so that a refused request has an id, a log line and the one
    error shape too.

    Args:
        app: what is inside.
        table: statuses of errors that come out of middlewares.
        metrics: where to count.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        table: ErrorTable,
        metrics: Metrics,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.app = app
        self._table = table
        self._metrics = metrics
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = given_id(Headers(scope=scope).get("x-request-id", ""))
        scope.setdefault("state", {})["request_id"] = request_id
        reply = _Reply(send, request_id)
        started = self._clock()
        self._metrics.started()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._run(scope, receive, reply)
            finally:
                self._finish(scope, reply, self._clock() - started)

    async def _run(self, scope: Scope, receive: Receive, reply: _Reply) -> None:
        try:
            if _head_bytes(scope) > MAX_HEAD_BYTES:
                await _head_too_large()(scope, receive, reply.send)
                return
            await self.app(scope, receive, reply.send)
        except ClientDisconnect:
            return  # nobody is there to be answered
        except Exception as exc:
            known = isinstance(exc, ProxyError)
            if not known or reply.status:
                log.exception("unexpected_error")
            if reply.status:  # too late for an answer: cut off, so that the client notices
                reply.status = BROKEN_OFF
                raise AnswerBrokenOff from exc
            response = answer(exc, self._table) if known else _internal_error()
            await response(scope, receive, reply.send)

    def _finish(self, scope: Scope, reply: _Reply, seconds: float) -> None:
        left = not reply.complete and reply.status != BROKEN_OFF
        status = CLIENT_LEFT if left else reply.status
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = getattr(scope.get("route"), "path", NO_ROUTE)
        self._metrics.finished(
            route=route, method=method, status=status, seconds=seconds, sent_bytes=reply.sent_bytes
        )
        path = scope["path"]
        write = log.debug if path in WATCHED_PATHS and status < FAILED else log.info
        caller = scope["state"].get("caller")
        write("request", **line(method, path, status, seconds, reply.sent_bytes, caller))


def given_id(given: str) -> str:
    """Use the id that a request brought along if it is one, else make one."""
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


def line(
    method: str, path: str, status: int, seconds: float, sent_bytes: int, caller: Caller | None
) -> dict[str, object]:
    """Make the fields of a request's log line."""
    return {
        "method": method,
        "path": path,
        "status": status,
        "ms": round(seconds * 1000, 1),
        "bytes": sent_bytes,
        "caller": caller.caller_id if caller else None,
    }


def _head_bytes(scope: Scope) -> int:
    """Size of address and headers; the server's own limit does not see what comes at once."""
    headers = sum(len(name) + len(value) for name, value in scope["headers"])
    return headers + len(scope.get("raw_path", b"")) + len(scope["query_string"])


def _head_too_large() -> JSONResponse:
    message = f"Address and headers are larger than {MAX_HEAD_BYTES} bytes."
    return error_response(431, "headers_too_large", message, {"limit": MAX_HEAD_BYTES})


def _internal_error() -> JSONResponse:
    return error_response(500, "internal_error", "The service failed; the log says more.")


class _Reply:
    """Passes an answer on and remembers what was said."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.status = 0
        self.sent_bytes = 0
        self.complete = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self._request_id
            headers.setdefault("X-Content-Type-Options", "nosniff")
        elif message["type"] == DIRECT:
            try:
                await self._send(message)
            finally:
                self.sent_bytes += message.get("moved_bytes", 0)
            return
        else:
            self.sent_bytes += len(message.get("body", b""))
            self.complete = not message.get("more_body", False)
        await self._send(message)
