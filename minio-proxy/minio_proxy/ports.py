"""What a store of bytes must do; folder and S3 adapters pass one contract suite."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol


@dataclass(frozen=True, slots=True)
class ObjectStat:
    """What a store knows of one object.

    Args:
        key: the object's full key, slash separated.
        size_bytes: length of the content.
        etag: opaque, changes whenever the content does; without quotes.
        modified_at: time of the last write, UTC, timezone-aware.
    """

    key: str
    size_bytes: int
    etag: str
    modified_at: datetime


class ObjectStore(Protocol):
    """Bytes under slash-separated keys (``originals/ab/abcd...``).

    Keys are 1 to 512 characters of ``[A-Za-z0-9._/-]``; no segment is empty, ``.`` or
    ``..``. Any other key raises InvalidKey before the store is touched. Every verb maps
    the vendor's errors to StoreError's subclasses; nothing of the vendor leaks. All verbs
    may be called from many threads at once.
    """

    def put(self, key: str, data: BinaryIO, *, size_bytes: int) -> ObjectStat:
        """Write an object durably; when this returns, a power loss does not undo it.

        Streams: memory does not grow with ``size_bytes``. A reader never sees a partial
        object. An existing object is replaced as a whole. A short stream (fewer than
        ``size_bytes`` bytes) raises StoreError and leaves what was there before.
        """
        ...

    def open(self, key: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Stream an object's bytes in chunks of at most 256 KiB.

        ``length=None`` reads to the end. A missing key raises ObjectNotFound at the call,
        not at the first chunk. Closing the iterator early frees its connection or file.
        """
        ...

    def stat(self, key: str) -> ObjectStat:
        """Describe an object without reading it; a missing key raises ObjectNotFound."""
        ...

    def delete(self, key: str) -> bool:
        """Remove an object durably; True if it was there, False (and no error) if not."""
        ...

    def list(self, prefix: str, *, after: str = "", limit: int = 1000) -> list[ObjectStat]:
        """One page of the objects whose keys start with ``prefix``, in key order (bytewise).

        Only keys greater than ``after`` are given, at most ``limit``. An empty answer means
        the end. A prefix need not end at a slash.
        """
        ...

    def check(self) -> None:
        """Raise StoreError if reading or writing would not work now (used by readiness)."""
        ...

    def close(self) -> None:
        """Free connections; further calls are undefined."""
        ...
