"""Pictures of a folder, however odd what lies in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from embedding_pipeline.errors import IngestError
from embedding_pipeline.ingest.file_reading import item_of_file, load_file, os_problem
from embedding_pipeline.ingest.folder_watcher import FolderWatcher
from embedding_pipeline.ingest.source_items import (
    Loaded,
    Problem,
    SourceItem,
    path_bytes,
    path_from_bytes,
)
from minio_proxy.picture.header import Limits

_LEADS_OUT = Problem(
    "rejected",
    "list",
    "a link out of the folder; with --in-place only what lies in it is taken",
    "leads_out",
    retryable=False,
)


class FolderSource:
    """Every file below a folder, in the order of the bytes of its relative path.

    Names that begin with a dot are left out unless ``hidden``. A link to a file is read
    like the file. A link to a folder inside the source is not followed (its pictures come
    by their own path); a link out of it is followed once, and never upwards, so loops end.

    Args:
        folder: an existing folder.
        limits: of size and pixels.
        hidden: also take names that begin with a dot.
        inside_only: follow no link that leads out of the folder.

    Raises:
        IngestError: the folder does not exist or cannot be read.
    """

    def __init__(
        self, folder: Path, *, limits: Limits, hidden: bool = False, inside_only: bool = False
    ) -> None:
        self._root = os.fsencode(folder.absolute())
        self._limits = limits
        self._hidden = hidden
        self._inside_only = inside_only
        try:
            os.scandir(self._root).close()
            status = os.stat(self._root)  # noqa: PTH116 - bytes
        except OSError as exc:
            raise IngestError(f"cannot read the folder {folder}: {exc.strerror}") from exc
        self._identity = (status.st_dev, status.st_ino)

    @property
    def name(self) -> str:
        """``folder:`` and the absolute path."""
        return f"folder:{self._root.decode('utf-8', 'backslashreplace')}"

    @property
    def root(self) -> str:
        """The absolute path."""
        return os.fsdecode(self._root)

    def items(self) -> Iterator[SourceItem]:
        """Walk the folder; memory grows with its largest single folder, not with the whole."""
        yield from _Walk(self._root, hidden=self._hidden, inside_only=self._inside_only).items()

    def items_below(self, path: str) -> Iterator[SourceItem]:
        """Walk what lies at one path."""
        self.check_present()
        walk = _Walk(self._root, hidden=self._hidden, inside_only=self._inside_only)
        yield from walk.items_at(path_bytes(path))

    def watcher(self) -> FolderWatcher:
        """Listens to the system."""
        return FolderWatcher(self._root, hidden=self._hidden)

    def check_present(self) -> None:
        """Raise IngestError when the folder is gone, or another one is in its place."""
        try:
            status = os.stat(self._root)  # noqa: PTH116 - bytes
        except OSError as exc:
            raise IngestError(f"cannot read {self.name}: {exc.strerror}; is it mounted?") from exc
        if (status.st_dev, status.st_ino) != self._identity:
            raise IngestError(
                f"another folder is now at {self.name}; was it unmounted or replaced?"
            )

    def load(self, item: SourceItem) -> Loaded:
        """Read a file; one that changes meanwhile is read once more, then reported."""
        path = os.path.join(self._root, path_bytes(item.path))  # noqa: PTH118 - bytes
        return load_file(path, self._limits)


class _Walk:
    """One walk; remembers which folders outside the source it has been in."""

    def __init__(self, root: bytes, *, hidden: bool, inside_only: bool) -> None:
        self._root = root
        self._real_root = os.path.realpath(root)
        self._hidden = hidden
        self._inside_only = inside_only
        self._outside: set[tuple[int, int]] = set()

    def items(self) -> Iterator[SourceItem]:
        """Every item of the source."""
        return self._below(self._root, b"")

    def items_at(self, relative: bytes) -> Iterator[SourceItem]:
        """Every item at one path, or none where a walk would not come by."""
        path = self._root
        for name in relative.split(b"/"):
            if path != self._root and not self._may_enter(path):
                return
            if name in {b"", b".", b".."} or (name.startswith(b".") and not self._hidden):
                return
            path = os.path.join(path, name)  # noqa: PTH118 - bytes
        if os.path.isdir(path):  # noqa: PTH112 - bytes
            if self._may_enter(path):
                yield from self._below(path, relative + b"/")
        elif os.path.lexists(path):
            yield self._file(path, relative)

    def _below(self, folder: bytes, relative: bytes) -> Iterator[SourceItem]:
        """A stack instead of recursion, so that depth costs nothing."""
        open_folders = [self._folder(folder, relative)]
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
                yield self._file(path, inner)
            elif self._may_enter(path):
                yield path, inner

    def _file(self, path: bytes, inner: bytes) -> SourceItem:
        if self._inside_only and os.path.islink(path):  # noqa: PTH114 - bytes
            target = os.path.realpath(path)
            if not _contains(self._real_root, target):
                return _item(inner, problem=_LEADS_OUT)
        return item_of_file(path, path_from_bytes(inner))

    def _names(self, folder: bytes) -> list[bytes]:
        """Names in a folder, folders with a slash, so that whole paths come out sorted."""
        with os.scandir(folder) as entries:
            return sorted(
                entry.name + b"/" if _is_folder(entry) else entry.name
                for entry in entries
                if self._hidden or not entry.name.startswith(b".")
            )

    def _may_enter(self, folder: bytes) -> bool:
        return not os.path.islink(folder) or self._may_follow(folder)  # noqa: PTH114 - bytes

    def _may_follow(self, link: bytes) -> bool:
        target = os.path.realpath(link)
        if _contains(self._real_root, target) or _contains(target, self._real_root):
            return False
        if self._inside_only:
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
