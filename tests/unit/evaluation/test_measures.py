"""The measures, on cases small enough to work out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from embedding_pipeline.evaluation.measures import (
    average_precision,
    match_objects,
    retrieval,
    share,
)

A, B = (0.0, 0.0, 10.0, 10.0), (20.0, 20.0, 40.0, 40.0)
NEAR_A = (0.0, 0.0, 10.0, 8.0)  # IoU 0.8 with A
HALF_A = (0.0, 0.0, 10.0, 5.0)  # IoU 0.5 with A
LESS_A = (0.0, 0.0, 10.0, 4.9)  # IoU 0.49 with A


@pytest.mark.parametrize(
    ("truth", "found", "expected"),
    [
        pytest.param([], [], [], id="nothing at all"),
        pytest.param([], [("cat", A)], [], id="nothing marked"),
        pytest.param([("cat", A)], [], [False], id="nothing found"),
        pytest.param([("cat", A)], [("cat", NEAR_A)], [True], id="found"),
        pytest.param([("cat", A)], [("dog", A)], [False], id="wrong class"),
        pytest.param([("cat", A)], [("cat", HALF_A)], [True], id="at the floor"),
        pytest.param([("cat", A)], [("cat", LESS_A)], [False], id="below the floor"),
        pytest.param([("cat", A), ("cat", A)], [("cat", A)], [True, False], id="one finding, two"),
        pytest.param(
            [("cat", A), ("cat", B)], [("cat", B), ("cat", NEAR_A)], [True, True], id="two"
        ),
    ],
)
def test_objects_match_once_by_class_and_overlap(
    truth: list[tuple[str, tuple[float, ...]]],
    found: list[tuple[str, tuple[float, ...]]],
    expected: list[bool],
) -> None:
    """Right class, IoU of at least one half, one finding an object."""
    matched = match_objects(
        np.array([box for _, box in truth], dtype=np.float64).reshape(-1, 4),
        [label for label, _ in truth],
        np.array([box for _, box in found], dtype=np.float64).reshape(-1, 4),
        [label for label, _ in found],
    )
    assert matched.tolist() == expected


@pytest.mark.parametrize(
    ("right", "possible", "expected"),
    [
        pytest.param([True, True], 2, 1.0, id="all first"),
        pytest.param([False, True], 1, 0.5, id="second"),
        pytest.param([True, False, True], 2, (1 + 2 / 3) / 2, id="first and third"),
        pytest.param([False, False], 5, 0.0, id="none"),
        pytest.param([True] * 10, 50, 1.0, id="more possible than ranks"),
    ],
)
def test_average_precision(right: list[bool], possible: int, expected: float) -> None:
    """Precision at each right answer, over what was possible within ten."""
    assert average_precision(np.array(right), possible) == pytest.approx(expected)


def test_retrieval_never_answers_with_the_querys_own_picture() -> None:
    """Two cats in one picture are no answer to each other; a class seen once asks nothing."""
    vectors = np.eye(4, dtype=np.float32)
    vectors[1] = vectors[0]
    alone = retrieval(vectors, ["cat", "cat", "dog", "owl"], [0, 0, 1, 2])
    assert alone.queries == 0
    both = retrieval(vectors, ["cat", "cat", "dog", "owl"], [0, 1, 1, 2])
    assert both.queries == 2
    assert both.precision.value == pytest.approx(0.1)
    assert both.mean_average_precision.value == pytest.approx(1.0)


def test_interval_holds_the_mean_and_is_the_same_every_time() -> None:
    """The bootstrap is seeded; one value has no spread; no value is no error."""
    values = np.random.default_rng(7).random(200)
    one = share(values)
    assert one == share(values)
    assert one.low < one.value < one.high
    assert share([0.5]).low == share([0.5]).high == 0.5
    assert share([]).value == 0.0
