"""What is measured of one picture, one query or one ranking; pure functions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.boxes import iou_matrix

IOU_FLOOR = 0.5
"""What COCO and VOC call found."""


def match_objects(
    truth_boxes: NDArray[np.float64],
    truth_labels: Sequence[str],
    found_boxes: NDArray[np.float64],
    found_labels: Sequence[str],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which marked objects were found: right class and IoU >= 0.5, one finding an object.

    Pairs are taken by falling IoU, as in the matching of COCO and VOC.

    Args:
        truth_boxes: ``(N, 4)`` pixels, x1 y1 x2 y2.
        truth_labels: N class names.
        found_boxes: ``(M, 4)`` likewise.
        found_labels: M class names.

    Returns:
        ``(N,)`` bool, which marked objects were found, and ``(M,)`` bool, which findings are
        of a marked object; both have the same number of True.
    """
    matched = np.zeros(len(truth_labels), dtype=bool)
    right = np.zeros(len(found_labels), dtype=bool)
    if not len(truth_labels) or not len(found_labels):
        return matched, right
    overlaps = iou_matrix(truth_boxes, found_boxes)
    same = np.array(truth_labels)[:, None] == np.array(found_labels)[None, :]
    overlaps[~same] = 0.0
    while overlaps.max() >= IOU_FLOOR:
        row, column = np.unravel_index(overlaps.argmax(), overlaps.shape)
        matched[row] = right[column] = True
        overlaps[row, :] = 0.0
        overlaps[:, column] = 0.0
    return matched, right


def true_classes(
    truth_boxes: NDArray[np.float64],
    truth_labels: Sequence[str],
    found_boxes: NDArray[np.float64],
) -> list[str | None]:
    """What each finding really shows: the class of the marked object that it overlaps most.

    Args:
        truth_boxes: ``(N, 4)`` pixels, x1 y1 x2 y2.
        truth_labels: N class names.
        found_boxes: ``(M, 4)`` likewise.

    Returns:
        M class names; None where no marked object overlaps with IoU >= 0.5.
    """
    rows = true_objects(truth_boxes, found_boxes)
    return [None if row is None else truth_labels[row] for row in rows]


def true_objects(
    truth_boxes: NDArray[np.float64], found_boxes: NDArray[np.float64]
) -> list[int | None]:
    """Which marked object each finding overlaps most; None where none does with IoU >= 0.5.

    Args:
        truth_boxes: ``(N, 4)`` pixels, x1 y1 x2 y2.
        found_boxes: ``(M, 4)`` likewise.
    """
    if not len(truth_boxes) or not len(found_boxes):
        return [None] * len(found_boxes)
    overlaps = iou_matrix(truth_boxes, found_boxes)
    return [
        int(row) if overlaps[row, column] >= IOU_FLOOR else None
        for column, row in enumerate(overlaps.argmax(axis=0))
    ]


def covered_by(regions: NDArray[np.float64], found_boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which findings lie at least by half in one of these regions (crowds, as COCO has it).

    Args:
        regions: ``(N, 4)`` pixels, x1 y1 x2 y2.
        found_boxes: ``(M, 4)`` likewise.

    Returns:
        ``(M,)`` bool.
    """
    if not len(regions) or not len(found_boxes):
        return np.zeros(len(found_boxes), dtype=bool)
    a, b = regions[:, None, :], found_boxes[None, :, :]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.prod(np.clip(sides, 0.0, None), axis=-1)
    areas = np.prod(np.clip(found_boxes[:, 2:] - found_boxes[:, :2], 0.0, None), axis=-1)
    shares = np.divide(shared, areas[None, :], out=np.zeros_like(shared), where=areas > 0)
    inside: NDArray[np.bool_] = (shares >= IOU_FLOOR).any(axis=0)
    return inside


def precision(right: NDArray[np.bool_], k: int = 10) -> float:
    """P@k: right answers among the first k ranks, over k; missing answers are wrong ones."""
    return float(right[:k].sum()) / k


def recall(right: NDArray[np.bool_], possible: int, k: int) -> float:
    """Recall@k: right answers among the first k ranks, over all there are (at least 1)."""
    return float(right[:k].sum()) / possible


def average_precision(right: NDArray[np.bool_], possible: int, k: int = 10) -> float:
    """Average precision of one ranking, cut at k.

    Sum over the right answers' ranks r <= k of precision at r, divided by min(k, possible)
    (the definition of information retrieval, as in Manning et al. 2008, chapter 8, cut at k).

    Args:
        right: ``(any,)`` bool, whether the answer at each rank is right.
        possible: how many right answers there are in all; at least 1.
        k: ranks that count.
    """
    return _precision_sum(right[:k]) / min(k, possible)


def average_precision_of_found(right: NDArray[np.bool_], k: int = 10) -> float:
    """Average precision over the right answers that were found, as many systems publish it.

    Sum over the right answers' ranks r <= k of precision at r, divided by their number; 0 without
    one (towhee 0.x, ``mean_average_precision`` of its metrics). It says nothing about what is
    missing, so it is kept for comparing with published values only.

    Args:
        right: ``(any,)`` bool, whether the answer at each rank is right.
        k: ranks that count.
    """
    found = int(right[:k].sum())
    return _precision_sum(right[:k]) / found if found else 0.0


def _precision_sum(right: NDArray[np.bool_]) -> float:
    precisions = np.cumsum(right) / np.arange(1, len(right) + 1)
    return float((precisions * right).sum())
