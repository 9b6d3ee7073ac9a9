"""Geometry of boxes: pure functions on ``(x1, y1, x2, y2)`` pixels, x2 and y2 outside the box."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.entries import Box


def whole(size_wh: tuple[int, int]) -> Box:
    """Box of a whole picture."""
    return (0.0, 0.0, float(size_wh[0]), float(size_wh[1]))


def clip(box_xyxy: Box, size_wh: tuple[int, int]) -> Box:
    """Part of a box inside the picture; a box wholly outside becomes one of zero area."""
    width, height = size_wh
    x1, y1, x2, y2 = box_xyxy
    return (
        float(min(max(x1, 0.0), width)),
        float(min(max(y1, 0.0), height)),
        float(min(max(x2, 0.0), width)),
        float(min(max(y2, 0.0), height)),
    )


def area(box_xyxy: Box) -> float:
    """Area in square pixels; an inverted box has none."""
    x1, y1, x2, y2 = box_xyxy
    return max(x2 - x1, 0.0) * max(y2 - y1, 0.0)


def area_share(box_xyxy: Box, size_wh: tuple[int, int]) -> float:
    """Area of the box's part inside the picture over the picture's area, in [0, 1]."""
    return area(clip(box_xyxy, size_wh)) / (size_wh[0] * size_wh[1])


def scale(box_xyxy: Box, factor_x: float, factor_y: float) -> Box:
    """The box in a picture that is stretched by these factors."""
    x1, y1, x2, y2 = box_xyxy
    return (x1 * factor_x, y1 * factor_y, x2 * factor_x, y2 * factor_y)


def iou_matrix(boxes_a: NDArray[np.floating], boxes_b: NDArray[np.floating]) -> NDArray[np.float64]:
    """Intersection over union of every box of one set with every box of another.

    Args:
        boxes_a: ``(N, 4)`` pixels, x1 y1 x2 y2.
        boxes_b: ``(M, 4)`` likewise.

    Returns:
        ``(N, M)`` in [0, 1]; boxes without area overlap nothing.
    """
    a = np.asarray(boxes_a, dtype=np.float64).reshape(-1, 1, 4)
    b = np.asarray(boxes_b, dtype=np.float64).reshape(1, -1, 4)
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.prod(np.clip(sides, 0.0, None), axis=-1)
    union = _areas(a) + _areas(b) - shared
    shares: NDArray[np.float64] = np.divide(
        shared, union, out=np.zeros_like(shared), where=union > 0
    )
    return shares


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    areas: NDArray[np.float64] = np.prod(np.clip(boxes[..., 2:] - boxes[..., :2], 0, None), axis=-1)
    return areas
