"""Originals that were left in a folder; no link leads out of it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final, Self

from minio_proxy.errors import SourceAway, SourceGone
from minio_proxy.ports import ObjectStat
from minio_proxy.records import Place, file_stamp
from minio_proxy.stores.folder_chunks import FileChunks
from minio_proxy.stores.folder_paths import opened
from minio_proxy.stores.ranges import range_length
from minio_proxy.stores.source import CHUNK_BYTES
from minio_proxy.stores.verified import Verified, changed

_FILE_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class FolderPlaces:
    """Reads originals below folders (see minio_proxy.ports.Places)."""

    def __init__(self) -> None:
        self._verified = Verified()

    def in_use(self) -> bool:
        """A folder may always be read."""
        return True

    def stat(self, place: Place, image_key: str) -> ObjectStat:
        """Describe an original (see the port)."""
        with self._checked(place, image_key) as (_, status):
            modified_at = datetime.fromtimestamp(status.st_mtime, UTC)
            return ObjectStat(place.path, status.st_size, image_key, modified_at)

    def open(
        self, place: Place, image_key: str, *, offset: int = 0, length: int | None = None
    ) -> SteadyChunks:
        """Stream an original (see the port)."""
        with self._checked(place, image_key) as (descriptor, status):
            remaining = range_length(image_key, status.st_size, offset, length)
            os.lseek(descriptor, offset, os.SEEK_SET)
            return SteadyChunks(os.dup(descriptor), image_key, remaining, file_stamp(status))

    @contextmanager
    def _checked(self, place: Place, image_key: str) -> Iterator[tuple[int, os.stat_result]]:
        """The open file and its status, once its bytes are known to be the picture's."""
        with _file(place, image_key) as descriptor:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise _gone(image_key)
            stamp = file_stamp(status)
            if stamp != place.stamp:
                if status.st_size != place.size_bytes:
                    raise changed(image_key)
                # Size alone proves nothing: a file that was only touched is read through once.
                identity = f"{status.st_dev}-{status.st_ino}-{stamp}"
                self._verified.check(image_key, identity, lambda: _pieces(descriptor, stamp))
            yield descriptor, status


class SteadyChunks:
    """Chunks of a file for as long as it is not written to.

    Args:
        descriptor: open file at the first byte; closed at the end or by close().
        image_key: the picture's.
        remaining: bytes to give.
        stamp: of the file as it was checked.
    """

    def __init__(self, descriptor: int, image_key: str, remaining: int, stamp: str) -> None:
        self._chunks = FileChunks(descriptor, image_key, remaining)
        self._descriptor = descriptor
        self._image_key = image_key
        self._stamp = stamp

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        chunk = next(self._chunks)
        # Looked at after reading, so that no byte of another content is given out.
        if file_stamp(os.fstat(self._descriptor)) != self._stamp:
            self.close()
            raise changed(self._image_key)
        return chunk

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._chunks.close()


def is_below(root: bytes, path: bytes) -> bool:
    """Whether a real path is that of something inside a folder's real path."""
    return path.startswith(root.rstrip(b"/") + b"/")


@contextmanager
def _file(place: Place, image_key: str) -> Iterator[int]:
    """Descriptor of a place's file; a link on the way may lead anywhere below the root."""
    root = os.path.realpath(os.fsencode(place.root))
    with _root(root, image_key) as folder:
        try:
            path = os.path.realpath(os.path.join(root, os.fsencode(place.path)))  # noqa: PTH118 - bytes
            if not is_below(root, path):
                raise _gone(image_key)
            relative = os.fsdecode(path[len(root.rstrip(b"/")) + 1 :])
            above, _, name = relative.rpartition("/")
            # Without links from here on: what is swapped for one meanwhile is not followed.
            with opened(folder, above) as parent:
                descriptor = os.open(name, _FILE_FLAGS, dir_fd=parent)
        except (FileNotFoundError, NotADirectoryError, ValueError) as error:
            if not os.listdir(folder):  # noqa: PTH208 - a descriptor
                raise _away(image_key, "its folder is empty") from error
            raise _gone(image_key) from error
        except OSError as error:
            raise _away(image_key, error.strerror or str(error)) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _root(root: bytes, image_key: str) -> Iterator[int]:
    try:
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _away(image_key, error.strerror or str(error)) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _pieces(descriptor: int, stamp: str) -> Iterator[bytes]:
    """All bytes of an open file, and some that are nobody's when it changes meanwhile."""
    position = 0
    while piece := os.pread(descriptor, CHUNK_BYTES, position):
        position += len(piece)
        yield piece
    if file_stamp(os.fstat(descriptor)) != stamp:
        yield b"changed"


def _gone(image_key: str) -> SourceGone:
    return SourceGone(
        "The original was left in its source and is no longer there; put it back and run "
        "boxseek ingest --in-place on the source again, or delete this picture.",
        key=image_key,
    )


def _away(image_key: str, why: str) -> SourceAway:
    return SourceAway(
        f"The folder that original {image_key} was left in cannot be read: {why}; is it mounted?",
        key=image_key,
    )
