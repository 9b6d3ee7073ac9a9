"""Means by picture, their intervals and their differences."""

from __future__ import annotations

import numpy as np
import pytest

from embedding_pipeline.evaluation.tallies import Difference, Figure, Tally, difference


def _tally(values: dict[str, tuple[float, float]]) -> Tally:
    tally = Tally()
    for name, (total, count) in values.items():
        tally.add(name, total, count)
    return tally


def test_mean_is_over_items_not_over_pictures() -> None:
    """One of one and one of four give two of five; adding twice adds up."""
    tally = _tally({"a": (1.0, 1.0), "b": (0.5, 2.0)})
    tally.add("b", 0.5, 2.0)
    figure = tally.figure()
    assert figure.value == pytest.approx(2 / 5)
    assert figure.items == 5
    assert 2 / 8 <= figure.low <= figure.value <= figure.high <= 1.0


def test_interval_is_the_same_every_time_and_resamples_pictures() -> None:
    """A hundred alike items of one picture have no spread; of a hundred pictures they have."""
    values = np.random.default_rng(7).random(100)
    together, apart = Tally(), Tally()
    for number, value in enumerate(values):
        together.add("one", value)
        apart.add(str(number), value)
    assert together.figure().low == pytest.approx(together.figure().high)
    assert apart.figure() == apart.figure()
    spread = apart.figure().high - apart.figure().low
    assert spread == pytest.approx(2 * 1.96 * values.std() / 10, rel=0.2)


def test_nothing_has_no_value() -> None:
    """Zeros and no items, also where pictures have no item."""
    assert Tally().figure() == Figure(0.0, 0.0, 0.0, 0)
    assert _tally({"a": (0.0, 0.0)}).figure() == Figure(0.0, 0.0, 0.0, 0)


def test_difference_is_paired() -> None:
    """A gain that every picture shows is sure, however far the pictures are apart."""
    values = np.random.default_rng(3).random(60)
    first = _tally({str(n): (value, 1.0) for n, value in enumerate(values)})
    second = _tally({str(n): (value + 0.01, 1.0) for n, value in enumerate(values)})
    found = difference(first, second)
    assert (found.value, found.low, found.high) == pytest.approx((0.01, 0.01, 0.01))
    assert found.pictures == 60


def test_difference_counts_shared_pictures_only() -> None:
    """What only one side has says nothing; without a shared picture nothing is said."""
    first, second = _tally({"a": (1.0, 1.0), "b": (0.0, 1.0)}), _tally({"a": (0.5, 1.0)})
    assert difference(first, second) == Difference(-0.5, -0.5, -0.5, 1)
    assert difference(first, Tally()).pictures == 0
