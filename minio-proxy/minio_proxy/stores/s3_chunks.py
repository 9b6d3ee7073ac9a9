"""Reading an S3 answer's bytes piece by piece."""

from __future__ import annotations

import math
import socket
from collections.abc import Callable
from http.client import HTTPConnection, HTTPResponse
from typing import Protocol, Self

from minio_proxy.errors import StoreUnavailable
from minio_proxy.ports import Rest
from minio_proxy.stores.s3_errors import VENDOR_ERRORS, from_vendor
from minio_proxy.stores.source import CHUNK_BYTES


class Answer(Protocol):
    """What is used of the answer to a GET."""

    length_remaining: int | None

    def read(self, amt: int, *, decode_content: bool) -> bytes:
        """Give at most ``amt`` bytes of the body; empty at its end."""
        ...

    def read1(self, amt: int, *, decode_content: bool) -> bytes:
        """Give the bytes that are here already, or else those that come next."""
        ...

    @property
    def connection(self) -> HTTPConnection | None:
        """The connection that the body comes from."""
        ...

    def close(self) -> None:
        """Drop the connection."""
        ...

    def release_conn(self) -> None:
        """Give the connection back."""
        ...


class AnswerChunks:
    """The body of an answer in chunks of at most 256 KiB, never ending short.

    Args:
        answer: gives the body; None for an empty one.
        key: the object's key, for messages.
        remaining: bytes that the body must have.
    """

    def __init__(self, answer: Answer | None, key: str, remaining: int) -> None:
        self._answer = answer
        self._key = key
        self._remaining = remaining

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        answer = self._answer
        if answer is None or self._remaining <= 0:
            self._release()
            raise StopIteration
        return self._take(answer.read)

    def _take(self, read: Callable[..., bytes]) -> bytes:
        try:
            chunk = read(min(CHUNK_BYTES, self._remaining), decode_content=False)
        except VENDOR_ERRORS as error:
            self.close()
            raise from_vendor(error, self._key) from error
        if not chunk:
            self.close()
            raise StoreUnavailable(
                f"The S3 store ended {self._key!r} {self._remaining} bytes early; try again.",
                key=self._key,
            )
        self._remaining -= len(chunk)
        return chunk

    def rest(self) -> Rest | None:
        """Give the socket at its next byte, unless TLS is spoken there (see ports.Passing)."""
        answer = self._answer
        connection = answer.connection if answer is not None else None
        found = connection.sock if connection is not None else None
        if answer is None or type(found) is not socket.socket:
            return None
        # One such read takes all that was read ahead of us, so the socket has what follows.
        head = self._take(answer.read1)
        timeout_s = found.gettimeout() or math.inf
        return Rest(head, found.fileno(), self._remaining, is_file=False, timeout_s=timeout_s)

    def moved(self) -> None:
        """Tell the answer that its body was read, behind its back, from its socket."""
        answer = self._answer
        source = getattr(answer, "_fp", None)  # no public way leads to it
        if answer is not None and isinstance(source, HTTPResponse):
            source.length = answer.length_remaining = self._remaining = 0
            answer.read(1, decode_content=False)  # nothing, which ends the answer

    def close(self) -> None:
        """Free the connection; one with unread bytes is dropped."""
        if self._remaining <= 0:
            self._release()
            return
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.close()
            answer.release_conn()

    def _release(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.release_conn()

    def __del__(self) -> None:
        self.close()
