"""Pictures of a folder, however odd what lies in it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from embedding_pipeline.errors import IngestError
from embedding_pipeline.ingest.source_items import (
    Loaded,
    Problem,
    SourceItem,
    SourceProblem,
    check_head,
    path_bytes,
    path_from_bytes,
)
from minio_proxy.errors import PictureError
from minio_proxy.picture.formats import HEAD_BYTES
from minio_proxy.picture.header import Limits

READ_TRIES = 2


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
        try:
            for _ in range(READ_TRIES):
                loaded = _read_steady(path, self._limits)
                if loaded is not None:
                    return loaded
        except PictureError as exc:
            raise SourceProblem(
                Problem("rejected", "read", exc.message, exc.code, retryable=False)
            ) from exc
        except OSError as exc:
            raise SourceProblem(_os_problem("read", exc)) from exc
        raise SourceProblem(
            Problem(
                "failed",
                "read",
                "the file changed while it was read",
                "file_changed",
                retryable=True,
            )
        )


def _read_steady(path: bytes, limits: Limits) -> Loaded | None:
    """Read a whole file, or None when it changed meanwhile; refuses by its head alone."""
    # Without O_NONBLOCK, a pipe put in the file's place would stop the run for good.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise SourceProblem(_not_a_file())
        head = file.read(HEAD_BYTES)
        check_head(head, before.st_size, limits)
        data = head + file.read(limits.max_bytes + 1 - len(head))
        after = os.fstat(descriptor)
    same = _version(before) == _version(after) and len(data) == after.st_size
    return Loaded(data, _version(after)) if same else None


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
            yield _item(relative or b".", problem=_os_problem("list", exc))
            return
        for name in names:
            path, inner = os.path.join(folder, name.rstrip(b"/")), relative + name  # noqa: PTH118
            if not name.endswith(b"/"):
                yield _file_item(path, inner)
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


def _file_item(path: bytes, relative: bytes) -> SourceItem:
    try:
        status = os.stat(path)  # noqa: PTH116 - bytes
    except OSError as exc:
        return _item(relative, problem=_os_problem("list", exc))
    if not stat.S_ISREG(status.st_mode):
        return _item(relative, problem=_not_a_file())
    return SourceItem(path_from_bytes(relative), _version(status), status.st_size)


def _item(relative: bytes, *, problem: Problem) -> SourceItem:
    return SourceItem(path_from_bytes(relative), version="", problem=problem)


def _version(status: os.stat_result) -> str:
    return f"{status.st_size}-{status.st_mtime_ns}"


def _not_a_file() -> Problem:
    reason = "neither a file nor a folder (a pipe, socket or device)"
    return Problem("rejected", "list", reason, "not_a_file", retryable=False)


def _os_problem(stage: str, exc: OSError) -> Problem:
    reason = f"cannot be read: {exc.strerror or type(exc).__name__}"
    return Problem("failed", stage, reason, "unreadable", retryable=True)
