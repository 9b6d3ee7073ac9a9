"""Boxes of several runs made one list."""

from __future__ import annotations

import numpy as np
import pytest

from embedding_pipeline.models.box_fusion import Boxes, fused, without_duplicates


def boxes(*rows: tuple[float, float, float, float, float, int]) -> Boxes:
    """Boxes from rows of x1, y1, x2, y2, score, class."""
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Boxes(table[:, :4], table[:, 4], table[:, 5].astype(np.int64))


def rows(found: Boxes) -> list[tuple[float, ...]]:
    """Rows of boxes, for comparing."""
    table = np.column_stack((found.xyxy, found.scores, found.classes))
    return [tuple(row) for row in np.round(table, 6).tolist()]


def test_runs_that_agree_give_the_mean() -> None:
    """Sides are weighted by score, and the score is the mean."""
    joined = fused([boxes((0, 0, 10, 10, 0.6, 1)), boxes((0, 0, 12, 10, 0.3, 1))], 0.5)
    assert rows(joined) == [(0, 0, pytest.approx(10.666667), 10, pytest.approx(0.45), 1)]


def test_what_one_run_alone_sees_counts_less() -> None:
    """The others count as zero."""
    joined = fused([boxes((0, 0, 10, 10, 0.6, 1)), boxes(), boxes()], 0.5)
    assert rows(joined) == [(0, 0, 10, 10, pytest.approx(0.2), 1)]


def test_a_run_that_could_not_see_does_not_count() -> None:
    """Only those that are expected to see a box divide its score; who saw it counts anyway."""
    parts = [boxes((0, 0, 10, 10, 0.6, 1)), boxes((50, 0, 60, 10, 0.4, 1)), boxes()]
    joined = fused(parts, 0.5, lambda xyxy: np.array([[False, False, True]] * len(xyxy), bool))
    assert [row[4] for row in rows(joined)] == [0.3, 0.2]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param((0, 0, 10, 10, 0.3, 2), id="another class"),
        pytest.param((0, 0, 10, 5, 0.3, 1), id="an overlap of the bound itself"),
        pytest.param((50, 50, 60, 60, 0.3, 1), id="elsewhere"),
    ],
)
def test_other_objects_stay_apart(other: tuple[float, float, float, float, float, int]) -> None:
    """Only boxes of one class that overlap by more than the bound are one object."""
    joined = fused([boxes((0, 0, 10, 10, 0.6, 1)), boxes(other)], 0.5)
    assert [row[4:] for row in rows(joined)] == [(0.3, 1), (0.15, other[5])]


def test_each_run_has_one_say_in_a_group() -> None:
    """Two boxes of one run over one object: the best one counts, the other is gone."""
    run = boxes((0, 0, 10, 10, 0.8, 1), (0, 0, 10, 9, 0.7, 1))
    assert rows(fused([run, boxes()], 0.5)) == [(0, 0, 10, 10, pytest.approx(0.4), 1)]


def test_the_order_of_runs_plays_no_part() -> None:
    """Any order gives the same boxes."""
    rng = np.random.default_rng(3)
    parts = []
    for _ in range(3):
        corner = rng.uniform(0, 50, (20, 2))
        xyxy = np.concatenate((corner, corner + rng.uniform(5, 40, (20, 2))), axis=1)
        parts.append(Boxes(xyxy, rng.uniform(0.1, 1, 20), rng.integers(0, 3, 20)))
    expected = sorted(rows(fused(parts, 0.4)))
    assert sorted(rows(fused(parts[::-1], 0.4))) == expected
    assert 20 <= len(expected) < 60


def test_nothing_gives_nothing() -> None:
    """Empty runs give empty boxes of the right shape."""
    joined = fused([boxes(), boxes()], 0.5)
    assert (joined.xyxy.shape, joined.scores.shape, joined.classes.shape) == ((0, 4), (0,), (0,))
    assert without_duplicates(joined, 0.5).xyxy.shape == (0, 4)


def test_duplicates_of_any_class_leave_the_best() -> None:
    """The better of a cat and a dog in one box stays."""
    found = boxes((0, 0, 10, 10, 0.5, 1), (0, 0, 10, 9, 0.7, 2), (20, 0, 30, 10, 0.1, 1))
    assert rows(without_duplicates(found, 0.8)) == [
        (0, 0, 10, 9, 0.7, 2),
        (20, 0, 30, 10, 0.1, 1),
    ]
