"""Geometry of boxes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedding_pipeline.domain.boxes import area, area_share, clip, iou_matrix, scale, whole
from embedding_pipeline.domain.entries import Box

coordinate = st.floats(-50, 150, allow_nan=False, width=32)
boxes = st.tuples(coordinate, coordinate, coordinate, coordinate)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        pytest.param((10, 10, 20, 20), (10, 10, 20, 20), id="inside"),
        pytest.param((-5, -5, 20, 20), (0, 0, 20, 20), id="over the border"),
        pytest.param((0, 0, 100, 80), (0, 0, 100, 80), id="whole"),
        pytest.param((200, 10, 300, 20), (100, 10, 100, 20), id="outside"),
    ],
)
def test_clip_keeps_the_part_inside(box: Box, expected: Box) -> None:
    """A box outside keeps no area."""
    assert clip(box, (100, 80)) == expected


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        pytest.param((0, 0, 10, 10), (0, 0, 10, 10), 1.0, id="same"),
        pytest.param((0, 0, 10, 10), (0, 0, 10, 5), 0.5, id="half"),
        pytest.param((0, 0, 10, 10), (10, 0, 20, 10), 0.0, id="touching"),
        pytest.param((0, 0, 10, 10), (5, 5, 15, 15), 25 / 175, id="corner"),
        pytest.param((5, 5, 5, 5), (5, 5, 5, 5), 0.0, id="no area"),
        pytest.param((9, 9, 1, 1), (0, 0, 10, 10), 0.0, id="inverted"),
    ],
)
def test_iou_of_two(a: Box, b: Box, expected: float) -> None:
    """Intersection over union, zero for boxes without area."""
    assert iou_matrix(np.array([a]), np.array([b]))[0, 0] == pytest.approx(expected)


@pytest.mark.parametrize(("n", "m"), [(0, 0), (0, 3), (2, 0), (2, 3)])
def test_iou_has_the_shape_of_both_sets(n: int, m: int) -> None:
    """Empty sets give empty matrices."""
    assert iou_matrix(np.zeros((n, 4)), np.zeros((m, 4))).shape == (n, m)


@settings(max_examples=60, derandomize=True)
@given(boxes, boxes)
def test_iou_is_symmetric_and_a_share(a: Box, b: Box) -> None:
    """For any two boxes, inverted ones included."""
    forward = iou_matrix(np.array([a]), np.array([b]))[0, 0]
    assert 0 <= forward <= 1 + 1e-9
    assert forward == pytest.approx(iou_matrix(np.array([b]), np.array([a]))[0, 0])


@settings(max_examples=60, derandomize=True)
@given(boxes)
def test_area_share_is_a_share(box: Box) -> None:
    """Whatever the box, its part inside is between nothing and all of the picture."""
    assert 0 <= area_share(box, (100, 80)) <= 1
    assert area(clip(box, (100, 80))) <= 8000


def test_whole_and_scale() -> None:
    """The whole picture covers itself, also when it is stretched."""
    assert area_share(whole((100, 80)), (100, 80)) == 1
    assert scale(whole((100, 80)), 2, 0.5) == (0, 0, 200, 40)
