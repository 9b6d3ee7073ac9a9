"""Objects as files below one folder, each written whole and durably."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

from minio_proxy.errors import ObjectNotFound, StoreError, StoreUnavailable
from minio_proxy.ports import ObjectStat
from minio_proxy.stores.folder_chunks import FileChunks
from minio_proxy.stores.folder_format import check_format, make_root, remove_leftovers
from minio_proxy.stores.folder_paths import DurableFolders, opened
from minio_proxy.stores.folder_walk import describe, to_stat, walk
from minio_proxy.stores.keys import (
    CHECK_KEY,
    FORMAT_KEY,
    TEMP_FOLDER,
    validate_key,
    validate_prefix,
)
from minio_proxy.stores.os_errors import from_os_error, os_errors
from minio_proxy.stores.ranges import range_length
from minio_proxy.stores.source import exactly

_PUBLISH_ATTEMPTS: Final = 10


class FolderStore:
    """The store port over a folder (see minio_proxy.ports.ObjectStore).

    A put writes a file in ``.tmp``, syncs it, renames it into place and syncs the folder,
    so that neither a crash nor a power loss leaves half an object. Several processes may
    use one folder at once. An object's file is ``root/key``.

    Args:
        root: the folder; made when missing.
        write: writes bytes to a descriptor and gives their number; tests give one that fails.
        fsync: makes a descriptor's content durable; tests give one that fails.

    Raises:
        StoreFormatMismatch: another format version of Boxseek wrote the folder, or the
            folder holds something else.
        StoreDenied: the folder may not be read or made.
    """

    def __init__(
        self,
        root: Path,
        *,
        write: Callable[[int, memoryview], int] = os.write,
        fsync: Callable[[int], None] = os.fsync,
    ) -> None:
        self._path = root.absolute()
        self._write = write
        self._fsync = fsync
        self._folders = DurableFolders(fsync)
        with os_errors(str(root)):
            make_root(self._path, fsync)
            self._identity = _identity(self._path.stat())
        with self._root() as folder, os_errors(FORMAT_KEY):
            remove_leftovers(folder)
            check_format(self._path, folder, self._put_mark)

    def put(self, key: str, data: BinaryIO, *, size_bytes: int) -> ObjectStat:
        """Write an object durably (see the port)."""
        validate_key(key)
        with self._root() as root:
            return self._put(root, key, data, size_bytes)

    def open(self, key: str, *, offset: int = 0, length: int | None = None) -> FileChunks:
        """Stream an object's bytes in chunks (see the port)."""
        with self._parent(validate_key(key)) as (folder, name):
            # Without O_NONBLOCK a FIFO of this name would block for ever.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            descriptor = os.open(name, flags, dir_fd=folder)
        try:
            remaining = range_length(key, _file_size(descriptor, key), offset, length)
            os.lseek(descriptor, offset, os.SEEK_SET)
        except BaseException:
            os.close(descriptor)
            raise
        return FileChunks(descriptor, key, remaining)

    def stat(self, key: str) -> ObjectStat:
        """Describe an object without reading it (see the port)."""
        with self._parent(validate_key(key)) as (folder, name):
            found = describe(folder, name, key)
        if not found:
            raise _not_found(key)
        return found

    def delete(self, key: str) -> bool:
        """Remove an object durably (see the port)."""
        validate_key(key)
        try:
            with self._parent(key) as (folder, name):
                if not describe(folder, name, key):
                    return False
                os.unlink(name, dir_fd=folder)
                self._fsync(folder)
        except ObjectNotFound:
            return False
        with self._root() as root:
            # Emptied folders would slow every listing down.
            self._folders.remove_empty(root, key.rpartition("/")[0])
        return True

    def list(self, prefix: str, *, after: str = "", limit: int = 1000) -> list[ObjectStat]:
        """One page of objects in key order (see the port)."""
        start = validate_prefix(prefix).rpartition("/")[0]
        path = f"{start}/" if start else ""
        try:
            with self._root() as root, os_errors(prefix), opened(root, start) as folder:
                found = walk(folder, path, prefix=prefix, after=after)
                return list(islice(found, max(0, limit)))
        except ObjectNotFound:
            return []

    def check(self) -> None:
        """Raise StoreError if reading or writing would not work now (see the port)."""
        with self._root() as root:
            temp = self._write_temp(root, CHECK_KEY, iter([b"."]))
            with os_errors(CHECK_KEY):
                _remove_temp(root, temp)

    def close(self) -> None:
        """Nothing stays open between calls."""

    @contextmanager
    def _root(self) -> Iterator[int]:
        """Descriptor of the root; another folder than at the start is not the store."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise StoreUnavailable(
                f"The store's folder {self._path} is gone; mount or restore it."
            ) from error
        except OSError as error:
            raise from_os_error(error, str(self._path)) from error
        try:
            if _identity(os.fstat(descriptor)) != self._identity:
                raise StoreUnavailable(
                    f"Another folder is now at {self._path}; was it unmounted or replaced?"
                )
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def _parent(self, key: str) -> Iterator[tuple[int, str]]:
        """Descriptor of an object's folder and its name there; errors become the store's."""
        path, _, name = key.rpartition("/")
        with self._root() as root, os_errors(key), opened(root, path) as folder:
            yield folder, name

    def _put_mark(self, data: BinaryIO, size_bytes: int) -> None:
        with self._root() as root:
            self._put(root, FORMAT_KEY, data, size_bytes)

    def _put(self, root: int, key: str, data: BinaryIO, size_bytes: int) -> ObjectStat:
        temp = self._write_temp(root, key, exactly(data, size_bytes, key))
        with os_errors(key):
            try:
                return self._publish(root, temp, key)
            except BaseException:
                _remove_temp(root, temp)
                raise

    def _write_temp(self, root: int, key: str, chunks: Iterator[bytes]) -> str:
        """Write and sync a new file in the temp folder; gives its name there."""
        name = secrets.token_hex(16)
        with os_errors(key):
            descriptor = _new_temp(root, name)
        try:
            for chunk in chunks:  # What the caller's stream raises passes through unchanged.
                with os_errors(key):
                    self._write_all(descriptor, chunk)
            with os_errors(key):
                self._fsync(descriptor)
        except BaseException:
            _remove_temp(root, name)
            raise
        finally:
            os.close(descriptor)
        return name

    def _write_all(self, descriptor: int, chunk: bytes) -> None:
        rest = memoryview(chunk)
        while rest:
            rest = rest[self._write(descriptor, rest) :]

    def _publish(self, root: int, temp: str, key: str) -> ObjectStat:
        """Move a finished file to its place, durably."""
        path, _, name = key.rpartition("/")
        for _ in range(_PUBLISH_ATTEMPTS):
            try:
                with (
                    opened(root, TEMP_FOLDER) as temps,
                    self._folders.made(root, path, key) as folder,
                ):
                    status = os.stat(temp, dir_fd=temps)
                    os.replace(temp, name, src_dir_fd=temps, dst_dir_fd=folder)
                    self._fsync(folder)
                    return to_stat(key, status)
            except FileNotFoundError:
                # A delete removed the emptied folder after it was opened: make it again.
                self._folders.forget(path)
        raise StoreError(f"The folder of {key!r} keeps vanishing; try again.", key=key)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _file_size(descriptor: int, key: str) -> int:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise _not_found(key)
    return status.st_size


def _not_found(key: str) -> ObjectNotFound:
    return ObjectNotFound(f"No object {key!r} is in the store.", key=key)


def _new_temp(root: int, name: str) -> int:
    """Descriptor of a new file in the temp folder."""
    with suppress(FileExistsError):
        os.mkdir(TEMP_FOLDER, dir_fd=root)
    with opened(root, TEMP_FOLDER) as folder:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        return os.open(name, flags, 0o666, dir_fd=folder)


def _remove_temp(root: int, name: str) -> None:
    with opened(root, TEMP_FOLDER) as folder, suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
