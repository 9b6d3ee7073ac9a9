"""Token buckets for requests and failed logins, and the limit on simultaneous decodes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from minio_proxy.errors import TooManyRequests

MAX_BUCKETS = 10_000


class TokenBuckets:
    """One bucket per name, refilled evenly; memory is bounded by forgetting the oldest.

    Args:
        per_minute: tokens that come back a minute, and the most a bucket holds; 0: no limit.
        clock: seconds that only grow.
    """

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity = float(per_minute)
        self._per_s = per_minute / 60
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, name: str) -> float:
        """Take a token: 0.0 when there was one, else the seconds until there is one."""
        if self._capacity <= 0:
            return 0.0
        with self._lock:
            now = self._clock()
            tokens, seen = self._buckets.pop(name, (self._capacity, now))
            tokens = min(self._capacity, tokens + (now - seen) * self._per_s)
            granted = tokens >= 1
            self._buckets[name] = (tokens - 1 if granted else tokens, now)
            if len(self._buckets) > MAX_BUCKETS:
                self._buckets.popitem(last=False)
            return 0.0 if granted else (1 - tokens) / self._per_s


class DecodeLimiter:
    """At most ``running`` decodes at once; some more wait briefly, the rest are told to return.

    Waiting happens in the event loop, so it holds no thread. One event loop per limiter.

    Args:
        running: decodes at once.
        waiting: requests that may wait for their turn.
        patience_s: how long they wait.
    """

    def __init__(self, running: int, *, waiting: int | None = None, patience_s: float = 10) -> None:
        self._running = running
        self._waiting = 8 * running if waiting is None else waiting
        self._patience_s = patience_s
        self._queue: deque[asyncio.Future[None]] = deque()
        self.in_flight = 0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold one of the slots.

        Raises:
            TooManyRequests: too many wait already, or the turn did not come in time.
        """
        await self._acquire()
        try:
            yield
        finally:
            self._release()

    async def _acquire(self) -> None:
        if self.in_flight < self._running:
            self.in_flight += 1
            return
        if len(self._queue) >= self._waiting:
            raise _busy()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            await asyncio.wait_for(asyncio.shield(turn), self._patience_s)
        except BaseException as exc:
            if turn.done():
                self._release()  # the turn came at the same moment: pass it on
            else:
                self._queue.remove(turn)
            if isinstance(exc, TimeoutError):
                raise _busy() from exc
            raise

    def _release(self) -> None:
        if self._queue:
            self._queue.popleft().set_result(None)  # the slot goes straight to the next
        else:
            self.in_flight -= 1


def _busy() -> TooManyRequests:
    return TooManyRequests("Too many pictures are being decoded; try again.", retry_after_s=1)
