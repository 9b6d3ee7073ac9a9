"""What a store of bytes must do; folder and S3 adapters pass one contract suite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol, runtime_checkable

from minio_proxy.records import Place


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


class Chunks(Iterator[bytes], Protocol):
    """An object's bytes, piece by piece; iterating to the end also closes it."""

    def close(self) -> None:
        """Free the connection or file at once; a second call does nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left of an object, as the operating system can move it without this program.

    Args:
        head: bytes that come first.
        descriptor: gives the bytes after them; open until the chunks are closed.
        length: number of bytes that the descriptor has to give.
        is_file: a file at its next byte; otherwise a non-blocking socket.
        timeout_s: how long the descriptor may be silent.
    """

    head: bytes
    descriptor: int
    length: int
    is_file: bool
    timeout_s: float


@runtime_checkable
class Passing(Protocol):
    """Chunks that may be able to give away what is left of them."""

    def rest(self) -> Rest | None:
        """Give what is left; None where it can only be had in chunks.

        Afterwards only ``moved`` and ``close`` may be called. A stream that breaks raises
        StoreUnavailable.
        """
        ...

    def moved(self) -> None:
        """Take note that all of the rest was taken, so that a connection may be used again."""
        ...


class ObjectStore(Protocol):
    """Bytes under slash-separated keys (``originals/ab/abcd...``).

    Keys are 1 to 512 characters of ``[A-Za-z0-9._/-]``; no segment is empty, ``.``, ``..``
    or longer than 255 characters. Any other key raises InvalidKey before the store is
    touched, and so do the names that a store keeps for itself (``.tmp``,
    ``boxseek-store.json``, ``boxseek-check``). A key that continues another object's key
    (``a/b`` beside ``a``) is not for use: it may be refused with InvalidKey, or one of the two
    may miss from listings. Every verb maps the vendor's
    errors to StoreError's subclasses; nothing of the vendor leaks. All verbs may be called
    from many threads at once.
    """

    def put(self, key: str, data: BinaryIO, *, size_bytes: int) -> ObjectStat:
        """Write an object durably; when this returns, a power loss does not undo it.

        Streams: memory does not grow with ``size_bytes``. A reader never sees a partial
        object. An existing object is replaced as a whole. A short stream (fewer than
        ``size_bytes`` bytes) raises StoreError and leaves what was there before; of a
        longer one only the first ``size_bytes`` are taken. What ``data.read`` raises
        reaches the caller unchanged.
        """
        ...

    def open(self, key: str, *, offset: int = 0, length: int | None = None) -> Chunks:
        """Stream an object's bytes in chunks of at most 256 KiB.

        ``length=None`` reads to the end, and so does a length that reaches past it. A
        missing key raises ObjectNotFound at the call, not at the first chunk. A negative
        offset or length, or an offset at or past the end (other than 0), raises
        RangeNotSatisfiable at the call. A stream that breaks raises StoreUnavailable while
        iterating; it never ends short. Closing early frees the connection or file.
        """
        ...

    def stat(self, key: str) -> ObjectStat:
        """Describe an object without reading it; a missing key raises ObjectNotFound."""
        ...

    def delete(self, key: str) -> bool:
        """Remove an object durably; True if it was there, False (and no error) if not.

        Of two simultaneous deletes of one object both may say True.
        """
        ...

    def list(self, prefix: str, *, after: str = "", limit: int = 1000) -> list[ObjectStat]:
        """One page of the objects whose keys start with ``prefix``, in key order (bytewise).

        Only keys greater than ``after`` are given, at most ``limit``; 0 or less gives none.
        An empty answer means the end. A prefix need not end at a slash; one that no valid
        key starts with raises InvalidKey.
        """
        ...

    def check(self) -> None:
        """Raise StoreError if reading or writing would not work now (used by readiness)."""
        ...

    def close(self) -> None:
        """Free connections; further calls are undefined."""
        ...


@dataclass(frozen=True, slots=True)
class OpenObject:
    """One version of an object, being read.

    Args:
        etag: opaque, changes whenever the content does; without quotes.
        size_bytes: length of the content.
        chunks: the content; must be closed unless it is read to its end.
    """

    etag: str
    size_bytes: int
    chunks: Chunks


class Places(Protocol):
    """Originals that were left in the folder or bucket that they come from.

    Nothing is ever written there. Only what lies below a root that an ingest run of the
    operator recorded is read, and no link leads out of it. Bytes are given only while they are
    those of the image key: by size, time or ETag as recorded, else by their SHA-256. All verbs
    may be called from many threads at once and raise SourceGone, SourceChanged, or SourceAway
    (not mounted, no answer, not a recorded root).
    """

    def in_use(self) -> bool:
        """Whether any root is recorded; asks nothing but this machine."""
        ...

    def stat(self, place: Place, image_key: str) -> ObjectStat:
        """Describe an original; its key is the path in the source."""
        ...

    def open(
        self, place: Place, image_key: str, *, offset: int = 0, length: int | None = None
    ) -> Chunks:
        """Stream an original or a part of it, as ObjectStore.open does.

        A file that changes meanwhile raises SourceChanged while iterating.
        """
        ...


class BucketSource(Protocol):
    """A bucket that someone else fills; nothing is ever written to it.

    Keys are taken as they are: with spaces, percent signs, any Unicode, empty segments.
    Both verbs may be called from many threads at once.
    """

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        """Every object whose key begins with ``prefix``, as the server orders them (bytewise).

        The prefix is text and need not end at a slash. Pages are asked for as they are
        needed, so memory does not grow with the bucket. Raises, while iterating,
        ObjectNotFound when there is no such bucket, else StoreError.
        """
        ...

    def open(self, key: str) -> OpenObject:
        """Open an object; what is told of it and its bytes are of the same version.

        A missing key raises ObjectNotFound, and one that HTTP clients would change (blanks
        alone, a segment ``.`` or ``..``) InvalidKey. A stream that breaks raises
        StoreUnavailable while iterating; it never ends short.
        """
        ...

    def listen(
        self, prefix: str, connected: Callable[[], None]
    ) -> AbstractContextManager[Iterator[str]]:
        """Keys below a prefix as they are written or removed, from now on.

        The iterator waits for the next one. When the block ends, in whatever thread, it ends
        or raises. It raises NotOffered where the server tells nobody, else StoreError.

        Args:
            prefix: as for ``list``.
            connected: called at each connection to the server; changes before it are not told.
        """
        ...

    def close(self) -> None:
        """Free connections; further calls are undefined."""
        ...
