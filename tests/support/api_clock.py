"""A clock that only tests move."""

from __future__ import annotations


class ManualClock:
    """Seconds, as time.time and time.monotonic give them.

    Args:
        now: where it starts.
    """

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Tell the time."""
        return self.now
