"""Sends an object from the store to a client without ever holding much of it.

Pieces are read in threads, one read ahead of what is being sent, so that the store and the
client work at the same time. Only a read occupies a thread: a client that takes its time
costs memory for two reads and nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from itertools import islice

import anyio
from anyio.to_thread import run_sync
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from minio_proxy.ports import Chunks

CHUNKS_PER_READ = 4  # of at most 256 KiB each: fewer changes of thread, 2 MiB held at most


class ObjectResponse(Response):
    """An answer whose body comes from a store.

    Args:
        open_chunks: opens the object; called in a thread, for GET only. What it raises
            becomes the answer, as nothing was sent yet.
        status_code: 200 or 206.
        length: bytes of the body.
        headers: of the answer.
        limiter: threads that may read at once.
    """

    def __init__(
        self,
        open_chunks: Callable[[], Chunks],
        *,
        status_code: int,
        length: int,
        headers: Mapping[str, str],
        limiter: anyio.CapacityLimiter,
    ) -> None:
        self.status_code = status_code
        self.background = None
        self.body = b""
        self._open = open_chunks
        self._limiter = limiter
        self._length = length
        self.init_headers({**headers, "Content-Length": str(length)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head, then the body unless only the head was asked for."""
        head = {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }
        if scope["method"] == "HEAD":
            await send(head)
            await send({"type": "http.response.body", "body": b""})
            return
        chunks = await run_sync(self._open, limiter=self._limiter)
        try:
            await send(head)
            client_left = asyncio.ensure_future(_until_disconnect(receive))
            try:
                await self._send_body(chunks, send, client_left)
            finally:
                client_left.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(chunks.close)

    async def _send_body(
        self, chunks: Chunks, send: Send, client_left: asyncio.Future[None]
    ) -> None:
        pieces = await self._read(chunks)
        missing = self._length
        while pieces and not client_left.done():
            ahead = asyncio.ensure_future(self._read(chunks))
            try:
                for piece in pieces:
                    missing -= len(piece)
                    more = missing > 0
                    await send({"type": "http.response.body", "body": piece, "more_body": more})
            finally:
                with anyio.CancelScope(shield=True):
                    await asyncio.wait([ahead])  # nobody may close what a thread is reading
            pieces = ahead.result()

    async def _read(self, chunks: Chunks) -> list[bytes]:
        return await run_sync(lambda: list(islice(chunks, CHUNKS_PER_READ)), limiter=self._limiter)


async def _until_disconnect(receive: Receive) -> None:
    """Wait until the client is gone; sending to it would silently go nowhere."""
    while (await receive())["type"] != "http.disconnect":
        pass
