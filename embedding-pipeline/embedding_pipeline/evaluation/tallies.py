"""Means over pictures with bootstrap intervals, alone and paired; pure functions.

The pictures are resampled, not the objects or queries in them: objects of one picture are alike,
and intervals that took them for independent would be too narrow (Efron and Tibshirani 1993,
chapter 8, on resampling the unit that was sampled).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
QUANTILES = (0.025, 0.975)
_SEED = 0


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean with its bootstrap interval.

    Args:
        value: the mean.
        low: 2.5 % quantile of the means of 1,000 seeded resamples of the pictures.
        high: 97.5 % quantile.
        items: how many objects, documents or queries it is the mean of; with 0 the rest says
            nothing.
    """

    value: float
    low: float
    high: float
    items: int


@dataclass(frozen=True, slots=True)
class Difference:
    """How much the second of two tallies is above the first, on the same pictures.

    Args:
        value: second mean less first.
        low: 2.5 % quantile of the differences of 1,000 resamples, both drawn alike.
        high: 97.5 % quantile; an interval without 0 is a difference that pictures of this kind
            would show again.
        pictures: that both have.
    """

    value: float
    low: float
    high: float
    pictures: int

    def verdict(self, *, more_is_better: bool | None) -> str:
        """In one or two words: unclear, or better or worse, or, where neither is, more or less."""
        if self.low <= 0.0 <= self.high:
            return "unclear"
        if more_is_better is None:
            return "more" if self.value > 0 else "less"
        return "better" if (self.value > 0) == more_is_better else "worse"


@dataclass(slots=True)
class Tally:
    """Sums by picture, from which a mean, its interval and differences follow.

    Args:
        sums: by picture, the sum of what was measured in it.
        counts: by picture, how many items that sum is of.
    """

    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, float] = field(default_factory=dict)

    def add(self, picture: str, total: float, count: float = 1.0) -> None:
        """Add items of a picture: their sum and their number."""
        self.sums[picture] = self.sums.get(picture, 0.0) + total
        self.counts[picture] = self.counts.get(picture, 0.0) + count

    @property
    def mean(self) -> float:
        """Mean of all items; 0.0 of none."""
        count = sum(self.counts.values())
        return sum(self.sums.values()) / count if count else 0.0

    def figure(self) -> Figure:
        """The mean with its interval; of nothing, zeros."""
        items = round(sum(self.counts.values()))
        if not items:
            return Figure(0.0, 0.0, 0.0, 0)
        means = _means(*self._columns(sorted(self.counts)))
        low, high = np.quantile(means, QUANTILES)
        return Figure(self.mean, float(low), float(high), items)

    def _columns(self, pictures: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        sums = np.array([self.sums[name] for name in pictures], dtype=np.float64)
        counts = np.array([self.counts[name] for name in pictures], dtype=np.float64)
        return sums, counts


def difference(first: Tally, second: Tally) -> Difference:
    """Paired bootstrap: both tallies are resampled with the same draws of pictures.

    Only pictures that both have count; of none, zeros.
    """
    pictures = sorted(set(first.counts) & set(second.counts))
    if not pictures:
        return Difference(0.0, 0.0, 0.0, 0)
    one, other = first._columns(pictures), second._columns(pictures)  # noqa: SLF001 - same module
    value = _ratio(*other) - _ratio(*one)
    differences = _means(*other) - _means(*one)
    low, high = np.quantile(differences, QUANTILES)
    return Difference(value, float(low), float(high), len(pictures))


def _ratio(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> float:
    return float(sums.sum() / counts.sum()) if counts.sum() else 0.0


def _means(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(RESAMPLES,)`` means; a resample without an item has the mean of all."""
    generator = np.random.default_rng(_SEED)
    means = np.full(RESAMPLES, _ratio(sums, counts))
    for row in range(RESAMPLES):
        drawn = generator.integers(0, len(sums), len(sums))
        count = counts[drawn].sum()
        if count:
            means[row] = sums[drawn].sum() / count
    return means
