"""Layouts of TIFF, AVIF and HEIC, whose parts point at each other."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import BytesIO
from typing import Final

from PIL import AvifImagePlugin
from pillow_heif import HeifImageFile

from minio_proxy.picture.exif import TiffFile, first, read_exif
from minio_proxy.picture.layout import MOST_BLOCKS, Layout, cut_off, damaged, larger
from minio_proxy.picture.pillow_open import opened

_WIDTH: Final = 256
_HEIGHT: Final = 257
_SAMPLES: Final = 277
_TILE_WIDTH: Final = 322
_TILE_HEIGHT: Final = 323
_MOST_SAMPLES = 6  # what Pillow decodes: four colours and two more
# Boxes that hold boxes, with the bytes before the first of them.
_CONTAINERS = {
    b"meta": 4,
    b"iprp": 0,
    b"ipco": 0,
    b"moov": 0,
    b"trak": 0,
    b"mdia": 0,
    b"minf": 0,
    b"stbl": 0,
    b"stsd": 8,
}
_VIDEO_ENTRIES = frozenset({b"av01", b"hvc1", b"hev1"})


def tiff_layout(data: bytes) -> Layout:
    """Read the first page's directory of a TIFF; Pillow's plugin turns its pixels upright."""
    tiff = TiffFile.open(data)
    tags = tiff.tags(tiff.first_ifd) if tiff else {}
    if not tags:
        raise cut_off("its directory lies past the end")
    size_wh = (first(tags, _WIDTH, 0), first(tags, _HEIGHT, 0))
    if first(tags, _SAMPLES, 1) not in range(1, _MOST_SAMPLES + 1):
        raise damaged(f"{first(tags, _SAMPLES, 1)} samples a pixel")
    tile_wh = (first(tags, _TILE_WIDTH, 0), first(tags, _TILE_HEIGHT, 0))
    return Layout(size_wh, larger(size_wh, tile_wh), exif=data, turned=True)


def avif_layout(data: bytes) -> Layout:
    """Read an AVIF's boxes; Pillow turns its irot and imir properties into an orientation."""
    raster_wh = largest_item(data)
    with opened(lambda: AvifImagePlugin.AvifImageFile(BytesIO(data))) as image:
        exif = bytes(image.info.get("exif", b""))
        icc = bytes(image.info.get("icc_profile") or b"")
        return Layout(
            image.size,
            larger(image.size, raster_wh),
            exif=exif,
            icc=icc,
            orientation=read_exif(exif).orientation,
        )


def heic_layout(data: bytes) -> Layout:
    """Read a HEIC's boxes; libheif gives sizes and pixels that are upright already."""
    raster_wh = largest_item(data)
    with opened(lambda: HeifImageFile(BytesIO(data))) as image:
        return Layout(
            image.size,
            larger(image.size, raster_wh),
            exif=bytes(image.info.get("exif") or b""),
            icc=bytes(image.info.get("icc_profile") or b""),
            orientation=1,
            turned=True,
        )


def largest_item(data: bytes) -> tuple[int, int]:
    """Give the largest size that any item or track of an AVIF or HEIC declares, tiles included."""
    largest = (0, 0)
    for name, start, end in _boxes(data, 0, len(data)):
        body = data[start : min(end, start + 32)]
        if name == b"ispe" and len(body) >= 12:  # noqa: PLR2004 - version, width, height
            largest = larger(largest, struct.unpack_from(">II", body, 4))
        elif name in _VIDEO_ENTRIES and len(body) >= 28:  # noqa: PLR2004 - up to its height
            largest = larger(largest, struct.unpack_from(">HH", body, 24))
    return largest


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Walk all boxes, those inside containers too; an endless nest ends by its count."""
    todo = [(start, end)]
    for _ in range(MOST_BLOCKS):
        while todo and todo[-1][0] + 8 > todo[-1][1]:
            todo.pop()
        if not todo:
            return
        at, stop = todo.pop()
        length, body = int.from_bytes(data[at : at + 4], "big"), at + 8
        if length == 1:
            length, body = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        box_end = stop if length == 0 else min(at + max(length, body - at), stop)
        todo.append((box_end, stop))
        name = data[at + 4 : at + 8]
        yield name, body, box_end
        if name in _CONTAINERS:
            todo.append((body + _CONTAINERS[name], box_end))
    raise damaged("it has too many boxes")
