"""The size of a call on a GPU, with a clock and costs that are made up."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from embedding_pipeline.models.batch_size import fitting
from embedding_pipeline.models.detector_network import LEAST_SCORE, sifted
from embedding_pipeline.settings import Settings


class Card:
    """A made-up card: a call takes a start and so much an input.

    Args:
        start_s: of any call.
        input_s: of each input.
        filled: inputs that are computed side by side.
        most: inputs that fit.
    """

    def __init__(self, start_s: float, input_s: float, filled: int = 1, most: int = 10**6) -> None:
        self.now = 0.0
        self.tried: list[int] = []
        self._costs = (start_s, input_s, filled, most)

    def call(self, size: int) -> None:
        """Take as long as so many inputs take."""
        start_s, input_s, filled, most = self._costs
        if size > most:
            raise torch.OutOfMemoryError
        self.tried.append(size)
        self.now += start_s + input_s * -(-size // filled)

    def fitting(self) -> int:
        """What is chosen for it."""
        return fitting(self.call, clock=lambda: self.now)


@pytest.mark.parametrize(
    ("card", "size"),
    [
        pytest.param(Card(0.0, 1.0), 1, id="a-processor-gains-nothing"),
        pytest.param(Card(10.0, 1e-9), 256, id="all-is-starting"),
        pytest.param(Card(0.0, 1.0, filled=32), 32, id="full-with-32"),
        pytest.param(Card(10.0, 1e-9, most=40), 32, id="memory-ends-it"),
    ],
)
def test_the_smallest_that_fills_the_card(card: Card, size: int) -> None:
    """No larger than pays, no larger than fits."""
    assert card.fitting() == size


def test_it_stops_where_nothing_is_gained() -> None:
    """Two sizes in a row without gain end it: the largest are never allocated."""
    card = Card(0.0, 1.0)
    card.fitting()
    assert max(card.tried) == 4


def test_no_floor_is_below_what_stays_behind() -> None:
    """So what a description wants is never left on the card."""
    assert Settings(score_floor=LEAST_SCORE).score_floor == LEAST_SCORE
    with pytest.raises(ValidationError):
        Settings(score_floor=LEAST_SCORE / 2)


def test_what_cannot_be_a_detection_stays_behind() -> None:
    """Anchors are dropped by their best class; the others keep order and values."""
    rows = torch.zeros(2, 4 + 3, 5)
    rows[:, :4] = torch.arange(5.0)
    rows[0, 4, 1], rows[0, 6, 3], rows[1, 5, 4] = 0.5, 0.2, LEAST_SCORE / 2
    first, second = sifted(rows, 3)
    assert first.shape == (7, 2)
    assert first[:4].tolist() == [[1.0, 3.0]] * 4
    assert first[4:] == pytest.approx(np.array([[0.5, 0.0], [0.0, 0.0], [0.0, 0.2]]))
    assert second.shape == (7, 0)
