from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from embedding_pipeline.models.letterbox import (
    fit_described,
    fit_shape,
    fit_stretched,
    place,
    to_picture,
)
from support.models_fakes import fake_description

HOW = replace(fake_description().detector, input_size=640)


@pytest.mark.parametrize(
    ("size_wh", "shape_hw"),
    [
        pytest.param((640, 480), (480, 640), id="exact"),
        pytest.param((810, 1080), (640, 480), id="shrunk"),
        pytest.param((520, 390), (480, 640), id="enlarged"),
        pytest.param((64, 48), (64, 96), id="enlarged-a-little"),
        pytest.param((500, 333), (416, 640), id="padded"),
        pytest.param((1, 1), (32, 32), id="one-pixel"),
        pytest.param((1, 20_000), (640, 32), id="thread"),
        pytest.param((20_000, 1), (32, 640), id="lying-thread"),
    ],
)
def test_the_input_is_the_smallest_that_holds_the_picture(
    size_wh: tuple[int, int], shape_hw: tuple[int, int]
) -> None:
    """Multiples of the stride; small pictures are enlarged by a quarter at most."""
    fit = fit_described(size_wh, HOW, 32)
    assert fit.shape_hw == shape_hw
    assert max(fit.inner_wh) == min(640, round(max(size_wh) * 1.25))
    image = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    assert place(image, fit).shape == (*shape_hw, 3)


@pytest.mark.parametrize("size_wh", [(640, 480), (333, 500), (8, 8), (1, 20_000)], ids=str)
def test_a_square_input_has_one_shape(size_wh: tuple[int, int]) -> None:
    """Any picture lies in the middle of it, as large as in its rectangle."""
    how = replace(HOW, square=True, input_size=650)
    fit = fit_described(size_wh, how, 32)
    assert fit.shape_hw == (672, 672)
    assert fit.inner_wh == fit_described(size_wh, replace(how, square=False), 32).inner_wh
    placed = place(np.zeros((size_wh[1], size_wh[0], 3), np.uint8), fit)
    assert placed.shape == (672, 672, 3)
    rows, columns = np.nonzero(placed[..., 0] == 0)
    assert (rows.min(), columns.min()) == (fit.top, fit.left)
    assert abs(fit.top - (671 - rows.max())) <= 1
    assert abs(fit.left - (671 - columns.max())) <= 1


@pytest.mark.parametrize("how", ["rectangle", "square", "shape", "stretched"])
def test_boxes_come_back_to_where_they_were(how: str) -> None:
    """Mapping a box into the input and back moves it by no more than the rounding."""
    size_wh = (500, 333)
    fit = {
        "rectangle": fit_described(size_wh, HOW, 32),
        "square": fit_described(size_wh, replace(HOW, square=True), 32),
        "shape": fit_shape(size_wh, (640, 640)),
        "stretched": fit_stretched(size_wh, (640, 640)),
    }[how]
    box = np.array([[10.0, 20.0, 300.5, 222.25]])
    factors = np.array([fit.inner_wh[0] / 500, fit.inner_wh[1] / 333] * 2)
    inside = (box * factors + [fit.left, fit.top] * 2).astype(np.float32)
    assert to_picture(inside, fit) == pytest.approx(box, abs=0.011)


def test_boxes_are_clipped_and_none_stay_none() -> None:
    """What lies in the padding or outside is cut to the picture; the empty array stays so."""
    fit = fit_described((100, 50), HOW, 32)
    outside = np.array([[-50, -50, 10_000, 10_000]], np.float32)
    assert to_picture(outside, fit).tolist() == [[0, 0, 100, 50]]
    assert to_picture(np.zeros((0, 4), np.float32), fit).shape == (0, 4)
