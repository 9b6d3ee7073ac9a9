"""Names of pictures that are to be looked at again, kept as empty files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from minio_proxy.originals import is_image_key


class Notes:
    """A set of image keys that survives kill -9; shared by all processes of a data folder.

    Args:
        folder: of the files; made by the first note.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, image_keys: Iterable[str]) -> None:
        """Note pictures; durable when this returns."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for key in image_keys:
            (self._folder / key).touch(mode=0o600)
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def keys(self) -> list[str]:
        """All noted pictures, sorted."""
        try:
            return sorted(path.name for path in self._folder.iterdir() if is_image_key(path.name))
        except FileNotFoundError:
            return []

    def remove(self, image_keys: Iterable[str]) -> None:
        """Forget pictures; unknown ones are no error."""
        for key in image_keys:
            (self._folder / key).unlink(missing_ok=True)
