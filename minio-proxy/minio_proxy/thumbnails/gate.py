"""How many pictures may be decoded at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from minio_proxy.errors import TooManyRequests


class DecodeGate:
    """Lets a number of threads in; more wait briefly and are then told to come again.

    Args:
        places: threads inside at once.
        wait_s: how long one more waits for a place.
        retry_after_s: when the refused are told to come again.
    """

    def __init__(self, places: int, *, wait_s: float = 2.0, retry_after_s: int = 1) -> None:
        self._places = threading.BoundedSemaphore(places)
        self._wait_s = wait_s
        self._retry_after_s = retry_after_s

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place; TooManyRequests when none gets free in time."""
        if not self._places.acquire(timeout=self._wait_s):
            raise TooManyRequests(
                "Too many pictures are being decoded; try again shortly.",
                retry_after_s=self._retry_after_s,
            )
        try:
            yield
        finally:
            self._places.release()
