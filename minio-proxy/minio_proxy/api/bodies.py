"""Limits on request bodies: how many bytes, and how slowly they may come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from minio_proxy.api.errors import error_response

SILENCE_S = 30.0
GRACE_S = 60.0
LEAST_BYTES_PER_S = 1024


class BodyLimitMiddleware:
    """Ends requests whose body is too long (413) or comes too slowly (408).

    The length is counted while the body comes in, whatever Content-Length says; a body that
    announces too much is refused before any of it is read.

    Args:
        app: what is inside.
        max_bytes: the limit for a request, by its scope.
        silence_s: longest pause between two pieces.
        grace_s: time after which a body must have come at 1 KiB a second on average.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_bytes: Callable[[Scope], int],
        silence_s: float = SILENCE_S,
        grace_s: float = GRACE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.app = app
        self._max_bytes = max_bytes
        self._silence_s = silence_s
        self._grace_s = grace_s
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its body watched."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self._max_bytes(scope)
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdigit() and int(announced[:20]) > limit:
            refused = error_response(413, "body_too_large", _too_large(limit), {"limit": limit})
            await refused(scope, receive, send)
            return
        await self.app(scope, self._watched(receive, limit), send)

    def _watched(self, receive: Receive, limit: int) -> Receive:
        started = self._clock()
        received = 0
        complete = False

        async def watched() -> Message:
            nonlocal received, complete
            if complete:
                return await receive()
            fair_s = started + self._grace_s + received / LEAST_BYTES_PER_S - self._clock()
            try:
                async with asyncio.timeout(max(0.0, min(self._silence_s, fair_s))):
                    message = await receive()
            except TimeoutError as exc:
                raise HTTPException(408, "The request's body comes too slowly.") from exc
            received += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if received > limit:
                raise HTTPException(413, _too_large(limit))
            return message

        return watched


def _too_large(limit: int) -> str:
    return f"The body is larger than {limit} bytes."
