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

__all__ = ["Limits", "Picture", "decode", "decode_upright", "opencv_pixels"]

_FULL: Final = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION

# What is wrong with a file is told by the error; OpenCV would also print it for every file.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture.

    Args:
        rgb: ``(H, W, 3)`` uint8, contiguous, upright.
        size_wh: its width and height, pixels.
        format: of the file it came from.
        taken_at: time of exposure, timezone-aware, or None.
    """

    rgb: Rgb
    size_wh: tuple[int, int]
    format: Format
    taken_at: datetime | None


def decode(data: bytes, limits: Limits) -> Picture:
    """Decode the first frame of a picture, upright, alpha over white, 8 bit RGB.

    Args:
        data: the whole file.
        limits: checked from the header, before any pixel is allocated.

    Raises:
        PictureError: UnsupportedFormat, PictureTooLarge or UndecodablePicture; no other
            error comes out, whatever the bytes.
    """
    header, layout = read_layout(data, limits)
    with mapped_errors():
        rgb = decode_upright(data, header, layout)
    return Picture(rgb, (rgb.shape[1], rgb.shape[0]), header.format, header.taken_at)


def decode_upright(data: bytes, header: Header, layout: Layout) -> Rgb:
    """Decode a whole picture: with OpenCV what it decodes right, with Pillow the rest.

    What OpenCV refuses goes to Pillow too, which says what is wrong with it.
    """
    rgb = opencv_pixels(data) if layout.plain else None
    if rgb is None:
        rgb = pillow_pixels(data, header.format)
    return upright(rgb, 1 if layout.turned else header.orientation)


def opencv_pixels(data: bytes, flags: int = _FULL) -> Rgb | None:
    """Decode to RGB as stored with OpenCV; None where it finds the file damaged or cut off."""
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
