"""The HTTP server around an application: uvicorn, with patience that ends."""

from __future__ import annotations

import asyncio
import json
import signal

import uvicorn
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from minio_proxy.api.at_once import AtOnce
from minio_proxy.api.direct import DIRECT, ClientLeft, Mover
from minio_proxy.ports import Rest

HEADERS_S = 10.0
STALLED_S = 60.0
LINGER_S = 30.0
SHUTDOWN_S = 30
MAX_HEADER_BYTES = 16 * 1024

_STATUS_LINES = {
    307: b"HTTP/1.1 307 Temporary Redirect\r\n",
    400: b"HTTP/1.1 400 Bad Request\r\n",
    431: b"HTTP/1.1 431 Request Header Fields Too Large\r\n",
}


class PatientProtocol(HttpToolsProtocol):
    """HTTP/1.1 that waits for slow clients, but not for ever.

    Headers must be complete within ``HEADERS_S`` of their first byte and are no longer than
    ``MAX_HEADER_BYTES``; an answer of which nothing is taken for ``STALLED_S`` is given up; a
    body that goes on after its answer was sent is read away for ``LINGER_S``, so that the
    client gets to see the answer. Bodies on their way in are watched by BodyLimitMiddleware.
    """

    at_once: AtOnce | None = None
    """Answers some requests without the application; build_server finds it there."""

    _timer: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _mover: Mover | None = None

    _in_head = True
    _in_body = False
    _head_bytes = 0
    _is_answered = False
    _defaults: tuple[list[tuple[bytes, bytes]] | None, bytes] = (None, b"")

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start waiting for headers."""
        super().connection_made(transport)
        # So that drained means empty: what is moved directly must not overtake anything.
        transport.set_write_buffer_limits(high=0)
        self._inner = self.app
        self.app = self._run
        self._wait(HEADERS_S)

    def data_received(self, data: bytes) -> None:
        """Parse; keep waiting while headers are incomplete."""
        self._head_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if not self._in_head:
            self._head_bytes = 0
        elif self._head_bytes > MAX_HEADER_BYTES:
            self._refuse(
                431, "headers_too_large", f"The headers are larger than {MAX_HEADER_BYTES} bytes."
            )
        elif self._timer is None:
            self._wait(HEADERS_S)

    def on_message_begin(self) -> None:
        """Take note that a head has begun."""
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        """Stop waiting for headers, and begin the request unless it is answered at once."""
        self._in_head, self._in_body = False, True
        self._stop_waiting()
        self._is_answered = self.at_once is not None and self._answer_at_once(self.at_once)
        if not self._is_answered:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Take note that nothing more of the body comes."""
        self._in_body = False
        if self._is_answered:
            return
        if self.cycle.response_complete:
            self._stop_waiting()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Read away what still comes of the body, for a while."""
        super().on_response_complete()
        if self._in_body and not self.transport.is_closing():
            self._wait(LINGER_S)

    def pause_writing(self) -> None:
        """Start waiting for the client to take what was sent."""
        super().pause_writing()
        self._stalled = self.loop.call_later(STALLED_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop waiting: the client took something."""
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Drop the timers."""
        self._stop_waiting()
        if self._mover is not None:
            self._mover.abandon()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - ours says it in our form
        """Answer what is no HTTP in the one error shape."""
        self._refuse(400, "malformed_request", "This is not a valid HTTP request.")

    def _answer_at_once(self, at_once: AtOnce) -> bool:
        """Answer between two requests, where that needs no application."""
        parser, cycle = self.parser, self.cycle
        if (
            parser.get_method() != b"GET"
            or not (cycle is None or cycle.response_complete)
            or self._head_bytes > MAX_HEADER_BYTES
            or self.flow.write_paused
            or self.transport.is_closing()
            or parser.get_http_version() != "1.1"
            or not parser.should_keep_alive()
        ):
            return False
        lines = at_once.answer(
            self.url,
            self.headers,
            client=self.client[0] if self.client else "unknown",
            server=self.server[0] if self.server else None,
        )
        if lines is None:
            return False
        defaults = self.server_state.default_headers  # uvicorn makes a new list every second
        if self._defaults[0] is not defaults:
            self._defaults = (defaults, b"".join(b"%b: %b\r\n" % item for item in defaults))
        self.transport.write(b"%b%b%b\r\n" % (_STATUS_LINES[307], self._defaults[1], lines))
        self.server_state.total_requests += 1
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )
        return True

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Answer and close; in the midst of another answer, only close."""
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        if cycle is None or cycle.response_complete or not cycle.response_started:
            body = json.dumps({"code": code, "message": message, "details": {}}).encode()
            head = (
                b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(_STATUS_LINES[status] + head % len(body) + body)
        self.transport.close()

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application, which may have bodies moved past this program."""
        # Of requests that came in one go, self.cycle is the last; this one's is behind send.
        cycle: RequestResponseCycle = send.__self__  # type: ignore[attr-defined]

        async def sending(message: Message) -> None:
            if message["type"] == DIRECT:
                await self._move(message, cycle)
            else:
                await send(message)

        scope["extensions"] = {DIRECT: {}}
        await self._inner(scope, receive, sending)

    async def _move(self, message: Message, cycle: RequestResponseCycle) -> None:
        """Move a body that was announced by its length; the message is told how far it got."""
        rest: Rest = message["rest"]
        await self.flow.drain()
        if self.transport.is_closing():
            raise ClientDisconnect
        mover = self._mover = Mover(self.transport.get_extra_info("socket"), STALLED_S)
        try:
            await mover.move(rest)
        except ClientLeft as exc:
            cycle.disconnected = True
            self.transport.abort()
            raise ClientDisconnect from exc
        finally:
            self._mover = None
            message["moved_bytes"] = mover.moved_bytes
        cycle.expected_content_length -= rest.length

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(seconds, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def build_server(app: ASGIApp, *, host: str, port: int) -> uvicorn.Server:
    """Make the server of an application; at its end, downloads have 30 seconds to finish."""
    found = getattr(getattr(app, "state", None), "at_once", None)
    protocol = type("AppProtocol", (PatientProtocol,), {"at_once": found})
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=protocol,
        ws="none",
        loop="uvloop",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    return uvicorn.Server(config)


def run_server(server: uvicorn.Server) -> None:
    """Serve until SIGINT or SIGTERM, then return, so that the caller can close what it opened.

    uvicorn alone would raise the signal again and end the process in the midst of that.
    """

    def stop(*_: object) -> None:
        server.should_exit = True

    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.run()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
