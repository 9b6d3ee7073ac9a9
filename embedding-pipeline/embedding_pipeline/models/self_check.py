"""Whether a cheaper precision finds what fp32 finds, judged on sample crops without labels.

The classes that people would mark are not known, but the detector names every crop, and its
names are right for 96 of 100. So P@10 and mAP@10 are measured with its names as classes ("same
name in another picture counts") for both precisions, on the same crops: what the detector gets
wrong is wrong for both. That alone would not notice a network that mixes up crops of one name,
so both must also agree about which crops are nearest at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RANKS = 10
LARGEST_LOSS = 0.01
"""What P@10 and mAP@10 may lose: one point."""

_ROUNDING = 1e-9
FEWEST_QUERIES = 30
"""Crops whose name occurs in another picture; fewer tell nothing."""

LEAST_OVERLAP = 0.5
"""Share of the ten nearest crops that both precisions must have in common. tf_efficientnet_lite0,
whose P@10 stays within half a point in int8, has 0.72 on 488 marked crops of COCO128; neighbours
that are all nearly as near change places."""


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """Retrieval in fp32 and in a cheaper precision, on the same crops.

    Args:
        queries: crops that were searched for.
        precision: P@10 of fp32 and of the cheaper one.
        mean_average_precision: mAP@10 likewise.
        overlap: share of the ten nearest that are the same, mean over all crops.
    """

    queries: int
    precision: tuple[float, float]
    mean_average_precision: tuple[float, float]
    overlap: float

    @property
    def passed(self) -> bool:
        """Enough was measured, and it loses no more than one point."""
        losses = (before - after for before, after in (self.precision, self.mean_average_precision))
        return (
            self.queries >= FEWEST_QUERIES
            and self.overlap >= LEAST_OVERLAP
            and all(loss <= LARGEST_LOSS + _ROUNDING for loss in losses)
        )

    def __str__(self) -> str:
        (p, p_after), (m, m_after) = self.precision, self.mean_average_precision
        return (
            f"P@10 {p:.3f} -> {p_after:.3f}, mAP@10 {m:.3f} -> {m_after:.3f}, "
            f"{self.overlap:.0%} of the nearest the same, {self.queries} queries"
        )


def self_check(
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    labels: Sequence[str | None],
    pictures: NDArray[np.int64],
) -> SelfCheck:
    """Compare two precisions of one network.

    Args:
        before: ``(N, D)`` vectors of fp32, of any length.
        after: ``(N, D)`` vectors of the cheaper precision.
        labels: N names; None is no query and never right.
        pictures: ``(N,)`` the picture of each crop; crops of one picture never answer each other.
    """
    rankings = [_rankings(vectors, pictures) for vectors in (before, after)]
    same = np.array([[a is not None and a == b for b in labels] for a in labels], bool)
    same = same.reshape(len(labels), len(labels)) & (pictures[:, None] != pictures[None, :])
    possible = same.sum(axis=1)
    asked = np.flatnonzero(possible)
    scores = [_scores(ranking, same, possible, asked) for ranking in rankings]
    shared = [len(set(a) & set(b)) / len(a) for a, b in zip(*rankings, strict=True) if len(a)]
    return SelfCheck(
        queries=len(asked),
        precision=(scores[0][0], scores[1][0]),
        mean_average_precision=(scores[0][1], scores[1][1]),
        overlap=float(np.mean(shared)) if shared else 0.0,
    )


def _rankings(vectors: NDArray[np.float32], pictures: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """For each crop the up to ten nearest of other pictures, nearest first."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
    cosines = units @ units.T
    cosines[pictures[:, None] == pictures[None, :]] = -np.inf
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :RANKS]
    return [
        row[np.isfinite(cosines[number, row])].astype(np.int64) for number, row in enumerate(order)
    ]


def _scores(
    rankings: Sequence[NDArray[np.int64]],
    same: NDArray[np.bool_],
    possible: NDArray[np.int64],
    asked: NDArray[np.int64],
) -> tuple[float, float]:
    """P@10 and mAP@10 (as in evaluation/measures.py); zeros without queries."""
    precisions, averages = [0.0], [0.0]
    if len(asked):
        precisions, averages = [], []
    for query in asked:
        right = same[query, rankings[query]]
        precisions.append(float(right.sum()) / RANKS)
        at_rank = np.cumsum(right) / np.arange(1, len(right) + 1)
        averages.append(float((at_rank * right).sum()) / min(RANKS, int(possible[query])))
    return float(np.mean(precisions)), float(np.mean(averages))
