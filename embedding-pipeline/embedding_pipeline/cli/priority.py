"""Leaving the machine to whoever searches: lower priority, and waiting while it is busy."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

LOOK_EVERY_S = 1.0
BACKFILL_NICE = 10


def lower_priority(by: int) -> None:
    """Give this process and its later threads a lower priority; 0 changes nothing.

    Args:
        by: what is added to its niceness, 0 to 19.
    """
    if by:
        os.nice(by)


def load_average() -> float:
    """Processes that ran or wanted to, averaged over the last minute; this one included."""
    return os.getloadavg()[0]


class LoadBrake:
    """Holds a run back while the machine has more to do than it may.

    Args:
        max_load: load average above which no further batch begins; None never holds.
        stop: ends the waiting.
        load: gives the load average.
        wait: waits for ``stop`` so many seconds.
        waiting: encloses the waiting and is given what is waited for, for displays.
    """

    def __init__(
        self,
        max_load: float | None,
        stop: threading.Event,
        *,
        load: Callable[[], float] = load_average,
        wait: Callable[[float], object] | None = None,
        waiting: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext(),
    ) -> None:
        self._max_load = max_load
        self._stop = stop
        self._load = load
        self._wait = wait or stop.wait
        self._waiting = waiting

    def hold(self) -> None:
        """Return as soon as the load allows, or the run is to stop."""
        if self._max_load is None or not self._is_too_much():
            return
        with self._waiting(f"the machine's load is above {self._max_load:g}"):
            while not self._stop.is_set():
                self._wait(LOOK_EVERY_S)
                if not self._is_too_much():
                    return

    def _is_too_much(self) -> bool:
        return self._max_load is not None and self._load() > self._max_load
