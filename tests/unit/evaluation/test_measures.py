"""The measures, on cases small enough to work out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from embedding_pipeline.evaluation.measures import (
    average_precision,
    average_precision_of_found,
    covered_by,
    match_objects,
    precision,
    recall,
    true_classes,
)

A, B = (0.0, 0.0, 10.0, 10.0), (20.0, 20.0, 40.0, 40.0)
NEAR_A = (0.0, 0.0, 10.0, 8.0)  # IoU 0.8 with A
HALF_A = (0.0, 0.0, 10.0, 5.0)  # IoU 0.5 with A
LESS_A = (0.0, 0.0, 10.0, 4.9)  # IoU 0.49 with A

Marked = list[tuple[str, tuple[float, ...]]]


def _boxes(marked: Marked) -> np.ndarray:
    return np.array([box for _, box in marked], dtype=np.float64).reshape(-1, 4)


@pytest.mark.parametrize(
    ("truth", "found", "matched", "right"),
    [
        pytest.param([], [], [], [], id="nothing at all"),
        pytest.param([], [("cat", A)], [], [False], id="nothing marked"),
        pytest.param([("cat", A)], [], [False], [], id="nothing found"),
        pytest.param([("cat", A)], [("cat", NEAR_A)], [True], [True], id="found"),
        pytest.param([("cat", A)], [("dog", A)], [False], [False], id="wrong class"),
        pytest.param([("cat", A)], [("cat", HALF_A)], [True], [True], id="at the floor"),
        pytest.param([("cat", A)], [("cat", LESS_A)], [False], [False], id="below the floor"),
        pytest.param(
            [("cat", A), ("cat", A)], [("cat", A)], [True, False], [True], id="one finding, two"
        ),
        pytest.param(
            [("cat", A)], [("cat", NEAR_A), ("cat", A)], [True], [False, True], id="the better one"
        ),
        pytest.param(
            [("cat", A), ("cat", B)],
            [("cat", B), ("cat", NEAR_A)],
            [True, True],
            [True, True],
            id="two",
        ),
    ],
)
def test_objects_match_once_by_class_and_overlap(
    truth: Marked, found: Marked, matched: list[bool], right: list[bool]
) -> None:
    """Right class, IoU of at least one half, one finding an object and one object a finding."""
    rows, columns = match_objects(
        _boxes(truth), [label for label, _ in truth], _boxes(found), [label for label, _ in found]
    )
    assert rows.tolist() == matched
    assert columns.tolist() == right


@pytest.mark.parametrize(
    ("truth", "found", "expected"),
    [
        pytest.param([], [A], [None], id="nothing marked"),
        pytest.param([("cat", A)], [], [], id="nothing found"),
        pytest.param([("cat", A), ("dog", NEAR_A)], [NEAR_A], ["dog"], id="the nearest"),
        pytest.param([("cat", A)], [LESS_A, HALF_A], [None, "cat"], id="below and at the floor"),
        pytest.param([("cat", A)], [A, A], ["cat", "cat"], id="two on one"),
    ],
)
def test_what_a_finding_really_shows(
    truth: Marked, found: list[tuple[float, ...]], expected: list[str | None]
) -> None:
    """The class of the marked object that it overlaps most, several findings may share one."""
    boxes = np.array(found, dtype=np.float64).reshape(-1, 4)
    assert true_classes(_boxes(truth), [label for label, _ in truth], boxes) == expected


def test_a_crowd_covers_what_lies_in_it_by_half() -> None:
    """The finding's area counts, not the union; no region covers nothing."""
    found = np.array([(0.0, 0.0, 2.0, 2.0), (9.0, 0.0, 11.0, 2.0), (9.1, 0.0, 11.1, 2.0)])
    assert covered_by(np.array([A]), found).tolist() == [True, True, False]
    assert covered_by(np.zeros((0, 4)), found).tolist() == [False, False, False]


@pytest.mark.parametrize(
    ("right", "possible", "expected"),
    [
        pytest.param([True, True], 2, 1.0, id="all first"),
        pytest.param([False, True], 1, 0.5, id="second"),
        pytest.param([True, False, True], 2, (1 + 2 / 3) / 2, id="first and third"),
        pytest.param([False, False], 5, 0.0, id="none"),
        pytest.param([], 5, 0.0, id="no answer"),
        pytest.param([True] * 10, 50, 1.0, id="more possible than ranks"),
        pytest.param([False] * 10 + [True], 1, 0.0, id="eleventh"),
    ],
)
def test_average_precision(right: list[bool], possible: int, expected: float) -> None:
    """Precision at each right answer, over what was possible within ten."""
    row = np.array(right, dtype=bool)
    assert average_precision(row, possible) == pytest.approx(expected)


def test_precision_and_recall_count_what_is_missing() -> None:
    """Three right of five answers: P@10 is 0.3, recall@4 of six is 2/6."""
    right = np.array([True, False, True, False, True])
    assert precision(right) == pytest.approx(0.3)
    assert recall(right, 6, 4) == pytest.approx(2 / 6)


@pytest.mark.parametrize(
    ("right", "expected"),
    [
        pytest.param([], 0.0, id="no answer"),
        pytest.param([False, False], 0.0, id="none right"),
        pytest.param([True, False], 1.0, id="one, first"),
        # Right at ranks 1, 3, 6, 9 and 10, the example in towhee's documentation: 0.6222.
        pytest.param(
            [True, False, True, False, False, True, False, False, True, True],
            (1 + 2 / 3 + 3 / 6 + 4 / 9 + 5 / 10) / 5,
            id="five",
        ),
    ],
)
def test_average_precision_of_found(right: list[bool], expected: float) -> None:
    """Precision at each right answer, over those that were found."""
    assert average_precision_of_found(np.array(right, dtype=bool)) == pytest.approx(expected)
