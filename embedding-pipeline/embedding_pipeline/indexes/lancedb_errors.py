"""What LanceDB raises, as errors of the index port."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from embedding_pipeline.errors import (
    IndexDenied,
    IndexError_,
    IndexFull,
    IndexNotFound,
    IndexUnavailable,
)

_BY_TEXT: tuple[tuple[tuple[str, ...], type[IndexError_], str], ...] = (
    (
        ("no space left", "storagefull", "quota exceeded", "os error 28"),
        IndexFull,
        "No space is left for the index; free some below {place} and try again.",
    ),
    (
        ("permission denied", "read-only file system", "os error 13", "os error 30"),
        IndexDenied,
        "The index at {place} may not be read or written by this user.",
    ),
    (
        ("was not found", "not found:", "no such file", "os error 2)"),
        IndexNotFound,
        "The index at {place} is gone; it was dropped or its files were removed.",
    ),
    (
        ("conflict", "too many concurrent writers"),
        IndexUnavailable,
        "The index at {place} is being rewritten; try again.",
    ),
)


@contextmanager
def lancedb_errors(place: str) -> Iterator[None]:
    """Turn what LanceDB or the file system raises inside into an IndexError_ about a place."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as exc:
        raise _translated(exc, place) from exc


def is_conflict(exc: Exception) -> bool:
    """Whether LanceDB refused a commit because another one came first; it may be repeated."""
    return "conflict" in str(exc).lower()


def _translated(exc: Exception, place: str) -> IndexError_:
    if isinstance(exc, OSError) and exc.errno in {errno.ENOSPC, errno.EDQUOT}:
        return IndexFull(_BY_TEXT[0][2].format(place=place), place=place)
    if isinstance(exc, PermissionError):
        return IndexDenied(_BY_TEXT[1][2].format(place=place), place=place)
    text = str(exc).lower()
    for marks, error, message in _BY_TEXT:
        if any(mark in text for mark in marks):
            return error(message.format(place=place), place=place)
    return IndexError_(
        f"The index at {place} failed: {str(exc).splitlines()[0] if str(exc) else type(exc)}.",
        place=place,
    )
