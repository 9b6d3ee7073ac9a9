"""How many pictures go to the index in one write."""

from __future__ import annotations

GROWTH = 1.1
"""A doubled bulk must be at least this much faster, else doubling ends."""


class BulkSize:
    """Doubles as long as larger bulks are faster.

    Args:
        first: pictures of the first bulks.
        most: never more than this.
    """

    def __init__(self, first: int, most: int) -> None:
        self._size = min(first, most)
        self._most = most
        self._best_rate = 0.0
        self._growing = True

    @property
    def size(self) -> int:
        """Pictures that the next bulk should have."""
        return self._size

    def measured(self, pictures: int, elapsed_s: float) -> None:
        """Learn from a write; one that was not full says nothing about its size."""
        if not self._growing or pictures < self._size:
            return
        rate = pictures / max(elapsed_s, 1e-9)
        if rate < self._best_rate * GROWTH:
            self._growing = False
            return
        self._best_rate = rate
        self._size = min(self._size * 2, self._most)
        self._growing = self._size < self._most
