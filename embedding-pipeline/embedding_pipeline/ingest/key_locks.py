"""One writer a picture at a time, across threads and processes of one machine.

Upload, delete and backfill of the same picture each touch originals, records and index;
taking turns, none leaves a half state. A picture's lock is one of 256 files, chosen by the
first two digits of its key; the kernel frees a lock when its holder dies.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from embedding_pipeline.errors import IngestError

ALL_PICTURES = tuple(f"{stripe:02x}" for stripe in range(256))
"""Held, they keep every writer out."""


class KeyLocks:
    """Exclusive holds on pictures by image key.

    Args:
        folder: where the lock files lie; made on demand, shared by every process that
            writes the same data folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def hold(self, image_keys: Iterable[str]) -> Iterator[None]:
        """Wait for these pictures and keep others out; in sorted order, so nobody deadlocks."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            for stripe in sorted({key[:2] for key in image_keys}):
                descriptor = _open(self._folder / f"{stripe}.lock")
                stack.callback(os.close, descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield


class HeldLocks(KeyLocks):
    """Stands for locks that the caller holds already."""

    def __init__(self) -> None:
        super().__init__(Path())

    @contextmanager
    def hold(self, image_keys: Iterable[str]) -> Iterator[None]:
        """Wait for nothing."""
        del image_keys
        yield


@contextmanager
def only_one(path: Path, what: str) -> Iterator[None]:
    """Hold a file as long as a run lasts; a second run is refused and told who holds it.

    Args:
        path: the lock file.
        what: written into it for the message, e.g. ``ingest of /photos``.

    Raises:
        IngestError: another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _open(path)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            holder = os.pread(descriptor, 500, 0).decode(errors="replace").strip()
            raise IngestError(
                f"another run is working on this data folder: {holder or path}. "
                "Wait until it ends, or set BOXSEEK_DATA_DIR to another folder.",
                holder=holder,
            ) from exc
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{what}, process {os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
