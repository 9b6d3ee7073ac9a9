"""Byte ranges of an object, the same for every store."""

from __future__ import annotations

from minio_proxy.errors import RangeNotSatisfiable


def check_range(key: str, offset: int, length: int | None) -> None:
    """Refuse a range that makes no sense for any object.

    Raises:
        RangeNotSatisfiable: a negative offset or length.
    """
    if offset < 0 or (length is not None and length < 0):
        raise RangeNotSatisfiable(
            f"A range of {key!r} cannot begin at {offset} and have {length} bytes.", key=key
        )


def range_length(key: str, size_bytes: int, offset: int, length: int | None) -> int:
    """Count the bytes that a range gives.

    Args:
        key: the object's, for the message.
        size_bytes: length of the whole object.
        offset: first byte wanted.
        length: bytes wanted; None for all to the end.

    Raises:
        RangeNotSatisfiable: a negative number, or an offset at or past the end, except 0.
    """
    check_range(key, offset, length)
    if offset and offset >= size_bytes:
        raise RangeNotSatisfiable(
            f"{key!r} has {size_bytes} bytes; a range cannot begin at {offset}.",
            key=key,
            size_bytes=size_bytes,
        )
    rest = size_bytes - offset
    return rest if length is None else min(length, rest)
