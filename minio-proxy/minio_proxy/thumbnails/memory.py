"""Thumbnails and crops that were given out lately, in memory."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from minio_proxy.picture.render import RenderedType

FRESH_S: Final = 2.0
"""So long a picture may be given out after its original was last seen."""
ENTRY_BYTES: Final = 1024  # of one entry beside its picture, at most
LARGEST_PART: Final = 8  # a picture may take up this part of the memory


@dataclass(frozen=True, slots=True)
class Rendered:
    """A thumbnail or crop, ready to be sent.

    Args:
        data: the encoded picture.
        media_type: of ``data``.
        etag: made from ``data``, without quotes.
    """

    data: bytes
    media_type: RenderedType
    etag: str


class RenderedMemory:
    """Keeps rendered pictures until others need their room. May be used from many threads.

    What another process deletes is noticed when FRESH_S is over and the original is looked
    for again; what this one deletes is forgotten at once.

    Args:
        most_bytes: of memory; 0 keeps nothing.
        clock: seconds that only grow.
    """

    def __init__(self, most_bytes: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most_bytes = most_bytes
        self._clock = clock
        self._kept: OrderedDict[str, tuple[str, Rendered, float]] = OrderedDict()
        self._by_picture: dict[str, set[str]] = {}
        self._lock = threading.Lock()
        self.size_bytes = 0
        self.forgotten = 0
        """How often something was forgotten on demand; see ``keep``."""

    def fresh(self, key: str) -> Rendered | None:
        """Give a picture whose original was there a moment ago."""
        found = self._kept.get(key)
        if found is None or self._clock() - found[2] > FRESH_S:
            return None
        return self._used(key, found[1])

    def any_age(self, key: str) -> Rendered | None:
        """Give a picture whose original must be looked for again."""
        found = self._kept.get(key)
        return self._used(key, found[1]) if found else None

    def keep(self, image_key: str, key: str, rendered: Rendered, *, since: int) -> None:
        """Keep a picture whose original was seen just now.

        Args:
            image_key: the original's.
            key: the picture's.
            rendered: the picture.
            since: ``forgotten`` from before the original was looked for: if something was
                deleted in between, it may have been this one.
        """
        size_bytes = len(rendered.data) + ENTRY_BYTES
        if size_bytes * LARGEST_PART > self._most_bytes:
            return
        with self._lock:
            if since != self.forgotten:
                return
            self._drop(key)
            self._kept[key] = (image_key, rendered, self._clock())
            self._by_picture.setdefault(image_key, set()).add(key)
            self.size_bytes += size_bytes
            while self.size_bytes > self._most_bytes:
                self._drop(next(iter(self._kept)))

    def forget(self, image_key: str) -> None:
        """Forget all pictures of an original."""
        with self._lock:
            self.forgotten += 1
            for key in tuple(self._by_picture.get(image_key, ())):
                self._drop(key)

    def _used(self, key: str, rendered: Rendered) -> Rendered:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
        return rendered

    def _drop(self, key: str) -> None:
        found = self._kept.pop(key, None)
        if found is None:
            return
        image_key, rendered, _ = found
        self.size_bytes -= len(rendered.data) + ENTRY_BYTES
        keys = self._by_picture[image_key]
        keys.discard(key)
        if not keys:
            del self._by_picture[image_key]
