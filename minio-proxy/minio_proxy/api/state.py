"""What the routes share beside the services: threads, metrics, and known media types."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

import anyio

from minio_proxy.api.metrics import Metrics
from minio_proxy.bootstrap import THUMBNAIL_THREADS, ProxyServices

MAX_KNOWN_TYPES = 50_000
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


class KnownTypes:
    """Media types of pictures seen before; a key's bytes never change, nor does their type."""

    def __init__(self) -> None:
        self._types: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, image_key: str) -> str | None:
        """Give the type, None if it was not seen lately."""
        return self._types.get(image_key)

    def remember(self, image_key: str, media_type: str) -> None:
        """Keep the type; the oldest is forgotten."""
        with self._lock:
            self._types[image_key] = media_type
            if len(self._types) > MAX_KNOWN_TYPES:
                self._types.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Serving:
    """Handed to every group of routes."""

    services: ProxyServices
    metrics: Metrics
    threads: Threads = field(default_factory=Threads)
    types: KnownTypes = field(default_factory=KnownTypes)

    @property
    def cache_scope(self) -> str:
        """Who may cache pictures: anyone where everyone may see them, else one browser."""
        return "private" if self.services.guard.keys_required else "public"

    @property
    def resource_policy(self) -> str:
        """Which pages may show pictures: any that has a signed link, else our own site's."""
        return "cross-origin" if self.services.guard.keys_required else "same-site"
