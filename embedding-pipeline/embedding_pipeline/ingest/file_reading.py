"""Reading files that may be anything, unreadable, or changing meanwhile."""

from __future__ import annotations

import json
import os
import stat

from embedding_pipeline.ingest.source_items import (
    Loaded,
    Problem,
    SourceItem,
    SourceProblem,
    check_head,
)
from minio_proxy.errors import PictureError
from minio_proxy.picture.formats import HEAD_BYTES
from minio_proxy.picture.header import Limits
from minio_proxy.records import file_stamp

READ_TRIES = 2


def item_of_file(path: bytes, name: str, metadata: str = "") -> SourceItem:
    """Describe a file without reading it.

    Args:
        path: where it lies.
        name: its path inside the source.
        metadata: JSON text of the fields that the source gives; empty for none.
    """
    fields = json.loads(metadata) if metadata else None
    try:
        status = os.stat(path)  # noqa: PTH116 - bytes
    except (OSError, ValueError) as exc:
        return SourceItem(name, "", metadata=fields, problem=os_problem("list", exc))
    if not stat.S_ISREG(status.st_mode):
        return SourceItem(name, "", metadata=fields, problem=_not_a_file())
    return SourceItem(name, _version(status), status.st_size, fields)


def load_file(path: bytes, limits: Limits) -> Loaded:
    """Read a file; one that changes meanwhile is read once more, then reported.

    Raises:
        SourceProblem: no picture by its first bytes, too large, unreadable or changing.
    """
    try:
        for _ in range(READ_TRIES):
            loaded = _read_steady(path, limits)
            if loaded is not None:
                return loaded
    except PictureError as exc:
        problem = Problem("rejected", "read", exc.message, exc.code, retryable=False)
        raise SourceProblem(problem) from exc
    except OSError as exc:
        raise SourceProblem(os_problem("read", exc)) from exc
    reason = "the file changed while it was read"
    raise SourceProblem(Problem("failed", "read", reason, "file_changed", retryable=True))


def os_problem(stage: str, exc: OSError | ValueError) -> Problem:
    """The state of what the system would not let us read."""
    why = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
    return Problem("failed", stage, f"cannot be read: {why}", "unreadable", retryable=True)


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
    return Loaded(data, _version(after), file_stamp(after)) if same else None


def _version(status: os.stat_result) -> str:
    return f"{status.st_size}-{status.st_mtime_ns}"


def _not_a_file() -> Problem:
    reason = "neither a file nor a folder (a pipe, socket or device)"
    return Problem("rejected", "list", reason, "not_a_file", retryable=False)
