"""Model work in pieces, so that nobody waits long for a turn at the models."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from embedding_pipeline.pipeline.turns import Turn

LONGEST_PIECE_S = 0.05
"""How long a piece of background work may take: what a search waits for at most.

About a third of what a search by an uploaded picture takes with the packaged models. One
picture's detection and two crops of a large network may take longer and are not divided.
"""


class PieceSize:
    """How many items make a piece of about ``longest_s``, learnt from the pieces before.

    Args:
        least: items of a piece, however long they take.
        most: items of a piece, however short they take.
        longest_s: what a piece may take.
    """

    def __init__(self, *, least: int, most: int, longest_s: float = LONGEST_PIECE_S) -> None:
        self._least = least
        self._most = most
        self._longest_s = longest_s
        self._item_s = 0.0

    def __call__(self) -> int:
        """Items that the next piece should have."""
        if self._item_s <= 0:
            return self._least
        return max(self._least, min(self._most, int(self._longest_s / self._item_s)))

    def took(self, items: int, seconds: float) -> None:
        """Learn from a piece."""
        each = seconds / items
        self._item_s = each if self._item_s <= 0 else 0.75 * self._item_s + 0.25 * each

    def parts(self, count: int) -> Iterator[slice]:
        """Divide so many items into parts as equal as can be, none smaller than ``least``."""
        pieces = max(1, min(-(-count // self()), count // self._least))
        for number in range(pieces):
            yield slice(count * number // pieces, count * (number + 1) // pieces)


class InPieces:
    """A model's function, called with everything, or in pieces where the turn is shared.

    Args:
        function: from a sequence of items to as many results; an item's result does not
            depend on its neighbours.
        size: of the pieces.
    """

    def __init__(self, function: Callable[[Any], Any], size: PieceSize) -> None:
        self._function = function
        self._size = size

    def __call__(self, turn: Turn, items: Any) -> list[Any]:
        """What the function gives for each piece of a list or array, in order."""
        parts = self._size.parts(len(items)) if turn.shared else [slice(None)]
        return [self._piece(turn, items[part]) for part in parts]

    def _piece(self, turn: Turn, items: Any) -> Any:
        def work() -> Any:
            started = time.perf_counter()
            result = self._function(items)
            self._size.took(len(items), time.perf_counter() - started)
            return result

        return turn(work)
