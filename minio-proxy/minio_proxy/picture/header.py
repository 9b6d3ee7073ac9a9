"""What a picture is, told from its header: nothing is decoded and no pixel allocated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from minio_proxy.errors import PictureTooLarge, UnsupportedFormat
from minio_proxy.picture.block_layouts import avif_layout, heic_layout, largest_item, tiff_layout
from minio_proxy.picture.exif import read_exif
from minio_proxy.picture.formats import HEAD_BYTES, MEDIA_TYPES, Format, detect_format, sniff
from minio_proxy.picture.layout import Layout, damaged, larger
from minio_proxy.picture.pillow_open import mapped_errors
from minio_proxy.picture.raster_layouts import (
    bmp_layout,
    gif_layout,
    jpeg_layout,
    png_layout,
    webp_layout,
)

__all__ = ["Header", "Limits", "inspect", "read_layout", "sniff"]

_LAYOUTS: Mapping[Format, Callable[[bytes], Layout]] = {
    "JPEG": jpeg_layout,
    "PNG": png_layout,
    "WebP": webp_layout,
    "GIF": gif_layout,
    "BMP": bmp_layout,
    "TIFF": tiff_layout,
    "AVIF": avif_layout,
    "HEIC": heic_layout,
}


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a picture may be.

    Args:
        max_bytes: most bytes of the file.
        max_pixels: most pixels of any raster that decoding it would allocate.
    """

    max_bytes: int = 64 * 1024 * 1024
    max_pixels: int = 50_000_000


@dataclass(frozen=True, slots=True)
class Header:
    """What the header says.

    Args:
        format: told by the bytes.
        media_type: for HTTP.
        size_wh: width and height of the upright picture, pixels.
        stored_size_wh: width and height as stored, before orientation.
        orientation: 1 to 8 as in EXIF; what turns the stored picture upright. Always 1 for
            HEIC, whose decoder gives upright pixels.
        taken_at: time of exposure, timezone-aware, or None.
    """

    format: Format
    media_type: str
    size_wh: tuple[int, int]
    stored_size_wh: tuple[int, int]
    orientation: int
    taken_at: datetime | None


def inspect(data: bytes, limits: Limits) -> Header:
    """Read a picture's header and check it against the limits.

    Args:
        data: the whole file; of JPEG, GIF, BMP and most others a head that holds the
            header is enough.
        limits: checked before anything is decoded.

    Raises:
        UnsupportedFormat: none of the eight formats.
        PictureTooLarge: too many bytes or pixels; details carry actual and limit.
        UndecodablePicture: the header is damaged or cut off.
    """
    return read_layout(data, limits)[0]


def read_layout(data: bytes, limits: Limits) -> tuple[Header, Layout]:
    """Read the header together with what decoding needs; as ``inspect`` otherwise."""
    if len(data) > limits.max_bytes:
        raise PictureTooLarge(
            f"The file has {len(data)} bytes; at most {limits.max_bytes} are allowed.",
            actual=len(data),
            limit=limits.max_bytes,
            unit="bytes",
        )
    name = detect_format(data[:HEAD_BYTES])
    if name is None:
        raise UnsupportedFormat(
            f"This is no picture in a format that Boxseek takes ({', '.join(MEDIA_TYPES)}).",
            allowed=list(MEDIA_TYPES),
        )
    with mapped_errors():
        if name in {"AVIF", "HEIC"}:  # before their codecs see the file
            _check_pixels(largest_item(data), limits)
        layout = _LAYOUTS[name](data)
        _check_size(layout, limits)
        exif = read_exif(layout.exif)
    orientation = layout.orientation or exif.orientation
    width, height = layout.size_wh
    header = Header(
        format=name,
        media_type=MEDIA_TYPES[name],
        size_wh=(height, width) if orientation >= 5 else (width, height),  # noqa: PLR2004 - turned
        stored_size_wh=layout.size_wh,
        orientation=orientation,
        taken_at=exif.taken_at,
    )
    return header, layout


def _check_size(layout: Layout, limits: Limits) -> None:
    if min(layout.size_wh) < 1:
        raise damaged(f"its size is {layout.size_wh[0]} x {layout.size_wh[1]}")
    _check_pixels(larger(layout.size_wh, layout.raster_wh), limits)


def _check_pixels(size_wh: tuple[int, int], limits: Limits) -> None:
    width, height = size_wh
    if width * height > limits.max_pixels:
        raise PictureTooLarge(
            f"The picture has {width} x {height} pixels; "
            f"at most {limits.max_pixels} pixels are allowed.",
            actual=width * height,
            limit=limits.max_pixels,
            unit="pixels",
        )
