from __future__ import annotations

import asyncio

import pytest

from minio_proxy.access.limits import MAX_BUCKETS, DecodeLimiter, TokenBuckets
from minio_proxy.errors import TooManyRequests
from support.proxy_services import Clock


def test_a_bucket_empties_and_refills() -> None:
    """After its tokens are used, one comes back every 60/rate seconds."""
    clock = Clock()
    buckets = TokenBuckets(60, clock=clock)
    assert [buckets.take("a") for _ in range(60)] == [0.0] * 60
    assert buckets.take("a") == pytest.approx(1.0)
    assert buckets.take("b") == 0.0
    clock.now += 1.0
    assert buckets.take("a") == 0.0
    assert buckets.take("a") > 0


def test_a_bucket_never_holds_more_than_a_minute() -> None:
    """A day of silence does not allow a day's requests at once."""
    clock = Clock()
    buckets = TokenBuckets(3, clock=clock)
    clock.now += 86_400
    assert [buckets.take("a") > 0 for _ in range(4)] == [False, False, False, True]


def test_zero_means_no_limit() -> None:
    """A rate of 0 switches the limit off."""
    buckets = TokenBuckets(0)
    assert all(buckets.take("a") == 0.0 for _ in range(1000))


def test_buckets_are_bounded() -> None:
    """A client that invents names does not fill the memory."""
    buckets = TokenBuckets(1)
    for name in range(MAX_BUCKETS + 50):
        buckets.take(str(name))
    assert len(buckets._buckets) == MAX_BUCKETS


async def _hold(limiter: DecodeLimiter, release: asyncio.Event, most: list[int]) -> None:
    async with limiter.slot():
        most.append(limiter.in_flight)
        await release.wait()


def test_no_more_run_at_once_than_allowed() -> None:
    """Two run, the third waits for its turn and gets it."""

    async def scenario() -> list[int]:
        limiter = DecodeLimiter(2, waiting=5)
        release, seen = asyncio.Event(), list[int]()
        tasks = [asyncio.create_task(_hold(limiter, release, seen)) for _ in range(5)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(seen) == 2
        release.set()
        await asyncio.gather(*tasks)
        assert limiter.in_flight == 0
        return seen

    seen = asyncio.run(scenario())
    assert len(seen) == 5
    assert max(seen) == 2


def test_a_full_queue_and_a_lost_patience_are_refused() -> None:
    """Who comes when the queue is full is told at once, who waits too long is told then."""

    async def scenario() -> None:
        limiter = DecodeLimiter(1, waiting=1, patience_s=0.05)
        release = asyncio.Event()
        holder = asyncio.create_task(_hold(limiter, release, []))
        await asyncio.sleep(0)
        waiter = asyncio.create_task(_hold(limiter, release, []))
        await asyncio.sleep(0)
        with pytest.raises(TooManyRequests) as refused:
            await _hold(limiter, release, [])
        assert refused.value.details["retry_after_s"] == 1
        with pytest.raises(TooManyRequests):
            await waiter
        release.set()
        await holder
        await _hold(limiter, release, [])
        assert limiter.in_flight == 0

    asyncio.run(scenario())


def test_who_leaves_the_queue_takes_no_turn() -> None:
    """A cancelled request neither keeps a slot nor blocks the next."""

    async def scenario() -> None:
        limiter = DecodeLimiter(1, waiting=5)
        release = asyncio.Event()
        holder = asyncio.create_task(_hold(limiter, release, []))
        await asyncio.sleep(0)
        leaver = asyncio.create_task(_hold(limiter, release, []))
        last = asyncio.create_task(_hold(limiter, release, []))
        await asyncio.sleep(0)
        leaver.cancel()
        release.set()
        await asyncio.gather(holder, last)
        assert leaver.cancelled() or leaver.cancelling()
        assert limiter.in_flight == 0

    asyncio.run(scenario())
