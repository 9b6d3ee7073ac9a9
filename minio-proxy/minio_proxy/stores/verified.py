"""Which files were found to be a picture by their SHA-256, so that each is read through once."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

from minio_proxy.errors import SourceChanged

_MOST: Final = 20_000


class Verified:
    """Remembers stamps that differ from the recorded ones and yet have the recorded bytes."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, image_key: str, stamp: str, read: Callable[[], Iterable[bytes]]) -> None:
        """Return when the bytes behind a stamp are those of the key.

        Args:
            image_key: their SHA-256, hex.
            stamp: of what ``read`` gives; changes whenever that may.
            read: gives all bytes in pieces; called only for a stamp not seen before.

        Raises:
            SourceChanged: they are others.
        """
        with self._lock:
            if (image_key, stamp) in self._known:
                return
        digest = hashlib.sha256()
        for piece in read():
            digest.update(piece)
        if digest.hexdigest() != image_key:
            raise changed(image_key)
        with self._lock:
            self._known[image_key, stamp] = None
            if len(self._known) > _MOST:
                self._known.popitem(last=False)


def changed(image_key: str) -> SourceChanged:
    """Say that other bytes lie where an original was left."""
    return SourceChanged(
        "The original was left in its source, and the file there has changed since; run "
        "boxseek ingest --in-place on the source again, or delete this picture.",
        key=image_key,
    )
