"""Moves an answer's body from a file or socket to the client inside the operating system.

A file goes by sendfile, what an S3 store sends by splice: no byte passes through this
program, so that it costs little more than the store itself.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from anyio.to_thread import run_sync

from minio_proxy.errors import StoreUnavailable
from minio_proxy.ports import Rest

DIRECT: Final = "http.response.zerocopysend"
"""Name of the ASGI extension; the message carries ``rest`` (minio_proxy.ports.Rest) and, when it
was sent or broke off, ``moved_bytes``."""

_FILE_PIECE: Final = 4 * 1024 * 1024
_PIPE_BYTES: Final = 256 * 1024  # a process without privileges has 64 MiB of pipes in all
_YIELD_EVERY: Final = 2 * 1024 * 1024  # bytes after which other requests get their turn
_SPLICE_FLAGS: Final = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK


class ClientLeft(Exception):
    """The client takes nothing any more."""


class Mover:
    """Moves one body to one client.

    Args:
        client: its socket, non-blocking; the caller has nothing else on its way to it.
        stalled_s: how long the client may take nothing.
    """

    def __init__(self, client: socket.socket, stalled_s: float) -> None:
        # Event loops refuse to watch a descriptor that a transport of theirs watches.
        self._client = os.dup(client.fileno())
        self._stalled_s = stalled_s
        self.moved_bytes = 0
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Future[None] | None = None
        self._left = False

    def abandon(self) -> None:
        """Stop at once: the client is gone."""
        self._left = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ClientLeft())

    async def move(self, rest: Rest) -> None:
        """Move everything.

        Raises:
            ClientLeft: before its end, or because it took nothing for too long.
            StoreUnavailable: the source ended early or fell silent.
        """
        try:
            await (self._move_file(rest) if rest.is_file else self._move_socket(rest))
        finally:
            os.close(self._client)

    async def _move_file(self, rest: Rest) -> None:
        """Read in threads, as a disk may take its time."""
        missing = rest.length
        while missing:
            count = min(missing, _FILE_PIECE)
            sent = await run_sync(self._send_file, rest.descriptor, count)
            if sent < 0:
                await self._writable()
            elif sent:
                missing -= sent
                self.moved_bytes += sent
            else:
                raise _ended(missing)

    def _send_file(self, descriptor: int, count: int) -> int:
        """Give the bytes sent; 0 at the file's end, -1 when the client must take some first."""
        try:
            return os.sendfile(self._client, descriptor, None, count)
        except BlockingIOError:
            return -1
        except ConnectionError as exc:
            raise ClientLeft from exc

    async def _move_socket(self, rest: Rest) -> None:
        missing = rest.length
        since_yield = 0
        with _pipe() as (out, into):
            while missing:
                count = await self._fill(rest, into, missing)
                await self._empty(out, count)
                missing -= count
                since_yield += count
                if since_yield >= _YIELD_EVERY:
                    since_yield = 0
                    await asyncio.sleep(0)

    async def _fill(self, rest: Rest, into: int, missing: int) -> int:
        while True:
            try:
                count = os.splice(
                    rest.descriptor, into, min(missing, _PIPE_BYTES), flags=_SPLICE_FLAGS
                )
            except BlockingIOError:
                await self._readable(rest)
                continue
            except OSError as exc:
                raise _ended(missing) from exc
            if not count:
                raise _ended(missing)
            return count

    async def _empty(self, out: int, count: int) -> None:
        while count:
            try:
                sent = os.splice(out, self._client, count, flags=_SPLICE_FLAGS)
            except BlockingIOError:
                await self._writable()
            except OSError as exc:
                raise ClientLeft from exc
            else:
                count -= sent
                self.moved_bytes += sent

    async def _readable(self, rest: Rest) -> None:
        try:
            await self._wait(
                self._loop.add_reader, self._loop.remove_reader, rest.descriptor, rest.timeout_s
            )
        except TimeoutError as exc:
            raise StoreUnavailable("The store fell silent in mid-answer.") from exc

    async def _writable(self) -> None:
        try:
            await self._wait(
                self._loop.add_writer, self._loop.remove_writer, self._client, self._stalled_s
            )
        except TimeoutError as exc:
            raise ClientLeft from exc

    async def _wait(
        self,
        watch: Callable[..., None],
        unwatch: Callable[[int], object],
        descriptor: int,
        seconds: float,
    ) -> None:
        if self._left:
            raise ClientLeft
        ready = self._waiting = self._loop.create_future()
        watch(descriptor, _settle, ready)
        try:
            async with asyncio.timeout(seconds):
                await ready
        finally:
            unwatch(descriptor)
            self._waiting = None


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _ended(missing: int) -> StoreUnavailable:
    return StoreUnavailable(f"The store's answer ended {missing} bytes early.")


@contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    out, into = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        with suppress(PermissionError):  # smaller pipes are slower, nothing else
            fcntl.fcntl(into, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        yield out, into
    finally:
        os.close(out)
        os.close(into)
