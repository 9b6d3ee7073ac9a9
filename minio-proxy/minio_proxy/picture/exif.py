"""The three things Boxseek wants from EXIF, read without a word about what is broken.

Cameras and editors write EXIF that breaks every rule. What cannot be read is as if it were
not there: the picture stays upright as stored, and its time is unknown.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

ORIENTATION: Final = 0x0112
_EXIF_POINTER: Final = 0x8769
_TAKEN_AT: Final = 0x9003  # DateTimeOriginal
_TAKEN_AT_OFFSET: Final = 0x9011  # OffsetTimeOriginal
_MOST_ENTRIES = 1024
_MOST_VALUE_BYTES = 4096
# TIFF field types: size of one value and its struct letter.
_TYPES: dict[int, tuple[int, str]] = {
    1: (1, "B"),
    2: (1, "s"),
    3: (2, "H"),
    4: (4, "I"),
    13: (4, "I"),
    16: (8, "Q"),
    18: (8, "Q"),
}

Tags = Mapping[int, "tuple[int, ...] | bytes"]


@dataclass(frozen=True, slots=True)
class Exif:
    """What EXIF says.

    Args:
        orientation: 1 to 8 as in the TIFF standard; 1 when unknown.
        taken_at: time of exposure, timezone-aware (UTC where EXIF names no offset), or None.
    """

    orientation: int = 1
    taken_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TiffFile:
    """A TIFF structure, which EXIF also is.

    Args:
        data: all its bytes.
        order: struct letter of its byte order.
        first_ifd: where its first directory begins.
        big: whether offsets have 64 bits (BigTIFF).
    """

    data: bytes
    order: str
    first_ifd: int
    big: bool

    @classmethod
    def open(cls, data: bytes) -> TiffFile | None:
        """Read the header; None if it is none."""
        order = {b"II": "<", b"MM": ">"}.get(data[:2])
        if order is None or len(data) < 16:  # noqa: PLR2004 - the shortest header with a directory
            return None
        magic = struct.unpack_from(order + "H", data, 2)[0]
        if magic == 42:  # noqa: PLR2004 - the number of TIFF
            return cls(data, order, struct.unpack_from(order + "I", data, 4)[0], big=False)
        return cls(data, order, struct.unpack_from(order + "Q", data, 8)[0], big=True)

    def tags(self, ifd: int) -> Tags:
        """Read the short values of one directory; broken entries are left out."""
        count_letter, entry_size = ("Q", 20) if self.big else ("H", 12)
        start = ifd + struct.calcsize(count_letter)
        if start > len(self.data):
            return {}
        count = struct.unpack_from(self.order + count_letter, self.data, ifd)[0]
        found: dict[int, tuple[int, ...] | bytes] = {}
        for at in range(start, start + entry_size * min(count, _MOST_ENTRIES), entry_size):
            if at + entry_size > len(self.data):
                break
            tag, value = self._entry(at)
            if value:
                found.setdefault(tag, value)
        return found

    def _entry(self, at: int) -> tuple[int, tuple[int, ...] | bytes | None]:
        count_letter, inline = ("Q", 8) if self.big else ("I", 4)
        tag, kind, count = struct.unpack_from(self.order + "HH" + count_letter, self.data, at)
        size, letter = _TYPES.get(kind, (0, ""))
        where = at + 4 + inline
        if not size or size * count > _MOST_VALUE_BYTES:
            return tag, None
        if size * count > inline:
            where = struct.unpack_from(self.order + count_letter, self.data, where)[0]
        if where + size * count > len(self.data):
            return tag, None
        if letter == "s":
            return tag, self.data[where : where + count]
        return tag, struct.unpack_from(f"{self.order}{count}{letter}", self.data, where)


def read_exif(blob: bytes) -> Exif:
    """Read an EXIF block, with or without JPEG's prefix; anything broken reads as unknown."""
    tiff = TiffFile.open(blob.removeprefix(b"Exif\0\0"))
    return exif_of(tiff) if tiff else Exif()


def exif_of(tiff: TiffFile) -> Exif:
    """Read orientation and time from the first directory of a TIFF structure."""
    main = tiff.tags(tiff.first_ifd)
    orientation = first(main, ORIENTATION, 1)
    details = tiff.tags(first(main, _EXIF_POINTER, len(tiff.data)))
    return Exif(
        orientation=orientation if orientation in range(1, 9) else 1,
        taken_at=_time(_text(details, _TAKEN_AT), _text(details, _TAKEN_AT_OFFSET)),
    )


def first(tags: Tags, tag: int, default: int) -> int:
    """Give the first number of a tag, or the default when it is missing or text."""
    value = tags.get(tag)
    return value[0] if isinstance(value, tuple) else default


def _text(tags: Tags, tag: int) -> str:
    value = tags.get(tag, b"")
    return value.rstrip(b"\0 ").decode("ascii", "replace") if isinstance(value, bytes) else ""


def _time(text: str, offset: str) -> datetime | None:
    try:
        taken = datetime.strptime(text, "%Y:%m:%d %H:%M:%S").replace(tzinfo=_zone(offset))
        # Written in UTC, so that sorting and the year 1 or 9999 work everywhere.
        return taken.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone(offset: str) -> timezone:
    """Read ``+02:00``; anything else is UTC."""
    hours, _, minutes = offset[1:].partition(":")
    if offset[:1] not in {"+", "-"} or not (hours.isdecimal() and minutes.isdecimal()):
        return UTC
    span = timedelta(hours=int(hours), minutes=int(minutes))
    if span >= timedelta(hours=24):
        return UTC
    return timezone(-span if offset[0] == "-" else span)
