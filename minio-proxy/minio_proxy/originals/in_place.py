"""Originals that were left in their source: a mark in the store, the bytes elsewhere."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Final, TypeVar

from minio_proxy.errors import ObjectNotFound, SourceAway, SourceChanged, SourceGone, StoreError
from minio_proxy.originals.addresses import in_place_address
from minio_proxy.originals.parts import Parts
from minio_proxy.ports import Chunks, ObjectStat, ObjectStore, Places
from minio_proxy.records import PictureRecord, Place

T = TypeVar("T")
_ORDER: Final = (SourceAway, SourceChanged, SourceGone)
"""Which of several places' errors is told: the one that leaves most hope first."""


class InPlace:
    """Reads pictures where their records point to.

    The record's parts say where; the mark makes such pictures listable in key order.

    Args:
        store: of marks and records.
        parts: of records.
        places: reads sources; None where none can be read.
    """

    def __init__(self, store: ObjectStore, parts: Parts, places: Places | None) -> None:
        self._store = store
        self._parts = parts
        self._places = places

    def in_use(self) -> bool:
        """Whether any picture may be in place here; asks the store nothing."""
        return self._places is not None and self._places.in_use()

    def is_marked(self, image_key: str) -> bool:
        """Whether a picture was left in place."""
        try:
            self._store.stat(in_place_address(image_key))
        except ObjectNotFound:
            return False
        return True

    def mark(self, image_key: str) -> None:
        """Make a picture listable whose record says where it lies."""
        self._store.put(in_place_address(image_key), io.BytesIO(), size_bytes=0)

    def unmark(self, image_key: str) -> bool:
        """Remove the mark; True if it was there."""
        return self._store.delete(in_place_address(image_key))

    def stat(self, image_key: str) -> ObjectStat:
        """Describe an original where it lies (see Places.stat).

        Raises:
            ObjectNotFound: it was not left anywhere.
        """
        return self._first(image_key, lambda places, place: places.stat(place, image_key))

    def open(self, image_key: str, offset: int, length: int | None) -> Chunks:
        """Stream an original from where it lies (see Places.open)."""

        def stream(places: Places, place: Place) -> Chunks:
            return places.open(place, image_key, offset=offset, length=length)

        return self._first(image_key, stream)

    def _first(self, image_key: str, act: Callable[[Places, Place], T]) -> T:
        """Do something at the first place that has the picture.

        Raises:
            ObjectNotFound: the picture was not left anywhere.
            StoreError: no place has it; of several errors the most hopeful.
        """
        if not self.is_marked(image_key):
            raise ObjectNotFound(f"There is no original {image_key}.", key=image_key)
        if self._places is None:
            raise SourceAway("Originals left in their source are not read here.", key=image_key)
        failures: list[StoreError] = []
        for place in PictureRecord.merge(image_key, self._parts.read(image_key)).places:
            try:
                return act(self._places, place)
            except StoreError as error:
                failures.append(error)
        if not failures:
            raise ObjectNotFound(f"There is no original {image_key}.", key=image_key)
        raise min(failures, key=_hope)


def _hope(error: StoreError) -> int:
    return next((n for n, kind in enumerate(_ORDER) if isinstance(error, kind)), -1)
