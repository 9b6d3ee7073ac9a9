"""Pictures of a folder, however odd what lies in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from embedding_pipeline.errors import IngestError
from embedding_pipeline.ingest.file_reading import item_of_file, load_file, os_problem
from embedding_pipeline.ingest.source_items import (
    Loaded,
    Problem,
    SourceItem,
    path_bytes,
    path_from_bytes,
)
from minio_proxy.picture.header import Limits


class FolderSource:
    """Every file below a folder, in the order of the bytes of its relative path.

    Names that begin with a dot are left out unless ``hidden``. A link to a file is read
    like the file. A link to a folder inside the source is not followed (its pictures come
    by their own path); a link out of it is followed once, and never upwards, so loops end.

    Args:
        folder: an existing folder.
        limits: of size and pixels.
        hidden: also take names that begin with a dot.

    Raises:
        IngestError: the folder does not exist or cannot be read.
    """

    def __init__(self, folder: Path, *, limits: Limits, hidden: bool = False) -> None:
        self._root = os.fsencode(folder.absolute())
        self._limits = limits
        self._hidden = hidden
        try:
            os.scandir(self._root).close()
        except OSError as exc:
            raise IngestError(f"cannot read the folder {folder}: {exc.strerror}") from exc

    @property
    def name(self) -> str:
        """``folder:`` and the absolute path."""
        return f"folder:{self._root.decode('utf-8', 'backslashreplace')}"

    def items(self) -> Iterator[SourceItem]:
        """Walk the folder; memory grows with its largest single folder, not with the whole."""
        yield from _Walk(self._root, hidden=self._hidden).items()

    def load(self, item: SourceItem) -> Loaded:
        """Read a file; one that changes meanwhile is read once more, then reported."""
        path = os.path.join(self._root, path_bytes(item.path))  # noqa: PTH118 - bytes
        return load_file(path, self._limits)


class _Walk:
    """One walk; remembers which folders outside the source it has been in."""

    def __init__(self, root: bytes, *, hidden: bool) -> None:
        self._root = root
        self._real_root = os.path.realpath(root)
        self._hidden = hidden
        self._outside: set[tuple[int, int]] = set()

    def items(self) -> Iterator[SourceItem]:
        """Every item; a stack instead of recursion, so that depth costs nothing."""
        open_folders = [self._folder(self._root, b"")]
        while open_folders:
            step = next(open_folders[-1], None)
            if step is None:
                open_folders.pop()
            elif isinstance(step, SourceItem):
                yield step
            else:
                open_folders.append(self._folder(*step))

    def _folder(self, folder: bytes, relative: bytes) -> Iterator[SourceItem | tuple[bytes, bytes]]:
        """Items of one folder, and ``(folder, relative)`` where to go down."""
        try:
            names = self._names(folder)
        except OSError as exc:
            yield _item(relative or b".", problem=os_problem("list", exc))
            return
        for name in names:
            path, inner = os.path.join(folder, name.rstrip(b"/")), relative + name  # noqa: PTH118
            if not name.endswith(b"/"):
                yield item_of_file(path, path_from_bytes(inner))
            elif not os.path.islink(path) or self._may_follow(path):  # noqa: PTH114 - bytes
                yield path, inner

    def _names(self, folder: bytes) -> list[bytes]:
        """Names in a folder, folders with a slash, so that whole paths come out sorted."""
        with os.scandir(folder) as entries:
            return sorted(
                entry.name + b"/" if _is_folder(entry) else entry.name
                for entry in entries
                if self._hidden or not entry.name.startswith(b".")
            )

    def _may_follow(self, link: bytes) -> bool:
        target = os.path.realpath(link)
        if _contains(self._real_root, target) or _contains(target, self._real_root):
            return False
        status = os.stat(target)  # noqa: PTH116 - bytes
        identity = (status.st_dev, status.st_ino)
        seen = identity in self._outside
        self._outside.add(identity)
        return not seen


def _contains(outer: bytes, inner: bytes) -> bool:
    return inner == outer or inner.startswith(outer.rstrip(b"/") + b"/")


def _is_folder(entry: os.DirEntry[bytes]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _item(relative: bytes, *, problem: Problem) -> SourceItem:
    return SourceItem(path_from_bytes(relative), version="", problem=problem)
