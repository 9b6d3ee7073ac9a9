"""The HTTP server around an application: uvicorn, with patience that ends."""

from __future__ import annotations

import asyncio
import json
import signal
import sys

import h11
import uvicorn
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from minio_proxy.api.direct import DIRECT, ClientLeft, Mover
from minio_proxy.ports import Rest

HEADERS_S = 10.0
STALLED_S = 60.0
LINGER_S = 30.0
SHUTDOWN_S = 30
MAX_HEADER_BYTES = 16 * 1024


class _Bytes:
    """Stands for bytes that nobody here sees."""

    def __init__(self, length: int) -> None:
        self._length = length

    def __len__(self) -> int:
        return self._length


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that waits for slow clients, but not for ever.

    Headers must be complete within ``HEADERS_S`` of their first byte; an answer of which
    nothing is taken for ``STALLED_S`` is given up; a body that goes on after its answer was
    sent is read away for ``LINGER_S``, so that the client gets to see the answer. Bodies on
    their way in are watched by BodyLimitMiddleware.
    """

    _timer: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    _mover: Mover | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start waiting for headers."""
        super().connection_made(transport)
        # So that drained means empty: what is moved directly must not overtake anything.
        transport.set_write_buffer_limits(high=0)
        self._inner = self.app
        self.app = self._run
        self._wait(HEADERS_S)

    def data_received(self, data: bytes) -> None:
        """Keep waiting while headers are incomplete, stop once they are."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self._timer is None:
            self._wait(HEADERS_S)

    def on_response_complete(self) -> None:
        """Read away what still comes of the body, for a while."""
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:
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

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - ours says more
        """Answer what is no HTTP, or has too long headers, in the one error shape."""
        error = sys.exc_info()[1]
        status = getattr(error, "error_status_hint", 400)
        if self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            self.transport.close()  # in the midst of an answer: nothing else can be said
            return
        code, text = (
            ("headers_too_large", f"The headers are larger than {MAX_HEADER_BYTES} bytes.")
            if status == 431  # noqa: PLR2004 - Request Header Fields Too Large
            else ("malformed_request", "This is not a valid HTTP request.")
        )
        body = json.dumps({"code": code, "message": text, "details": {}}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        head = h11.Response(status_code=status, headers=headers)
        for event in (head, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application, which may have bodies moved past this program."""

        async def sending(message: Message) -> None:
            if message["type"] == DIRECT:
                await self._move(message["rest"])
            else:
                await send(message)

        scope["extensions"] = {DIRECT: {}}
        await self._inner(scope, receive, sending)

    async def _move(self, rest: Rest) -> None:
        """Move a body that was announced by its length."""
        await self.flow.drain()
        if self.transport.is_closing():
            raise ClientDisconnect
        client = self.transport.get_extra_info("socket")
        # h11 counts the bytes against Content-Length and gives them back unseen.
        self.conn.send_with_data_passthrough(h11.Data(data=_Bytes(rest.length)))  # type: ignore[arg-type]
        self._mover = Mover(client, STALLED_S)
        try:
            await self._mover.move(rest)
        except ClientLeft as exc:
            self.cycle.disconnected = True
            self.transport.abort()
            raise ClientDisconnect from exc
        finally:
            self._mover = None

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(seconds, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def build_server(app: ASGIApp, *, host: str, port: int) -> uvicorn.Server:
    """Make the server of an application; at its end, downloads have 30 seconds to finish."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=PatientProtocol,
        ws="none",
        loop="uvloop",
        log_config=None,
        access_log=False,
        server_header=False,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
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
