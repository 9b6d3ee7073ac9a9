"""The caller's stream, read to exactly the size that was promised."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

from minio_proxy.errors import StoreError

CHUNK_BYTES: Final = 256 * 1024


def exactly(data: BinaryIO, size_bytes: int, key: str) -> Iterator[bytes]:
    """Yield ``size_bytes`` bytes of a stream in chunks of at most 256 KiB.

    Raises:
        StoreError: the stream ends early.
    """
    missing = size_bytes
    while missing > 0:
        chunk = data.read(min(CHUNK_BYTES, missing))
        if not chunk:
            raise short_stream(key, size_bytes, size_bytes - missing)
        missing -= len(chunk)
        yield chunk


def short_stream(key: str, expected: int, actual: int) -> StoreError:
    """Say that a stream ended before the size that was promised."""
    return StoreError(
        f"The data of {key!r} ended after {actual} of {expected} bytes; nothing was stored.",
        key=key,
        expected=expected,
        actual=actual,
    )
