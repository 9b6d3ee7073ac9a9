"""Pictures in the store: added once, told by their bytes, with what is known of them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import BinaryIO, Final, Protocol

from minio_proxy.errors import ObjectNotFound, StoreCorrupt, UndecodablePicture
from minio_proxy.originals.addresses import ORIGINALS, image_key_of, original_address
from minio_proxy.originals.intake import Received, received
from minio_proxy.originals.key_locks import KeyLocks
from minio_proxy.originals.parts import Parts
from minio_proxy.picture.header import Limits, inspect
from minio_proxy.ports import Chunks, ObjectStat, ObjectStore
from minio_proxy.records import PictureRecord, RecordPart

_HEAD_BYTES: Final = 1024 * 1024


class Checked(Protocol):
    """What the check of a picture tells of it."""

    @property
    def media_type(self) -> str:
        """Type of the bytes, for HTTP."""
        ...

    @property
    def taken_at(self) -> datetime | None:
        """Time of exposure, timezone-aware, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Added:
    """A picture that is durably in the store.

    Args:
        image_key: SHA-256 of its bytes, 64 hex digits.
        duplicate: the original was there before.
        size_bytes: length of the original.
        media_type: told by its bytes.
    """

    image_key: str
    duplicate: bool
    size_bytes: int
    media_type: str


