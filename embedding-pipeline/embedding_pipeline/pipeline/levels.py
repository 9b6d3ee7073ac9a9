"""A large picture at several sizes: large for sharp crops, small for what needs no more."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.description import DetectorDescription
from embedding_pipeline.domain.entries import Box

CROPPED_INPUTS = 2
"""A crop is cut where its longer side has so many times the embedder's input: as sharp as from the
whole picture, and little to resize."""


def least_side(description: DetectorDescription) -> int:
    """The least longer side of a level, pixels; 0 where pictures are taken as they are.

    So they are for a detector that looks at tiles, which are cut from all the pixels there are.
    """
    if not description.decode_long_side or description.tiles:
        return 0
    return max(description.input_size, *description.further_sizes, 0)


def levels_of(rgb: NDArray[np.uint8], least_long_side: int) -> tuple[NDArray[np.uint8], ...]:
    """A picture and its halves, quarters, ..., as long as their longer side is long enough.

    Halving averages two by two pixels, which costs little; resizing a large picture to a
    network's input by areas costs as much as decoding it, and gives nearly the same. An odd last
    row or column is left out.

    Args:
        rgb: ``(H, W, 3)`` uint8.
        least_long_side: pixels; 0 gives the picture alone.
    """
    levels = [rgb]
    while least_long_side and max(levels[-1].shape[:2]) >= 2 * least_long_side:
        height, width = (side // 2 for side in levels[-1].shape[:2])
        if not height or not width:
            break
        even = levels[-1][: 2 * height, : 2 * width]
        half = cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA)
        levels.append(np.asarray(half, np.uint8))
    return tuple(levels)


def level_for(
    levels: Sequence[NDArray[np.uint8]], size_wh: tuple[int, int], box_xyxy: Box, pixels: int
) -> NDArray[np.uint8]:
    """The smallest level in which a box's longer side still has so many pixels, or the largest.

    Args:
        levels: largest first.
        size_wh: of the picture, in whose pixels the box is.
        box_xyxy: of the picture.
        pixels: that the box's longer side should have.
    """
    x1, y1, x2, y2 = box_xyxy
    for level in reversed(levels):
        across, down = level.shape[1] / size_wh[0], level.shape[0] / size_wh[1]
        if max((x2 - x1) * across, (y2 - y1) * down) >= pixels:
            return level
    return levels[0]
