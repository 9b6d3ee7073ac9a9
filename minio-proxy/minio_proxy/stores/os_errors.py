"""Errors of the operating system, told as errors of the store."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from minio_proxy.errors import (
    InvalidKey,
    ObjectNotFound,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreUnavailable,
)

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DENIED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_MISSING: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
# Too many open files, a stale network mount or a busy disk may be gone a moment later.
_PASSING: Final = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE, errno.ETIMEDOUT, errno.EBUSY}
)


def from_os_error(error: OSError, key: str) -> StoreError:
    """Name what an operating system's error means for the object ``key``.

    Returns:
        StoreFull, StoreDenied, ObjectNotFound, InvalidKey (a folder lies there),
        StoreUnavailable, or StoreError for what is none of these (an I/O error, say).
    """
    reason = error.strerror or str(error)
    if error.errno in _FULL:
        return StoreFull(f"No space left in the store to write {key!r}: {reason}.", key=key)
    if error.errno in _DENIED:
        return StoreDenied(
            f"The store's folder does not allow this on {key!r}: {reason}; "
            "check its owner and permissions.",
            key=key,
        )
    if error.errno in _MISSING:
        return ObjectNotFound(f"No object {key!r} is in the store.", key=key)
    if error.errno == errno.EISDIR:
        return InvalidKey(f"Other objects' keys continue {key!r}.", key=key)
    if error.errno in _PASSING:
        return StoreUnavailable(f"The store's folder is busy or gone: {reason}.", key=key)
    return StoreError(f"The store's disk failed on {key!r}: {reason}.", key=key)


@contextmanager
def os_errors(key: str) -> Iterator[None]:
    """Raise a StoreError in place of every OSError of the block."""
    try:
        yield
    except OSError as error:
        raise from_os_error(error, key) from error