class Originals:
    """Originals at ``originals/<k2>/<key>`` and their records. May be used from many threads.

    Args:
        store: where they lie.
        limits: how large a picture may be.
        check: looks at a picture's first bytes or all of them, and raises a PictureError
            if it is none; the product's own is minio_proxy.picture.header.inspect.
    """

    def __init__(
        self,
        store: ObjectStore,
        limits: Limits,
        check: Callable[[bytes], Checked] | None = None,
    ) -> None:
        self._store = store
        self._limits = limits
        self._check = check or partial(inspect, limits=limits)
        self._parts = Parts(store)
        self._locks = KeyLocks()

    def add(
        self, stream: BinaryIO | bytes, part: RecordPart, *, max_bytes: int | None = None
    ) -> Added:
        """Store a picture and a part of its record; both are durable when this returns.

        The original is written before the part, so a crash between the two leaves a
        picture without that part, never a part without its picture.

        Args:
            stream: the picture, read to its end in bounded memory.
            part: what is known of it; an unknown time of exposure is taken from the picture.
            max_bytes: most bytes taken; None for the limit of all pictures.

        Returns:
            The picture; of simultaneous adds of the same bytes in this process exactly one
            is no duplicate.

        Raises:
            PictureError: no picture, or too large; nothing was stored.
            StoreError: not stored, or not with certainty; adding again is harmless.
        """
        most = self._limits.max_bytes if max_bytes is None else max_bytes
        source = io.BytesIO(stream) if isinstance(stream, bytes) else stream
        with received(source, most) as picture:
            checked = self._checked(picture)
            if part.taken_at is None:
                part = replace(part, taken_at=checked.taken_at)
            with self._locks.hold(picture.image_key):
                duplicate = self._store_picture(picture, part)
        return Added(picture.image_key, duplicate, picture.size_bytes, checked.media_type)

    def read(self, image_key: str) -> bytes:
        """Read a whole original and check it.

        Raises:
            ObjectNotFound: no such original.
            StoreCorrupt: the bytes are no longer those of the key.
        """
        data = b"".join(self.open(image_key))
        actual = hashlib.sha256(data).hexdigest()
        if actual != image_key:
            raise StoreCorrupt(
                f"The original {image_key} is damaged: its SHA-256 is now {actual}; "
                "restore it from a backup or add the picture again after deleting it.",
                key=image_key,
                expected=image_key,
                actual=actual,
            )
        return data

    def open(self, image_key: str, offset: int = 0, length: int | None = None) -> Chunks:
        """Stream an original or a part of it, unchecked (see the port's open)."""
        return self._store.open(original_address(image_key), offset=offset, length=length)

    def stat(self, image_key: str) -> ObjectStat:
        """Describe an original; its key is the store's. ObjectNotFound when there is none."""
        return self._store.stat(original_address(image_key))

    def exists(self, image_key: str) -> bool:
        """Whether there is such an original."""
        try:
            self.stat(image_key)
        except ObjectNotFound:
            return False
        return True

    def record(self, image_key: str) -> PictureRecord:
        """Merge what is known of a picture; a picture without parts has an empty record."""
        return PictureRecord.merge(image_key, self._parts.read(image_key))

    def add_part(self, image_key: str, part: RecordPart) -> None:
        """Add what is known of a picture that is there; the same fact again changes nothing.

        Raises:
            ObjectNotFound: no such original.
        """
        with self._locks.hold(image_key):
            self.stat(image_key)
            self._add_part(image_key, part)

    def remove_source(self, image_key: str, source: str, path: str | None = None) -> PictureRecord:
        """Remove what a source brought: its parts, or of them those of one path.

        Returns:
            What is left; without any source the picture has no reason to stay.
        """
        with self._locks.hold(image_key):
            parts = self._parts.read(image_key)
            gone = [p for p in parts if p.source == source and path in {None, p.path}]
            for part in gone:
                self._parts.remove(image_key, part)
        return PictureRecord.merge(image_key, (p for p in parts if p not in gone))

    def keys(self, after: str = "", limit: int = 1000) -> list[str]:
        """One page of image keys greater than ``after``, in order; empty at the end."""
        keys: list[str] = []
        last = f"{ORIGINALS}{after[:2]}/{after}" if after else ""
        while len(keys) < limit:
            page = self._store.list(ORIGINALS, after=last, limit=limit - len(keys))
            if not page:
                break
            keys += [key for found in page if (key := image_key_of(found.key))]
            last = page[-1].key
        return keys

    def delete(self, image_key: str) -> bool:
        """Remove a picture's record and original; True if there was any of them.

        A picture that is added at the same time by another process may stay, whole.
        """
        with self._locks.hold(image_key):
            had_record = self._parts.remove_all(image_key)
            had_original = self._store.delete(original_address(image_key))
            if had_original and not self.exists(image_key):
                # Another process may have added a part between the two.
                self._parts.remove_all(image_key)
        return had_record or had_original

    def _checked(self, picture: Received) -> Checked:
        """Check a picture; most formats need only their head, so memory stays small."""
        try:
            return self._check(picture.head(_HEAD_BYTES))
        except UndecodablePicture:
            if picture.size_bytes <= _HEAD_BYTES:
                raise
        return self._check(picture.head(picture.size_bytes))

    def _store_picture(self, picture: Received, part: RecordPart) -> bool:
        """Write original, then part; gives whether the original was there before."""
        duplicate = self._is_stored(picture)
        if not duplicate:
            self._put_original(picture)
        if duplicate:
            self._add_part(picture.image_key, part)
        else:
            self._parts.put(picture.image_key, part)
        if duplicate and not self._is_stored(picture):
            # Another process deleted the picture after the first look.
            self._put_original(picture)
            return False
        return duplicate

    def _is_stored(self, picture: Received) -> bool:
        try:
            return self.stat(picture.image_key).size_bytes == picture.size_bytes
        except ObjectNotFound:
            return False

    def _put_original(self, picture: Received) -> None:
        address = original_address(picture.image_key)
        self._store.put(address, picture.rewound(), size_bytes=picture.size_bytes)

    def _add_part(self, image_key: str, part: RecordPart) -> None:
        """Write a part unless it says nothing new.

        A fact keeps the time when it was first told. Only metadata that other metadata has
        replaced since is written anew, because the newest that was given counts.
        """
        parts = self._parts.read(image_key)
        known = any(p.part_id == part.part_id for p in parts)
        merged = PictureRecord.merge(image_key, parts)
        if not known or (part.metadata is not None and merged.metadata != part.metadata):
            self._parts.put(image_key, part)
