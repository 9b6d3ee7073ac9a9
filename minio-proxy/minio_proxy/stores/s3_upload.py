"""The caller's stream on its way to S3: counted, hashed, and its own errors kept apart."""

from __future__ import annotations

import hashlib
from typing import BinaryIO, Final

from minio_proxy.stores.source import short_stream

PART_BYTES: Final = 8 * 1024 * 1024


class Upload:
    """Reads exactly the promised bytes and knows the ETag that they should have.

    S3's ETag is the MD5 of the content, and of a multipart object the MD5 of its parts'
    MD5s with their number, where the store does not encrypt with keys of its own.

    Args:
        data: the caller's stream.
        size_bytes: bytes to read of it.
        key: the object's key, for messages.
    """

    def __init__(self, data: BinaryIO, size_bytes: int, key: str) -> None:
        self.failure: Exception | None = None
        self._data = data
        self._size_bytes = size_bytes
        self._key = key
        self._given = 0
        self._ahead = b""
        self._sha256 = hashlib.sha256()
        self._parts = [_md5()]

    def head(self, most: int) -> bytes:
        """Look at the first bytes before any is read; what the stream raises passes through."""
        while len(self._ahead) < min(most, self._size_bytes):
            chunk = self._data.read(min(most, self._size_bytes) - len(self._ahead))
            if not chunk:
                break
            self._ahead += chunk
        return self._ahead

    def read(self, size: int = -1) -> bytes:
        """Give at most ``size`` bytes; a negative size is all that is left.

        Raises:
            StoreError: the stream ends early.
        """
        left = self._size_bytes - self._given
        try:
            chunk = self._next(left if size < 0 else min(size, left)) if left else b""
            if left and size and not chunk:
                raise short_stream(self._key, self._size_bytes, self._given)  # noqa: TRY301 - kept as the stream's own errors are
        except Exception as error:
            self.failure = error
            raise
        self._hash(chunk)
        return chunk

    @property
    def sha256(self) -> str:
        """SHA-256 of what was read, hex."""
        return self._sha256.hexdigest()

    @property
    def etag(self) -> str:
        """ETag that a store gives to what was read, when it does not encrypt."""
        if self._size_bytes <= PART_BYTES:
            return self._parts[0].hexdigest()
        digests = b"".join(part.digest() for part in self._parts)
        whole = _md5()
        whole.update(digests)
        return f"{whole.hexdigest()}-{len(self._parts)}"

    def _next(self, size: int) -> bytes:
        if not self._ahead:
            return self._data.read(size)
        chunk, self._ahead = self._ahead[:size], self._ahead[size:]
        return chunk

    def _hash(self, chunk: bytes) -> None:
        self._sha256.update(chunk)
        rest = memoryview(chunk)
        while rest:
            room = PART_BYTES * len(self._parts) - self._given
            if not room:
                self._parts.append(_md5())
                room = PART_BYTES
            self._parts[-1].update(rest[:room])
            self._given += len(rest[:room])
            rest = rest[room:]


def _md5() -> hashlib._Hash:
    return hashlib.md5(usedforsecurity=False)
