"""Thumbnails and crops of originals, made once and kept in the store."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from io import BytesIO
from typing import Protocol

import structlog

from minio_proxy.errors import (
    InvalidBox,
    ObjectNotFound,
    PictureError,
    StoreError,
    UnsupportedWidth,
)
from minio_proxy.picture.header import Limits, inspect
from minio_proxy.picture.render import BoxXyxy, RenderedType, render_crop, render_thumbnail
from minio_proxy.ports import ObjectStore
from minio_proxy.settings import MEBIBYTE, ProxySettings
from minio_proxy.thumbnails.gate import DecodeGate
from minio_proxy.thumbnails.keys import (
    ENDINGS,
    WIDTHS,
    check_image_key,
    crop_key,
    crops_prefix,
    thumbnail_key,
)
from minio_proxy.thumbnails.memory import Rendered, RenderedMemory
from minio_proxy.thumbnails.single_flight import SingleFlight

log = structlog.get_logger(__name__)

MOST_CROPS = 400
"""Crops kept of one picture (100 objects, two types, two widths); further ones are made anew."""


class OriginalReader(Protocol):
    """What thumbnails need of the originals."""

    def read(self, image_key: str) -> bytes:
        """Give the original's bytes; ObjectNotFound when there is none (any more)."""
        ...

    def exists(self, image_key: str) -> bool:
        """Tell whether the original is there."""
        ...


class ThumbnailService:
    """Makes thumbnails and crops, keeps them in the store and gives them out.

    All methods may be called from many threads at once. A cached picture that is damaged is
    made again; one that cannot be kept (the store is full) is given out all the same.

    Args:
        store: keeps what was made, beside the originals.
        originals: gives the bytes to make it from.
        limits: of the originals.
        quality: 1 to 100, of JPEG and WebP.
        gate: how many are made at once.
        memory: keeps those that were given out lately.
    """

    def __init__(
        self,
        store: ObjectStore,
        originals: OriginalReader,
        *,
        limits: Limits,
        quality: int,
        gate: DecodeGate,
        memory: RenderedMemory,
    ) -> None:
        self._store = store
        self._originals = originals
        self._limits = limits
        self._quality = quality
        self._gate = gate
        self._memory = memory
        self._flights: SingleFlight[bytes] = SingleFlight()

    @classmethod
    def from_settings(
        cls, store: ObjectStore, originals: OriginalReader, settings: ProxySettings
    ) -> ThumbnailService:
        """Build the service with the limits, quality and decodes that the settings name."""
        return cls(
            store,
            originals,
            limits=Limits(max_bytes=settings.max_bytes, max_pixels=settings.max_pixels),
            quality=settings.jpeg_quality,
            gate=DecodeGate(settings.max_concurrent_decodes),
            memory=RenderedMemory(settings.thumbnail_memory_mb * MEBIBYTE),
        )

    def thumbnail(self, image_key: str, width: int, media_type: RenderedType) -> Rendered:
        """Give a picture's thumbnail, made now if need be.

        Raises:
            UnsupportedWidth: not one of WIDTHS.
            ObjectNotFound: no such original.
            TooManyRequests: too many are being made; details carry retry_after_s.
            PictureError: the original cannot be decoded.
        """
        check_image_key(image_key)
        _check_width(width)
        key = thumbnail_key(image_key, width, media_type)

        def render(data: bytes) -> bytes:
            return render_thumbnail(data, width, media_type, self._quality, self._limits)

        return self._give(image_key, key, media_type, render)

    def crop(
        self, image_key: str, box_xyxy: BoxXyxy, width: int, media_type: RenderedType
    ) -> Rendered:
        """Give a small picture of one box, in pixels of the upright original.

        Raises:
            InvalidBox: inverted, empty, not finite, or outside the picture.
            UnsupportedWidth, ObjectNotFound, TooManyRequests, PictureError: as ``thumbnail``.
        """
        check_image_key(image_key)
        _check_width(width)
        box = _widened(box_xyxy)
        key = crop_key(image_key, box, width, media_type)

        def render(data: bytes) -> bytes:
            return render_crop(data, box, width, media_type, self._quality, self._limits)

        return self._give(image_key, key, media_type, render, most=MOST_CROPS)

    def thumbnail_at_hand(
        self, image_key: str, width: int, media_type: RenderedType
    ) -> Rendered | None:
        """Give what ``thumbnail`` would if that takes no time: nothing is read or made."""
        return self._memory.fresh(thumbnail_key(image_key, width, media_type))

    def crop_at_hand(
        self, image_key: str, box_xyxy: BoxXyxy, width: int, media_type: RenderedType
    ) -> Rendered | None:
        """Give what ``crop`` would if that takes no time; InvalidBox as there."""
        return self._memory.fresh(crop_key(image_key, _widened(box_xyxy), width, media_type))

    def delete(self, image_key: str) -> None:
        """Remove all thumbnails and crops of a picture; the original must be gone before.

        One that is being made at this moment is removed by whoever makes it. Those that a
        crash leaves behind are not given out: nothing is, whose original is gone.
        """
        check_image_key(image_key)
        self._memory.forget(image_key)
        for width in WIDTHS:
            for media_type in ENDINGS:
                self._store.delete(thumbnail_key(image_key, width, media_type))
        after = ""
        while page := self._store.list(crops_prefix(image_key), after=after):
            for stat in page:
                self._store.delete(stat.key)
            after = page[-1].key

    def _give(
        self,
        image_key: str,
        key: str,
        media_type: RenderedType,
        render: Callable[[bytes], bytes],
        *,
        most: int | None = None,
    ) -> Rendered:
        since = self._memory.forgotten
        known = self._memory.any_age(key)
        data = known.data if known else self._cached(key, media_type)
        if data is not None and not self._originals.exists(image_key):
            self._memory.forget(image_key)
            raise ObjectNotFound("There is no such picture.", key=image_key)
        if data is None:
            data = self._flights.do(key, lambda: self._make(image_key, key, render, most))
        found = known or Rendered(data, media_type, hashlib.sha256(data).hexdigest()[:32])
        self._memory.keep(image_key, key, found, since=since)
        return found

    def _cached(self, key: str, media_type: RenderedType) -> bytes | None:
        try:
            data = b"".join(self._store.open(key))
        except ObjectNotFound:
            return None
        except StoreError as error:
            log.warning("thumbnail_unreadable", key=key, code=error.code)
            return None
        if _is_whole(data, media_type):
            return data
        log.warning("thumbnail_damaged", key=key, size_bytes=len(data))
        return None

    def _make(
        self, image_key: str, key: str, render: Callable[[bytes], bytes], most: int | None
    ) -> bytes:
        with self._gate.place():
            data = render(self._originals.read(image_key))
        if most is None or len(self._store.list(crops_prefix(image_key), limit=most)) < most:
            self._keep(image_key, key, data)
        return data

    def _keep(self, image_key: str, key: str, data: bytes) -> None:
        """Store what was made, and take it back if its original went meanwhile."""
        try:
            self._store.put(key, BytesIO(data), size_bytes=len(data))
            if not self._originals.exists(image_key):
                self._store.delete(key)
        except StoreError as error:
            log.warning("thumbnail_not_kept", key=key, code=error.code)


