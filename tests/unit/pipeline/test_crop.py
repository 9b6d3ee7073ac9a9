from __future__ import annotations

import numpy as np
import pytest

from embedding_pipeline.pipeline.crop import cut, fill_of


def _halves() -> np.ndarray:
    """A 40x20 picture: left half red, right half blue."""
    rgb = np.zeros((20, 40, 3), np.uint8)
    rgb[:, :20, 0] = 255
    rgb[:, 20:, 2] = 255
    return rgb


def test_letterbox_keeps_the_shape_and_pads_with_the_fill() -> None:
    """A 2:1 box fills the width and half of the height, the rest is padding."""
    square = cut(_halves(), (0, 0, 40, 20), rule="letterbox", size=40, fill=(1, 2, 3))
    assert square.shape == (40, 40, 3)
    assert (square[:10] == (1, 2, 3)).all()
    assert (square[30:] == (1, 2, 3)).all()
    assert (square[10:30, :19] == (255, 0, 0)).all()
    assert (square[10:30, 21:] == (0, 0, 255)).all()


def test_squash_fills_the_square() -> None:
    """No padding: the box is stretched."""
    square = cut(_halves(), (0, 0, 40, 20), rule="squash", size=40)
    assert (square[:, :18] == (255, 0, 0)).all()
    assert (square[:, 22:] == (0, 0, 255)).all()


def test_center_cuts_the_middle() -> None:
    """The shorter side fills the square, the longer one is cut on both ends alike."""
    square = cut(_halves(), (0, 0, 40, 20), rule="center", size=20)
    assert (square == _halves()[:, 10:30]).all()


@pytest.mark.parametrize(
    "box",
    [
        pytest.param((5.0, 5.0, 5.2, 5.2), id="less-than-a-pixel"),
        pytest.param((39.9, 19.9, 40.0, 20.0), id="last-pixel"),
        pytest.param((-5.0, -5.0, 3.0, 3.0), id="over-the-edge"),
        pytest.param((0.0, 0.0, 40.0, 1.0), id="thin"),
    ],
)
@pytest.mark.parametrize("rule", ["letterbox", "squash", "center"])
def test_every_box_gives_a_square(box: tuple[float, float, float, float], rule: str) -> None:
    """Tiny, thin and overhanging boxes give a contiguous square of the asked size."""
    square = cut(_halves(), box, rule=rule, size=32)  # type: ignore[arg-type]
    assert square.shape == (32, 32, 3)
    assert square.dtype == np.uint8
    assert square.flags["C_CONTIGUOUS"]


def test_margin_takes_more_of_the_picture() -> None:
    """Half of the side is added on every side, as far as there is picture."""
    rgb = np.arange(20 * 40 * 3, dtype=np.uint64).astype(np.uint8).reshape(20, 40, 3)
    grown = cut(rgb, (10, 5, 20, 15), rule="squash", size=20, margin=0.5)
    assert (grown == rgb[0:20, 5:25]).all()


def test_fill_is_the_mean_color() -> None:
    """The embedder's mean in [0, 1] becomes its uint8 colour."""
    assert fill_of((0.5, 0.0, 1.0)) == (128, 0, 255)
