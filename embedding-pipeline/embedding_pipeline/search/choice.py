"""Which part of a query picture is searched for."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from embedding_pipeline.domain.boxes import area_share, clip, iou_matrix, whole
from embedding_pipeline.domain.entries import Box, Detection
from embedding_pipeline.errors import InvalidQuery, NoObjectFound
from embedding_pipeline.search.results import Scope

MIN_BOX_SIDE = 1.0
SAME_BOX_PX = 0.1
SAME_OBJECT_IOU = 0.5


def prominence(detection: Detection, size_wh: tuple[int, int]) -> float:
    """How much an object looks like what the picture is of, in [0, 1].

    The product of the detector's confidence, the square root of the box's share of the
    picture (its mean side, so that one large and one small side count alike) and its
    closeness to the centre: 1 in the centre, falling straight to 0.5 in a corner.
    """
    width, height = size_wh
    x1, y1, x2, y2 = detection.box_xyxy
    share = area_share(detection.box_xyxy, size_wh)
    off_x = ((x1 + x2) / 2 - width / 2) / (width / 2)
    off_y = ((y1 + y2) / 2 - height / 2) / (height / 2)
    closeness = 1.0 - 0.5 * min(1.0, math.hypot(off_x, off_y) / math.sqrt(2))
    return detection.confidence * math.sqrt(share) * closeness


def most_prominent(detections: Sequence[Detection], size_wh: tuple[int, int]) -> Detection | None:
    """The object of the greatest prominence, the first of equals; None without objects."""
    return max(detections, key=lambda found: prominence(found, size_wh), default=None)


def clipped_box(box: Box, size_wh: tuple[int, int]) -> Box:
    """Clip a box to the picture.

    Args:
        box: pixels of the upright picture; parts outside are cut off.
        size_wh: pixels of the upright picture.

    Returns:
        The part inside the picture.

    Raises:
        InvalidQuery: not finite, inverted, wholly outside, or less than a pixel wide or high.
    """
    x1, y1, x2, y2 = box
    if not all(math.isfinite(side) for side in box):
        raise _bad_box("has a side that is no number", [str(side) for side in box])
    if x1 >= x2 or y1 >= y2:
        raise _bad_box("is inverted or empty: x1 < x2 and y1 < y2 are needed", list(box))
    inside = clip(box, size_wh)
    if inside[0] >= inside[2] or inside[1] >= inside[3]:
        raise _bad_box(f"lies outside the picture of {size_wh[0]}x{size_wh[1]} pixels", list(box))
    if inside[2] - inside[0] < MIN_BOX_SIDE or inside[3] - inside[1] < MIN_BOX_SIDE:
        raise _bad_box("is less than one pixel wide or high inside the picture", list(box))
    return inside


def choose(
    *, box: Box | None, scope: Scope, size_wh: tuple[int, int], objects: Sequence[Detection]
) -> Box:
    """What to embed: the given box, else as the scope says.

    Args:
        box: pixels of the upright picture, or None.
        scope: ``auto``: the most prominent object, else the whole picture; ``object``: the
            most prominent object; ``image``: the whole picture.
        size_wh: pixels of the upright picture.
        objects: what was detected in it.

    Raises:
        InvalidQuery: the box makes no sense, or comes with scope ``image``.
        NoObjectFound: scope ``object``, no box, and nothing was detected.
    """
    if box is not None:
        if scope == "image":
            raise InvalidQuery(
                "scope=image searches the whole picture; leave box out or the scope.",
                parameter="box",
                actual=list(box),
            )
        return clipped_box(box, size_wh)
    if scope == "image":
        return whole(size_wh)
    best = most_prominent(objects, size_wh)
    if best is not None:
        return clipped_box(best.box_xyxy, size_wh)
    if scope == "object":
        raise NoObjectFound(
            "No object was found in the query picture; give a box or search with scope=image."
        )
    return whole(size_wh)


def label_of(box: Box, objects: Sequence[Detection]) -> str | None:
    """Class of the detected object whose box this is; None for any other box."""
    for found in objects:
        if same_box(box, found.box_xyxy):
            return found.label
    return None


def class_of(box: Box, objects: Sequence[Detection]) -> str | None:
    """Class of the detected object that a box is about; None where it is about none.

    The detected object of that very box, else the one that overlaps it most, with an IoU of
    at least SAME_OBJECT_IOU.
    """
    if not objects:
        return None
    exact = label_of(box, objects)
    if exact is not None:
        return exact
    overlaps = iou_matrix(np.array([box]), np.array([found.box_xyxy for found in objects]))[0]
    best = int(overlaps.argmax())
    return objects[best].label if overlaps[best] >= SAME_OBJECT_IOU else None


def same_box(one: Box, other: Box) -> bool:
    """Whether no side of two boxes differs by more than a tenth of a pixel."""
    return all(abs(a - b) <= SAME_BOX_PX for a, b in zip(one, other, strict=True))


def _bad_box(problem: str, actual: list[float] | list[str]) -> InvalidQuery:
    return InvalidQuery(f"The box {problem}.", parameter="box", actual=actual)
