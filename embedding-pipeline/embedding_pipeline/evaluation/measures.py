"""What is measured: object coverage and retrieval; pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.boxes import iou_matrix

IOU_FLOOR = 0.5
RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Share:
    """A mean of per-item values with its bootstrap interval.

    Args:
        value: the mean.
        low: 2.5 % quantile of the means of 1,000 seeded resamples (Efron 1979).
        high: 97.5 % quantile.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How good the first ten answers are.

    Args:
        precision: P@10, the share of right answers among the first ten.
        mean_average_precision: mAP@10, see average_precision.
        queries: how many were asked; those without any right answer are left out.
    """

    precision: Share
    mean_average_precision: Share
    queries: int


def match_objects(
    truth_boxes: NDArray[np.float64],
    truth_labels: Sequence[str],
    found_boxes: NDArray[np.float64],
    found_labels: Sequence[str],
) -> NDArray[np.bool_]:
    """Which marked objects were found: right class and IoU >= 0.5, one finding an object.

    Pairs are taken by falling IoU, as in the matching of COCO and VOC.

    Args:
        truth_boxes: ``(N, 4)`` pixels, x1 y1 x2 y2.
        truth_labels: N class names.
        found_boxes: ``(M, 4)`` likewise.
        found_labels: M class names.

    Returns:
        ``(N,)`` bool.
    """
    matched = np.zeros(len(truth_labels), dtype=bool)
    if not len(truth_labels) or not len(found_labels):
        return matched
    overlaps = iou_matrix(truth_boxes, found_boxes)
    same = np.array(truth_labels)[:, None] == np.array(found_labels)[None, :]
    overlaps[~same] = 0.0
    while overlaps.max() >= IOU_FLOOR:
        row, column = np.unravel_index(overlaps.argmax(), overlaps.shape)
        matched[row] = True
        overlaps[row, :] = 0.0
        overlaps[:, column] = 0.0
    return matched


def average_precision(right: NDArray[np.bool_], possible: int, k: int = 10) -> float:
    """Average precision of one ranking, cut at k.

    Sum over the right answers' ranks r <= k of precision at r, divided by min(k, possible)
    (the definition of information retrieval, as in Manning et al. 2008, chapter 8, cut at k).

    Args:
        right: ``(>= k,)`` bool, whether the answer at each rank is right.
        possible: how many right answers there are in all; at least 1.
        k: ranks that count.
    """
    first = right[:k]
    precisions = np.cumsum(first) / np.arange(1, len(first) + 1)
    return float((precisions * first).sum() / min(k, possible))


def retrieval(
    vectors: NDArray[np.float32], labels: Sequence[str], pictures: Sequence[int], k: int = 10
) -> Retrieval:
    """Every object asks for the others: the same class in another picture is right.

    Args:
        vectors: ``(N, dimension)`` float32, unit length.
        labels: N class names.
        pictures: N picture numbers; objects of the query's own picture never answer.
        k: ranks that count.
    """
    names, numbers = np.array(labels), np.array(pictures)
    scores = vectors @ vectors.T
    precisions, averages = [], []
    for query in range(len(names)):
        others = numbers != numbers[query]
        possible = int((names[others] == names[query]).sum())
        if not possible:
            continue
        order = np.argsort(-scores[query][others], kind="stable")[:k]
        right = names[others][order] == names[query]
        precisions.append(float(right.sum()) / k)
        averages.append(average_precision(right, possible, k))
    return Retrieval(share(precisions), share(averages), len(precisions))


def share(values: Sequence[float] | NDArray[np.bool_]) -> Share:
    """Mean and bootstrap interval of per-item values; of nothing, zeros."""
    items = np.asarray(values, dtype=np.float64)
    if not len(items):
        return Share(0.0, 0.0, 0.0)
    drawn = np.random.default_rng(0).integers(0, len(items), (RESAMPLES, len(items)))
    low, high = np.quantile(items[drawn].mean(axis=1), [0.025, 0.975])
    return Share(float(items.mean()), float(low), float(high))
