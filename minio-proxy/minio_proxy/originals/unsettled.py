"""Notes of what changed behind the index's back, until a reconcile has settled it."""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterable

from minio_proxy.originals.addresses import UNSETTLED, unsettled_address, unsettled_key_of
from minio_proxy.ports import ObjectStore


class Unsettled:
    """What came or went through the proxy alone, which has no index.

    A note is written after the change that it is about and removed after the index was
    brought in step, so that whatever happens in between, one of both is done again.

    Args:
        store: where the notes lie.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def note(self, image_key: str) -> None:
        """Write a note, durably; every change gets its own."""
        address = unsettled_address(image_key, secrets.token_hex(8))
        self._store.put(address, io.BytesIO(), size_bytes=0)

    def pending(self, after: str = "", limit: int = 1000) -> list[tuple[str, str]]:
        """One page of notes as ``(name, image key)``, names greater than ``after``, in order."""
        page = self._store.list(UNSETTLED, after=after, limit=limit)
        found = ((one.key, unsettled_key_of(one.key)) for one in page)
        return [(name, image_key) for name, image_key in found if image_key is not None]

    def drop(self, names: Iterable[str]) -> None:
        """Remove notes that pending gave; unknown ones are no error."""
        for name in names:
            self._store.delete(name)
