"""A folder's objects in key order, without reading what a page does not need."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime

from minio_proxy.ports import ObjectStat
from minio_proxy.stores.folder_paths import FOLDER_FLAGS
from minio_proxy.stores.keys import RESERVED, is_valid_key


def walk(folder: int, path: str, *, prefix: str, after: str) -> Iterator[ObjectStat]:
    """Yield a folder's objects in bytewise order of their keys.

    Args:
        folder: descriptor of the folder; stays the caller's to close.
        path: key prefix of everything in it, empty or ending at a slash.
        prefix: only keys that start with it are given.
        after: only keys greater than it are given; whole sub-folders below it are skipped.
    """
    for name in _names_in_order(folder, path, prefix, after):
        if name.endswith("/"):
            try:
                child = os.open(name[:-1], FOLDER_FLAGS, dir_fd=folder)
            except FileNotFoundError:
                continue  # It was emptied and removed since it was seen.
            try:
                yield from walk(child, path + name, prefix=prefix, after=after)
            finally:
                os.close(child)
        else:
            found = describe(folder, name, path + name)
            if found:
                yield found


def describe(folder: int, name: str, key: str) -> ObjectStat | None:
    """Describe one file of a folder; None where no plain file is."""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return to_stat(key, status) if stat.S_ISREG(status.st_mode) else None


def to_stat(key: str, status: os.stat_result) -> ObjectStat:
    """Translate a file's status; every put makes a new file, so inode and time change."""
    return ObjectStat(
        key=key,
        size_bytes=status.st_size,
        etag=f"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}",
        modified_at=datetime.fromtimestamp(status.st_mtime, UTC),
    )


def _names_in_order(folder: int, path: str, prefix: str, after: str) -> list[str]:
    """Names to visit; a sub-folder's ends at a slash, which also sorts it as its keys do.

    ``a-b`` < ``a.b`` < ``a/b`` < ``a0`` holds for the keys, so it must for the names.
    """
    with os.scandir(folder) as entries:
        names = [name for entry in entries if (name := _name(entry))]
    return sorted(name for name in names if _wanted(path + name, prefix, after))


def _name(entry: os.DirEntry[str]) -> str:
    if entry.is_dir(follow_symlinks=False):
        return entry.name + "/"
    return entry.name if entry.is_file(follow_symlinks=False) else ""


def _wanted(key: str, prefix: str, after: str) -> bool:
    """Whether a key, or some key below a sub-folder, may belong to the answer."""
    if key.split("/", 1)[0] in RESERVED:
        return False
    if key.endswith("/"):
        later = key > after or after.startswith(key)
        return later and (key.startswith(prefix) or prefix.startswith(key))
    return key > after and key.startswith(prefix) and is_valid_key(key)