def _check_width(width: int) -> None:
    if width not in WIDTHS:
        raise UnsupportedWidth(
            f"The width {width} is not offered; choose one of {', '.join(map(str, WIDTHS))}.",
            actual=width,
            allowed=list(WIDTHS),
        )


def _widened(box_xyxy: BoxXyxy) -> tuple[int, int, int, int]:
    """Widen a box to whole pixels, so that boxes within the same pixels share one crop."""
    x1, y1, x2, y2 = box_xyxy
    if not all(math.isfinite(edge) and abs(edge) < 1e9 for edge in box_xyxy):  # noqa: PLR2004
        raise InvalidBox("A box has four finite edges.", box=[str(edge) for edge in box_xyxy])
    if x1 >= x2 or y1 >= y2:
        raise InvalidBox(
            "A box goes from its left upper to its right lower corner.", box=[*box_xyxy]
        )
    return max(math.floor(x1), 0), max(math.floor(y1), 0), math.ceil(x2), math.ceil(y2)


def _is_whole(data: bytes, media_type: RenderedType) -> bool:
    """Tell whether a cached picture has its header and its end, without decoding it."""
    try:
        if inspect(data, Limits()).media_type != media_type:
            return False
    except PictureError:
        return False
    if media_type == "image/jpeg":
        return data.endswith(b"\xff\xd9")
    return len(data) == 8 + int.from_bytes(data[4:8], "little")
