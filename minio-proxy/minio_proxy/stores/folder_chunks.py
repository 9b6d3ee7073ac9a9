"""Reading a file's bytes piece by piece."""

from __future__ import annotations

import math
import os
from typing import Self

from minio_proxy.errors import StoreUnavailable
from minio_proxy.ports import Rest
from minio_proxy.stores.os_errors import os_errors
from minio_proxy.stores.source import CHUNK_BYTES


class FileChunks:
    """A file's next ``remaining`` bytes in chunks of at most 256 KiB.

    Args:
        descriptor: open file at the first byte; closed at the end or by close().
        key: the object's key, for messages.
        remaining: bytes to give.
    """

    def __init__(self, descriptor: int, key: str, remaining: int) -> None:
        self._descriptor = descriptor
        self._key = key
        self._remaining = remaining

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        if self._descriptor < 0 or self._remaining <= 0:
            self.close()
            raise StopIteration
        with os_errors(self._key):
            chunk = os.read(self._descriptor, min(CHUNK_BYTES, self._remaining))
        if not chunk:
            self.close()
            raise StoreUnavailable(
                f"{self._key!r} ended {self._remaining} bytes early; was its file cut?",
                key=self._key,
            )
        self._remaining -= len(chunk)
        return chunk

    def rest(self) -> Rest | None:
        """Give the file at its next byte (see minio_proxy.ports.Passing)."""
        if self._descriptor < 0:
            return None
        return Rest(b"", self._descriptor, self._remaining, is_file=True, timeout_s=math.inf)

    def moved(self) -> None:
        """Nothing is left to give."""
        self._remaining = 0

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()
