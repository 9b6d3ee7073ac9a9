"""Boxes of several runs made one list: pure functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.boxes import iou_matrix


@dataclass(frozen=True, slots=True)
class Boxes:
    """What one run found.

    Args:
        xyxy: ``(N, 4)`` float64, pixels of the picture, x1 y1 x2 y2.
        scores: ``(N,)`` float64 in (0, 1].
        classes: ``(N,)`` int64, class numbers.
    """

    xyxy: NDArray[np.float64]
    scores: NDArray[np.float64]
    classes: NDArray[np.int64]

    def taken(self, rows: NDArray[np.int64]) -> Boxes:
        """Some of the boxes, in this order."""
        return Boxes(self.xyxy[rows], self.scores[rows], self.classes[rows])


def fused(
    parts: Sequence[Boxes],
    iou: float,
    expected: Callable[[NDArray[np.float64]], NDArray[np.bool_]] | None = None,
) -> Boxes:
    """Join runs: boxes of one class that overlap are one object.

    After weighted boxes fusion (Solovyev, Wang and Gabruseva 2021): the best box leads, the best
    overlapping one of each run joins it, sides are means weighted by score, and the score is the
    mean over all runs, where one that saw nothing counts as zero. Here a group is what overlaps
    its leader, so that no order of runs plays a part.

    Args:
        parts: one a run, at least one.
        iou: boxes of a class that overlap more belong together.
        expected: of ``(N, 4)`` boxes, ``(N, R)`` bool: which runs count as zero where they saw
            nothing; None: all.
    """
    everything = gathered(parts)
    runs = np.repeat(np.arange(len(parts)), [len(part.scores) for part in parts])
    order = np.argsort(-everything.scores, kind="stable")
    everything, runs = everything.taken(order), runs[order]
    together = _overlapping(everything, iou, same_class=True)
    free = np.ones(len(order), dtype=bool)
    xyxy: list[NDArray[np.float64]] = []
    sums: list[float] = []
    leaders: list[int] = []
    seen = np.zeros((len(order), len(parts)), dtype=bool)
    for leader in range(len(order)):
        if not free[leader]:
            continue
        group = np.flatnonzero(free & together[leader])
        free[group] = False
        # Rows come best first, so the first row of a run is its best one.
        members = group[np.unique(runs[group], return_index=True)[1]]
        weights = everything.scores[members]
        xyxy.append(weights @ everything.xyxy[members] / weights.sum())
        sums.append(float(weights.sum()))
        seen[len(leaders), runs[members]] = True
        leaders.append(leader)
    sides = np.array(xyxy, np.float64).reshape(-1, 4)
    counted = seen[: len(leaders)] | (True if expected is None else expected(sides))
    return Boxes(
        sides,
        np.array(sums, np.float64) / counted.sum(axis=1),
        everything.classes[np.array(leaders, np.int64)],
    )


def gathered(parts: Sequence[Boxes]) -> Boxes:
    """The boxes of several parts, at least one, as if one run had found them."""
    return Boxes(
        np.concatenate([part.xyxy for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.classes for part in parts]),
    )


def without_duplicates(boxes: Boxes, iou: float) -> Boxes:
    """Keep the best of boxes that overlap more, whatever their classes; best first."""
    boxes = boxes.taken(np.argsort(-boxes.scores, kind="stable"))
    together = _overlapping(boxes, iou, same_class=False)
    free = np.ones(len(boxes.scores), dtype=bool)
    kept: list[int] = []
    for row in range(len(free)):
        if free[row]:
            kept.append(row)
            free &= ~together[row]
    return boxes.taken(np.array(kept, np.int64))


def _overlapping(boxes: Boxes, iou: float, *, same_class: bool) -> NDArray[np.bool_]:
    """``(N, N)`` bool: which boxes overlap by more; each does with itself."""
    together: NDArray[np.bool_] = iou_matrix(boxes.xyxy, boxes.xyxy) > iou
    if same_class:
        together &= boxes.classes[:, None] == boxes.classes[None, :]
    np.fill_diagonal(together, val=True)
    return together
