"""Which folders and buckets originals may be read from in place: those that ingest was told."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from pathlib import Path

from minio_proxy.errors import SettingsError

ROOTS_FORMAT = 1


class RootFile:
    """The roots of in-place originals, in a file of this machine's data folder.

    Records lie in the store, which others may write to; what this machine reads is decided
    here alone. May be used from many threads and processes.

    Args:
        path: the file; made by the first add.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = str(path)
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._roots: frozenset[str] = frozenset()

    def roots(self) -> frozenset[str]:
        """Every recorded root: absolute folders and ``s3://bucket/prefix``.

        Raises:
            SettingsError: the file is unreadable.
        """
        try:
            status = os.stat(self._place)  # noqa: PTH116 - Path.stat takes twice the time
        except FileNotFoundError:
            return frozenset()
        with self._lock:
            seen = (status.st_mtime_ns, status.st_ino)
            if seen != self._seen:
                self._roots, self._seen = self._read(), seen
            return self._roots

    def add(self, root: str) -> None:
        """Record a root; one that is there already changes nothing."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            roots = self.roots()
            if root in roots:
                return
            body = {"format": ROOTS_FORMAT, "roots": sorted({*roots, root})}
            fresh = self._path.with_suffix(".new")
            with fresh.open("w", encoding="ascii") as file:
                file.write(json.dumps(body, indent=2) + "\n")
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)

    def _read(self) -> frozenset[str]:
        try:
            body = json.loads(self._path.read_text(encoding="ascii"))
            if body["format"] != ROOTS_FORMAT:
                raise SettingsError(
                    f"{self._path} has format {body['format']!r}, expected {ROOTS_FORMAT}."
                )
            return frozenset(str(root) for root in body["roots"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SettingsError(
                f"{self._path} is no list of in-place sources ({error}); delete it and run "
                "boxseek ingest --in-place again for each."
            ) from error
