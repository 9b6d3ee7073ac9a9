"""From a box of a picture to the square that an embedder takes."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.boxes import clip
from embedding_pipeline.domain.description import CropRule
from embedding_pipeline.domain.entries import Box

_ENLARGE = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}


def cut(
    rgb: NDArray[np.uint8],
    box_xyxy: Box,
    *,
    rule: CropRule,
    size: int,
    margin: float = 0.0,
    interpolation: str = "bicubic",
    fill: tuple[int, int, int] = (128, 128, 128),
) -> NDArray[np.uint8]:
    """Cut a box out of a picture and bring it to a square.

    Args:
        rgb: ``(H, W, 3)`` uint8, upright.
        box_xyxy: pixels; partly covered pixels count, at least one pixel is taken.
        rule: letterbox, squash or center (see CropRule).
        size: side of the square, pixels.
        margin: share of the box's sides that is added on every side, as far as there is picture.
        interpolation: ``bilinear`` or ``bicubic``, for enlarging; shrinking averages areas.
        fill: RGB of letterbox padding; the embedder's mean colour says nothing to it.

    Returns:
        ``(size, size, 3)`` uint8, contiguous.
    """
    part = _part(rgb, _grown(box_xyxy, margin))
    height, width = part.shape[:2]
    if rule == "squash":
        return _resize(part, size, size, interpolation)
    if rule == "center":
        factor = size / min(height, width)
        resized = _resize(
            part, max(size, round(width * factor)), max(size, round(height * factor)), interpolation
        )
        top, left = (resized.shape[0] - size) // 2, (resized.shape[1] - size) // 2
        return np.ascontiguousarray(resized[top : top + size, left : left + size])
    factor = size / max(height, width)
    inner_w, inner_h = max(1, round(width * factor)), max(1, round(height * factor))
    top, left = (size - inner_h) // 2, (size - inner_w) // 2
    square = cv2.copyMakeBorder(
        _resize(part, inner_w, inner_h, interpolation),
        top,
        size - inner_h - top,
        left,
        size - inner_w - left,
        cv2.BORDER_CONSTANT,
        value=fill,
    )
    return np.asarray(square, np.uint8)


def fill_of(mean: tuple[float, float, float]) -> tuple[int, int, int]:
    """Padding colour for an embedder: its mean of RGB in [0, 1], as uint8."""
    red, green, blue = (round(channel * 255) for channel in mean)
    return (red, green, blue)


def _grown(box_xyxy: Box, margin: float) -> Box:
    x1, y1, x2, y2 = box_xyxy
    dx, dy = (x2 - x1) * margin, (y2 - y1) * margin
    return (x1 - dx, y1 - dy, x2 + dx, y2 + dy)


def _part(rgb: NDArray[np.uint8], box_xyxy: Box) -> NDArray[np.uint8]:
    height, width = rgb.shape[:2]
    x1, y1, x2, y2 = clip(box_xyxy, (width, height))
    left, top = min(math.floor(x1), width - 1), min(math.floor(y1), height - 1)
    right, bottom = max(math.ceil(x2), left + 1), max(math.ceil(y2), top + 1)
    return rgb[top:bottom, left:right]


def _resize(
    rgb: NDArray[np.uint8], width: int, height: int, interpolation: str
) -> NDArray[np.uint8]:
    shrinks = rgb.shape[0] >= height and rgb.shape[1] >= width
    how = cv2.INTER_AREA if shrinks else _ENLARGE[interpolation]
    resized: NDArray[np.uint8] = cv2.resize(rgb, (width, height), interpolation=how)
    return resized
