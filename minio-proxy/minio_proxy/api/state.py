"""What the routes share beside the services: threads, metrics, and known media types."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import anyio

from minio_proxy.api.metrics import Metrics
from minio_proxy.bootstrap import THUMBNAIL_THREADS, ProxyServices
from minio_proxy.ports import ObjectStat

T = TypeVar("T")
MAX_KNOWN = 20_000
CHECK_THREADS = 3  # each may hold a decoded picture of BOXSEEK_MAX_PIXELS


def _threads(count: int) -> anyio.CapacityLimiter:
    return anyio.CapacityLimiter(count)


@dataclass(frozen=True, slots=True)
class Threads:
    """How many threads each kind of work may occupy, so that none starves the others.

    Args:
        reads: looking up and streaming.
        checks: decoding uploads once, to see that they are pictures.
        uploads: writing originals durably.
        lookups: records, lists, deletes.
        thumbnails: reading and making thumbnails and crops.
    """

    reads: anyio.CapacityLimiter = field(default_factory=lambda: _threads(32))
    checks: anyio.CapacityLimiter = field(default_factory=lambda: _threads(CHECK_THREADS))
    uploads: anyio.CapacityLimiter = field(default_factory=lambda: _threads(8))
    lookups: anyio.CapacityLimiter = field(default_factory=lambda: _threads(16))
    thumbnails: anyio.CapacityLimiter = field(default_factory=lambda: _threads(THUMBNAIL_THREADS))


class Known(Generic[T]):
    """What was found out about pictures lately; a key's bytes never change."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, T] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, image_key: str) -> T | None:
        """Give it, None if it was not seen lately."""
        return self._known.get(image_key)

    def remember(self, image_key: str, value: T) -> None:
        """Keep it; the oldest is forgotten."""
        with self._lock:
            self._known[image_key] = value
            if len(self._known) > MAX_KNOWN:
                self._known.popitem(last=False)

    def forget(self, image_key: str) -> None:
        """Look anew the next time."""
        with self._lock:
            self._known.pop(image_key, None)


@dataclass(frozen=True, slots=True)
class Serving:
    """Handed to every group of routes."""

    services: ProxyServices
    metrics: Metrics
    threads: Threads = field(default_factory=Threads)
    types: Known[str] = field(default_factory=Known)
    stats: Known[ObjectStat] = field(default_factory=Known)

    @property
    def cache_scope(self) -> str:
        """Who may cache pictures: anyone where everyone may see them, else one browser."""
        return "private" if self.services.guard.keys_required else "public"

    @property
    def resource_policy(self) -> str:
        """Which pages may show pictures: any that has a signed link, else our own site's."""
        return "cross-origin" if self.services.guard.keys_required else "same-site"
