"""Model work in pieces, so that nobody waits long for a turn at the models."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from embedding_pipeline.pipeline.turns import Turn


class PieceSize:
    """How many items make a piece of about ``longest_s``, learnt from the pieces before.

    Args:
        least: items of a piece, however long they take.
        most: items of a piece, however short they take.
    """

    def __init__(self, *, least: int, most: int) -> None:
        self._least = least
        self._most = most
        self._item_s = 0.0

    def __call__(self, count: int, longest_s: float) -> int:
        """Items of the next piece.

        Pieces get as equal as can be, and none gets smaller than ``least``.

        Args:
            count: items that are left, one at least.
            longest_s: what a piece may take.
        """
        wanted = self._least
        if self._item_s > 0:
            wanted = max(self._least, min(self._most, int(longest_s / self._item_s)))
        return count // max(1, min(-(-count // wanted), count // self._least))

    def took(self, items: int, seconds: float) -> None:
        """Learn from a piece."""
        each = seconds / items
        self._item_s = each if self._item_s <= 0 else 0.75 * self._item_s + 0.25 * each


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
        results: list[Any] = []
        done = 0
        while done < len(items):
            left, longest_s = len(items) - done, turn.longest_s
            size = left if longest_s is None else self._size(left, longest_s)
            results.append(self._piece(turn, items[done : done + size]))
            done += size
        return results

    def _piece(self, turn: Turn, items: Any) -> Any:
        def work() -> Any:
            started = time.perf_counter()
            result = self._function(items)
            self._size.took(len(items), time.perf_counter() - started)
            return result

        return turn(work)
