"""One computation for many who ask for the same thing at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Runs a computation once per key, whoever asks while it runs gets its result or error.

    Nothing is remembered: who asks after the end starts anew.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flying: dict[str, Future[T]] = {}

    def do(self, key: str, compute: Callable[[], T]) -> T:
        """Compute, or wait for the thread that computes the same key already."""
        with self._lock:
            flight = self._flying.get(key)
            mine = flight is None
            if flight is None:
                flight = self._flying[key] = Future()
        if mine:
            self._compute(key, flight, compute)
        return flight.result()

    def _compute(self, key: str, flight: Future[T], compute: Callable[[], T]) -> None:
        try:
            result = compute()
        except BaseException as exc:  # noqa: BLE001 - whoever waits must get it, whatever it is
            self._land(key)
            flight.set_exception(exc)
        else:
            self._land(key)
            flight.set_result(result)

    def _land(self, key: str) -> None:
        with self._lock:
            del self._flying[key]
