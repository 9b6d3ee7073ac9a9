"""What happens once, when a store's folder is opened."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from minio_proxy.errors import StoreDenied, StoreFormatMismatch
from minio_proxy.stores.folder_paths import FOLDER_FLAGS
from minio_proxy.stores.keys import FORMAT_KEY, RESERVED, TEMP_FOLDER
from minio_proxy.stores.store_format import MARK, MAX_MARK_BYTES, check_mark

_LEFTOVER_AGE_S: Final = 24 * 3600
# File systems and desktops put these into folders that are otherwise empty.
_NOT_CONTENT: Final = RESERVED | {"lost+found"}


def make_root(root: Path, fsync: Callable[[int], None]) -> None:
    """Make the store's folder durably where it is missing.

    Raises:
        StoreDenied: nothing can be made there.
    """
    missing = [folder for folder in (root, *root.parents) if not folder.exists()]
    try:
        root.mkdir(parents=True, exist_ok=True)
    except (FileNotFoundError, NotADirectoryError, FileExistsError) as error:
        raise StoreDenied(
            f"The folder {root} cannot be made; choose another with BOXSEEK_DATA_DIR.",
            path=str(root),
        ) from error
    for folder in missing:
        descriptor = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fsync(descriptor)
        finally:
            os.close(descriptor)


def check_format(path: Path, root: int, put_mark: Callable[[BinaryIO, int], None]) -> None:
    """Check the folder's format version; mark a new folder with ours.

    Args:
        path: the folder, for messages.
        root: its descriptor.
        put_mark: writes the mark (stream, bytes) into the folder.

    Raises:
        StoreFormatMismatch: another version, or a folder of something else.
        StoreCorrupt: the mark is unreadable.
    """
    try:
        descriptor = os.open(FORMAT_KEY, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=root)
    except FileNotFoundError:
        _refuse_foreign(path, root)
        put_mark(io.BytesIO(MARK), len(MARK))
        return
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
        check_mark(file.read(MAX_MARK_BYTES), str(path))


def remove_leftovers(root: int) -> None:
    """Remove temp files of more than a day: their writers have crashed."""
    oldest = time.time() - _LEFTOVER_AGE_S
    # A store that may only be read keeps its leftovers; they never show in a listing.
    with suppress(FileNotFoundError, PermissionError):
        folder = os.open(TEMP_FOLDER, FOLDER_FLAGS, dir_fd=root)
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.stat(follow_symlinks=False).st_mtime < oldest:
                        os.unlink(entry.name, dir_fd=folder)
        finally:
            os.close(folder)


def _refuse_foreign(path: Path, root: int) -> None:
    with os.scandir(root) as entries:
        foreign = [
            entry.name
            for entry in entries
            if entry.name not in _NOT_CONTENT and not entry.name.startswith(".")
        ]
    if foreign:
        raise StoreFormatMismatch(
            f"{path} holds {foreign[0]!r} but no {FORMAT_KEY}: it is no store of Boxseek; "
            "name an empty folder.",
            expected=FORMAT_KEY,
            actual=foreign[0],
        )
