"""Bytes to one upright RGB array: the only decoder in the house.

One policy for cut off files, on every path: a file whose first frame is not whole, or whose
end marker (JPEG, PNG) or announced length (WebP) is missing, is refused as
UndecodablePicture with ``reason="cut_off"``. Damage that a decoder bridges by itself (stray
bytes, broken EXIF) is accepted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import cv2
import numpy as np

from minio_proxy.picture.formats import Format
from minio_proxy.picture.header import Header, Limits, read_layout
from minio_proxy.picture.layout import Layout
from minio_proxy.picture.orientation import Rgb, upright
from minio_proxy.picture.pillow_open import mapped_errors
from minio_proxy.picture.pillow_pixels import pillow_pixels

__all__ = ["Limits", "Picture", "decode", "decode_upright", "opencv_pixels", "shrink_factor"]

_FULL: Final = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
_REDUCED: Final = {
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}

# What is wrong with a file is told by the error; OpenCV would also print it for every file.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture.

    Args:
        rgb: ``(H, W, 3)`` uint8, contiguous, upright; smaller than the picture where decoding it
            smaller was allowed.
        size_wh: width and height of the picture itself, pixels.
        format: of the file it came from.
        taken_at: time of exposure, timezone-aware, or None.
    """

    rgb: Rgb
    size_wh: tuple[int, int]
    format: Format
    taken_at: datetime | None


def decode(data: bytes, limits: Limits, *, long_side: int = 0) -> Picture:
    """Decode the first frame of a picture, upright, alpha over white, 8 bit RGB.

    Args:
        data: the whole file.
        limits: checked from the header, before any pixel is allocated.
        long_side: a JPEG is decoded at 1/2, 1/4 or 1/8 as long as its longer side keeps this
            many pixels (shrink-on-load); 0: always in full.

    Raises:
        PictureError: UnsupportedFormat, PictureTooLarge or UndecodablePicture; no other
            error comes out, whatever the bytes.
    """
    header, layout = read_layout(data, limits)
    factor = shrink_factor(max(header.size_wh) / long_side, header) if long_side else 1
    with mapped_errors():
        rgb = decode_upright(data, header, layout, factor)
    size_wh = header.size_wh if factor > 1 else (rgb.shape[1], rgb.shape[0])
    return Picture(rgb, size_wh, header.format, header.taken_at)


def shrink_factor(shrink: float, header: Header) -> int:
    """The most that a file can be shrunk while it is decoded, and no more than asked for.

    Args:
        shrink: how many times smaller it may become.
        header: of the file; only JPEG is shrunk.

    Returns:
        1, 2, 4 or 8.
    """
    if header.format != "JPEG":
        return 1
    return max((factor for factor in _REDUCED if factor <= shrink), default=1)


def decode_upright(data: bytes, header: Header, layout: Layout, factor: int = 1) -> Rgb:
    """Decode a whole picture: with OpenCV what it decodes right, with Pillow the rest.

    What OpenCV refuses goes to Pillow too, which says what is wrong with it.

    Args:
        data: the whole file.
        header: of it.
        layout: of it.
        factor: 1, or for a JPEG 2, 4 or 8: how many times smaller it becomes.
    """
    flags = _FULL if factor == 1 else _FULL | _REDUCED[factor]
    rgb = opencv_pixels(data, flags) if layout.plain else None
    if rgb is None:
        width, height = header.stored_size_wh
        smaller = None if factor == 1 else (width // factor, height // factor)
        rgb = pillow_pixels(data, header.format, at_least_wh=smaller)
    return upright(rgb, 1 if layout.turned else header.orientation)


def opencv_pixels(data: bytes, flags: int = _FULL) -> Rgb | None:
    """Decode to RGB as stored with OpenCV; None where it finds the file damaged or cut off."""
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
