"""Folders below a store's root, reached without following a link."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from minio_proxy.errors import InvalidKey

# Symbolic links are never followed: what lies behind them is not the store's.
FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_MAX_REMEMBERED: Final = 10_000


@contextmanager
def opened(root: int, path: str) -> Iterator[int]:
    """Descriptor of a folder below ``root``; an empty path is the root itself."""
    descriptor = os.dup(root)
    try:
        for name in _segments(path):
            parent, descriptor = descriptor, os.open(name, FOLDER_FLAGS, dir_fd=descriptor)
            os.close(parent)
        yield descriptor
    finally:
        os.close(descriptor)


class DurableFolders:
    """Makes folders so that a power loss does not undo them, each synced once.

    Args:
        fsync: makes a descriptor's content durable.
    """

    def __init__(self, fsync: Callable[[int], None]) -> None:
        self._fsync = fsync
        self._durable: set[str] = set()

    @contextmanager
    def made(self, root: int, path: str, key: str) -> Iterator[int]:
        """Descriptor of a folder below ``root``, made when missing.

        Raises:
            InvalidKey: a file or link has the name of a folder on the way.
        """
        descriptor = os.dup(root)
        try:
            made = ""
            for name in _segments(path):
                made = f"{made}/{name}" if made else name
                self._make(descriptor, name, made)
                parent, descriptor = descriptor, _open_to_write(descriptor, name, key)
                os.close(parent)
            yield descriptor
        finally:
            os.close(descriptor)

    def forget(self, path: str) -> None:
        """Make the folder and those above it anew next time: one of them was removed."""
        while path:
            self._durable.discard(path)
            path = path.rpartition("/")[0]

    def remove_empty(self, root: int, path: str) -> None:
        """Remove a folder and those above it, as far as they are empty."""
        while path:
            above, _, name = path.rpartition("/")
            self._durable.discard(path)
            try:
                with opened(root, above) as folder:
                    os.rmdir(name, dir_fd=folder)
            except OSError:
                return  # It is in use, or gone already; both are fine.
            path = above

    def _make(self, parent: int, name: str, path: str) -> None:
        """Make a folder and sync its parent.

        Another thread or process may have made it and not yet synced it, so being there
        is not enough to call it durable.
        """
        if path in self._durable:
            return
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=parent)
        self._fsync(parent)
        if len(self._durable) >= _MAX_REMEMBERED:
            self._durable.clear()
        self._durable.add(path)


def _segments(path: str) -> list[str]:
    return path.split("/") if path else []


def _open_to_write(parent: int, name: str, key: str) -> int:
    try:
        return os.open(name, FOLDER_FLAGS, dir_fd=parent)
    except OSError as error:
        if error.errno in {errno.ENOTDIR, errno.ELOOP}:
            raise InvalidKey(
                f"{key!r} would lie below {name!r}, which is no folder of the store.", key=key
            ) from error
        raise
