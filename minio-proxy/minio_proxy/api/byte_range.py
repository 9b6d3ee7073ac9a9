"""Which bytes a Range header asks for (RFC 9110, section 14)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from minio_proxy.errors import RangeNotSatisfiable

MAX_DIGITS = 18  # more digits than any file has bytes
_RANGE = re.compile(
    r"bytes[ \t]*=[ \t]*(?P<first>\d*)-(?P<last>\d*)[ \t]*", re.IGNORECASE | re.ASCII
)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes ``first`` to ``last``, both included, of an object of ``size_bytes``."""

    first: int
    last: int
    size_bytes: int

    @property
    def length(self) -> int:
        """How many bytes these are."""
        return self.last - self.first + 1

    @property
    def content_range(self) -> str:
        """The header of a 206 answer."""
        return f"bytes {self.first}-{self.last}/{self.size_bytes}"


def parse_range(header: str | None, size_bytes: int) -> ByteRange | None:
    """Read a Range header; None means the whole object.

    One range is honoured. More than one, another unit and what is no range at all are
    ignored, as RFC 9110 allows: a whole picture is less work than many parts of it, and
    overlapping parts by the thousand are an old way to make a server sweat.

    Args:
        header: as sent; None where there is none.
        size_bytes: size of the object.

    Raises:
        RangeNotSatisfiable: one range that is inverted or outside the object.
    """
    match = _RANGE.fullmatch(header or "")
    if match is None or not (match["first"] or match["last"]):
        return None
    first, last = match["first"], match["last"]
    if not first:
        start, end = max(0, size_bytes - _number(last)), size_bytes - 1
    else:
        start, end = _number(first), min(_number(last) if last else size_bytes - 1, size_bytes - 1)
    inverted = bool(first and last) and _number(last) < _number(first)
    if inverted or start > end:
        raise RangeNotSatisfiable(
            "The range lies outside the object or ends before it begins.", size_bytes=size_bytes
        )
    return ByteRange(start, end, size_bytes)


def _number(digits: str) -> int:
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) <= MAX_DIGITS else 10**MAX_DIGITS
