"""Sends an object from the store to a client without ever holding much of it.

A small object is read in one go. Of a large one the store's file or socket is handed to the
server, which moves it past this program (see minio_proxy.api.direct). Where neither server nor
store can do that, pieces are read in threads, one read ahead of what is being sent; only a
read occupies a thread, so a client that takes its time costs memory for two reads and
nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from itertools import islice

import anyio
from anyio.to_thread import run_sync
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from minio_proxy.api.direct import DIRECT
from minio_proxy.errors import StoreCorrupt
from minio_proxy.ports import Chunks, Passing, Rest

CHUNKS_PER_READ = 4  # of at most 256 KiB each: fewer changes of thread, 2 MiB held at most
SMALL_BYTES = 512 * 1024  # read and sent in one piece


class ObjectResponse(Response):
    """An answer whose body comes from a store.

    Args:
        open_chunks: opens the object; called in a thread, for GET only. What it raises
            becomes the answer, as nothing was sent yet.
        status_code: 200 or 206.
        length: bytes of the body.
        headers: of the answer.
        limiter: threads that may read at once.
        on_other_length: called when the object turns out to be longer or shorter.
    """

    def __init__(
        self,
        open_chunks: Callable[[], Chunks],
        *,
        status_code: int,
        length: int,
        headers: Mapping[str, str],
        limiter: anyio.CapacityLimiter,
        on_other_length: Callable[[], None],
    ) -> None:
        self.status_code = status_code
        self.background = None
        self.body = b""
        self._open = open_chunks
        self._limiter = limiter
        self._on_other_length = on_other_length
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
        elif self._length <= SMALL_BYTES:
            body = await run_sync(self._whole, limiter=self._limiter)
            await send(head)
            await send({"type": "http.response.body", "body": body})
        else:
            await self._send_large(head, scope, receive, send)

    def _whole(self) -> bytes:
        chunks = self._open()
        try:
            body = b"".join(chunks)
        finally:
            chunks.close()
        self._check(len(body))
        return body

    async def _send_large(
        self, head: dict[str, object], scope: Scope, receive: Receive, send: Send
    ) -> None:
        may_pass = DIRECT in scope.get("extensions", {})
        chunks, rest = await run_sync(lambda: self._begin(may_pass=may_pass), limiter=self._limiter)
        try:
            await send(head)
            if rest is not None and isinstance(chunks, Passing):
                await _send_rest(rest, send)
                chunks.moved()
            else:
                await self._send_pieces(chunks, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(chunks.close)

    def _begin(self, *, may_pass: bool) -> tuple[Chunks, Rest | None]:
        chunks = self._open()
        try:
            rest = chunks.rest() if may_pass and isinstance(chunks, Passing) else None
            if rest is not None:
                self._check(len(rest.head) + rest.length)
        except BaseException:
            chunks.close()
            raise
        return chunks, rest

    def _check(self, length: int) -> None:
        """The length that was announced may be one that was true earlier."""
        if length != self._length:
            self._on_other_length()
            raise StoreCorrupt(f"{length} bytes were found, {self._length} were expected.")

    async def _send_pieces(self, chunks: Chunks, receive: Receive, send: Send) -> None:
        client_left = asyncio.ensure_future(_until_disconnect(receive))
        try:
            await self._send_body(chunks, send, client_left)
        finally:
            client_left.cancel()

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


async def _send_rest(rest: Rest, send: Send) -> None:
    """Let the server move the body; the last, empty message ends the answer."""
    await send({"type": "http.response.body", "body": rest.head, "more_body": True})
    await send({"type": DIRECT, "rest": rest})
    await send({"type": "http.response.body", "body": b""})


async def _until_disconnect(receive: Receive) -> None:
    """Wait until the client is gone; sending to it would silently go nowhere."""
    while (await receive())["type"] != "http.disconnect":
        pass
