"""Turning pixels upright."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]

# What each EXIF orientation needs, by the TIFF 6.0 definition of where row 0 and column 0 lie.
_TURNS: Mapping[int, Callable[[Rgb], Rgb]] = {
    2: lambda rgb: cv2.flip(rgb, 1),
    3: lambda rgb: cv2.rotate(rgb, cv2.ROTATE_180),
    4: lambda rgb: cv2.flip(rgb, 0),
    5: cv2.transpose,
    6: lambda rgb: cv2.rotate(rgb, cv2.ROTATE_90_CLOCKWISE),
    7: lambda rgb: cv2.rotate(cv2.transpose(rgb), cv2.ROTATE_180),
    8: lambda rgb: cv2.rotate(rgb, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


def upright(rgb: Rgb, orientation: int) -> Rgb:
    """Apply an EXIF orientation once.

    Args:
        rgb: ``(H, W, 3)`` uint8 as stored.
        orientation: 1 to 8.

    Returns:
        The upright picture, contiguous; the same array when nothing is to be done.
    """
    turn = _TURNS.get(orientation)
    return np.ascontiguousarray(turn(rgb) if turn else rgb)
