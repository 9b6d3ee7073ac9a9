"""From a picture to a detector's input and back: pure functions on pixels and boxes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.description import DetectorDescription

MAX_ENLARGEMENT = 1.25
"""Pictures smaller than the input are enlarged no more than this: a network sees less in a
blurred picture (a 128-pixel portrait scores 0.92 at 160 pixels and 0.66 at 736), its boxes
follow compression noise, and it costs more."""

PADDING_GRAY = 114
"""Grey of the padding that Ultralytics trains with."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How a picture lies in a detector's input.

    Args:
        shape_hw: of the input.
        inner_wh: of the resized picture in it.
        left: padding left of the picture, pixels.
        top: padding above the picture, pixels.
        size_wh: of the picture itself.
    """

    shape_hw: tuple[int, int]
    inner_wh: tuple[int, int]
    left: int
    top: int
    size_wh: tuple[int, int]


def fit_described(size_wh: tuple[int, int], how: DetectorDescription, stride: int) -> Fit:
    """Fit a picture so that its longer side is the described input size.

    The input is as small as it can be, or always the same square. Small pictures are enlarged
    by MAX_ENLARGEMENT at most. Both sides of the input are multiples of ``stride``; the picture
    lies in the middle.
    """
    factor = min(how.input_size / max(size_wh), MAX_ENLARGEMENT)
    inner_wh = (max(1, round(size_wh[0] * factor)), max(1, round(size_wh[1] * factor)))
    sides_wh = (how.input_size, how.input_size) if how.square else inner_wh
    width, height = (math.ceil(side / stride) * stride for side in sides_wh)
    return _centered(size_wh, inner_wh, (height, width))


def usual_shape(how: DetectorDescription, stride: int) -> tuple[int, int]:
    """Input ``(height, width)`` of a picture as cameras take them: 4 to 3."""
    return fit_described((640, 480), how, stride).shape_hw


def fit_shape(size_wh: tuple[int, int], shape_hw: tuple[int, int]) -> Fit:
    """Fit a picture into an input of fixed shape, padded."""
    factor = min(shape_hw[1] / size_wh[0], shape_hw[0] / size_wh[1])
    inner_wh = (max(1, round(size_wh[0] * factor)), max(1, round(size_wh[1] * factor)))
    return _centered(size_wh, inner_wh, shape_hw)


def fit_stretched(size_wh: tuple[int, int], shape_hw: tuple[int, int]) -> Fit:
    """Fit a picture into an input of fixed shape, stretched to fill it."""
    return _centered(size_wh, (shape_hw[1], shape_hw[0]), shape_hw)


def place(image: NDArray[np.uint8], fit: Fit) -> NDArray[np.uint8]:
    """Resize and pad a picture.

    Args:
        image: ``(H, W, 3)`` uint8 RGB of size ``fit.size_wh``.
        fit: where it goes.

    Returns:
        ``(*fit.shape_hw, 3)`` uint8 RGB.
    """
    if fit.inner_wh != fit.size_wh:
        shrinks = fit.inner_wh[0] < fit.size_wh[0]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        image = cv2.resize(image, fit.inner_wh, interpolation=how)
    if fit.inner_wh == (fit.shape_hw[1], fit.shape_hw[0]):
        return image
    (width, height), (rows, columns) = fit.inner_wh, fit.shape_hw
    below, right = rows - height - fit.top, columns - width - fit.left
    gray = (PADDING_GRAY,) * 3
    padded = cv2.copyMakeBorder(
        image, fit.top, below, fit.left, right, cv2.BORDER_CONSTANT, value=gray
    )
    return np.asarray(padded, np.uint8)


def to_picture(boxes_xyxy: NDArray[np.float32], fit: Fit) -> NDArray[np.float64]:
    """Map boxes from the input to the picture, clipped to it, rounded to 0.01 pixels.

    Args:
        boxes_xyxy: ``(N, 4)`` pixels of the input.
        fit: how the picture lies in it.

    Returns:
        ``(N, 4)`` pixels of the picture.
    """
    size = np.array(fit.size_wh * 2, np.float64)
    inner = np.array(fit.inner_wh * 2, np.float64)
    offset = np.array((fit.left, fit.top) * 2, np.float64)
    mapped = (boxes_xyxy.astype(np.float64).reshape(-1, 4) - offset) * size / inner
    return np.round(np.clip(mapped, 0.0, size), 2).astype(np.float64)


def _centered(
    size_wh: tuple[int, int], inner_wh: tuple[int, int], shape_hw: tuple[int, int]
) -> Fit:
    left = (shape_hw[1] - inner_wh[0]) // 2
    top = (shape_hw[0] - inner_wh[1]) // 2
    return Fit(shape_hw, inner_wh, left, top, size_wh)
