"""What the routes share: the open Boxseek, threads, addresses, and the turn at the models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, ParamSpec, TypeVar

import anyio
from anyio.to_thread import run_sync
from fastapi import Depends, Request

from embedding_pipeline.api.answers import Addresses
from embedding_pipeline.bootstrap import Boxseek
from minio_proxy.access import DecodeLimiter

P = ParamSpec("P")
T = TypeVar("T")

QUERIES_RUNNING = 16
QUERIES_WAITING = 64
QUERY_PATIENCE_S = 30.0


def _threads(count: int) -> Callable[[], anyio.CapacityLimiter]:
    return partial(anyio.CapacityLimiter, count)


@dataclass(frozen=True, slots=True)
class Serving:
    """Handed to every route; each kind of work has threads of its own, so none starves others.

    Args:
        boxseek: everything that is open.
        addresses: makes the addresses of pictures.
        turns: how many queries may wait for models and index at once; more get 429.
        queries: threads of searches.
        uploads: threads of uploads; further uploads wait for their turn.
        lookups: threads of everything that is quick.
    """

    boxseek: Boxseek
    addresses: Addresses
    turns: DecodeLimiter = field(
        default_factory=lambda: DecodeLimiter(
            QUERIES_RUNNING, waiting=QUERIES_WAITING, patience_s=QUERY_PATIENCE_S
        )
    )
    queries: anyio.CapacityLimiter = field(default_factory=_threads(QUERIES_RUNNING))
    uploads: anyio.CapacityLimiter = field(default_factory=_threads(4))
    lookups: anyio.CapacityLimiter = field(default_factory=_threads(16))

    async def query(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a search or detection in a thread, when its turn comes.

        Raises:
            TooManyRequests: too many wait already.
        """
        async with self.turns.slot():
            return await run_sync(partial(work, *args, **kwargs), limiter=self.queries)

    async def upload(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a piece of an upload in a thread; it is finished even if the client leaves."""
        return await run_sync(partial(work, *args, **kwargs), limiter=self.uploads)

    async def lookup(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a quick question to index or store in a thread."""
        return await run_sync(partial(work, *args, **kwargs), limiter=self.lookups)


def serving_of(request: Request) -> Serving:
    """The app's Serving; routes take it as a dependency."""
    serving: Serving = request.app.state.serving
    return serving


Served = Annotated[Serving, Depends(serving_of)]
