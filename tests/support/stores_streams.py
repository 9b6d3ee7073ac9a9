"""Streams that behave badly, and short ways to fill and read a store."""

from __future__ import annotations

import io
from collections.abc import Iterable

from minio_proxy.ports import ObjectStat, ObjectStore


class Trickle(io.BufferedIOBase):
    """Gives a few bytes a read, as a network does, and cannot seek.

    Args:
        content: what it gives.
        step: most bytes of one read.
        failure: raised in place of the end.
    """

    def __init__(self, content: bytes, step: int = 1000, failure: Exception | None = None) -> None:
        super().__init__()
        self._content = io.BytesIO(content)
        self._step = step
        self._failure = failure

    def readable(self) -> bool:
        """It can be read."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Give at most ``step`` bytes; at the end fail if told to."""
        chunk = self._content.read(
            self._step if size is None or size < 0 else min(size, self._step)
        )
        if not chunk and self._failure is not None:
            raise self._failure
        return chunk


class Zeros(io.BufferedIOBase):
    """A stream of zeros that takes no memory.

    Args:
        size_bytes: how many.
    """

    def __init__(self, size_bytes: int) -> None:
        super().__init__()
        self.left = size_bytes

    def readable(self) -> bool:
        """It can be read."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Give at most ``size`` zeros."""
        count = self.left if size is None or size < 0 else min(size, self.left)
        self.left -= count
        return bytes(count)


def put(store: ObjectStore, key: str, content: bytes) -> ObjectStat:
    """Put bytes."""
    return store.put(key, io.BytesIO(content), size_bytes=len(content))


def put_all(store: ObjectStore, keys: Iterable[str]) -> None:
    """Put an object under each key, its content the key."""
    for key in keys:
        put(store, key, key.encode())


def get(store: ObjectStore, key: str, offset: int = 0, length: int | None = None) -> bytes:
    """Read an object or a range of it."""
    return b"".join(store.open(key, offset=offset, length=length))


def keys_of(store: ObjectStore, prefix: str = "", after: str = "", limit: int = 1000) -> list[str]:
    """Keys of one page."""
    return [found.key for found in store.list(prefix, after=after, limit=limit)]
