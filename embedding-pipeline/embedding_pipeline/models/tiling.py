"""Where the tiles of a large picture lie: pure functions of its size and the description."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Tile: TypeAlias = tuple[int, int, int, int]
"""x1 y1 x2 y2, whole pixels of the picture."""

OVERLAP_PART = 5
"""Tiles overlap by a fifth of their side at least, so that what is smaller is whole in one."""

LEAST_GAIN = 1.5
"""Tiles are worth their time where they show a picture so many times as large as other runs."""

EDGE_PART = 100
"""A box that comes nearer than a hundredth of the tile's side to an inner edge may be cut by it."""

LEAST_SEEN = 24
"""A run on the whole picture that found nothing says nothing of an object that has fewer pixels
(the root of its area) in that run's input."""

_GROWTH = 16


def tiles_of(size_wh: tuple[int, int], input_size: int, seen_size: int, most: int) -> list[Tile]:
    """Tiles of a picture, row by row; none where other runs see it nearly as large.

    Tiles have the side of the detector's input. A picture that needs more than ``most`` of them
    gets larger ones, which the detector shrinks.

    Args:
        size_wh: of the picture, pixels.
        input_size: longer side of the detector's input.
        seen_size: longest side at which another run sees the whole picture.
        most: tiles; 0 for none.
    """
    longer = max(size_wh)
    side = input_size
    while side < longer and _count(size_wh[0], side) * _count(size_wh[1], side) > most:
        side += _GROWTH
    if side >= longer or input_size * longer < LEAST_GAIN * seen_size * side:
        return []
    columns, rows = (_spans(length, side) for length in size_wh)
    return [(x1, y1, x2, y2) for (y1, y2), (x1, x2) in product(rows, columns)]


def whole_in(
    boxes_xyxy: NDArray[np.float64], tile: Tile, size_wh: tuple[int, int]
) -> NDArray[np.bool_]:
    """Which boxes lie in a tile and clear of those of its edges that are not the picture's.

    Args:
        boxes_xyxy: ``(N, 4)`` float64, pixels of the picture.
        tile: of it.
        size_wh: of the picture.

    Returns:
        ``(N,)`` bool.
    """
    x1, y1, x2, y2 = tile
    margin = max(x2 - x1, y2 - y1) / EDGE_PART
    far = np.inf
    low = np.array((x1 + margin if x1 else -far, y1 + margin if y1 else -far))
    high = np.array(
        (x2 - margin if x2 < size_wh[0] else far, y2 - margin if y2 < size_wh[1] else far)
    )
    clear = np.concatenate((boxes_xyxy[:, :2] >= low, boxes_xyxy[:, 2:] <= high), axis=1)
    inside: NDArray[np.bool_] = np.logical_and.reduce(clear, axis=1)
    return inside


def whole_in_any(
    boxes_xyxy: NDArray[np.float64], tiles: Sequence[Tile], size_wh: tuple[int, int]
) -> NDArray[np.bool_]:
    """Which boxes at least one tile has whole, ``(N,)`` bool."""
    found = np.zeros(len(boxes_xyxy), bool)
    for tile in tiles:
        found |= whole_in(boxes_xyxy, tile, size_wh)
    return found


def counted(
    boxes_xyxy: NDArray[np.float64],
    sizes: Sequence[int],
    tiles: Sequence[Tile],
    size_wh: tuple[int, int],
) -> NDArray[np.bool_]:
    """Whose silence counts against an object: of those that could have seen it.

    Args:
        boxes_xyxy: ``(N, 4)`` float64, pixels of the picture.
        sizes: longer side of the input of each run on the whole picture.
        tiles: that were looked at, which together are the last run.
        size_wh: of the picture.

    Returns:
        ``(N, len(sizes) + 1)`` bool.
    """
    sides = np.sqrt((boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).prod(axis=1))
    seen = sides[:, None] * (np.array(sizes) / max(size_wh)) >= LEAST_SEEN
    return np.column_stack((seen, whole_in_any(boxes_xyxy, tiles, size_wh)))


def _count(length: int, side: int) -> int:
    step = side - side // OVERLAP_PART
    return 1 + max(0, -(-(length - side) // step))


def _spans(length: int, side: int) -> list[tuple[int, int]]:
    """Spans of one axis, spread evenly from edge to edge."""
    count = _count(length, side)
    if count == 1:
        return [(0, length)]
    starts = [(length - side) * i // (count - 1) for i in range(count)]
    return [(start, start + side) for start in starts]
