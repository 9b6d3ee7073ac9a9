"""Pictures in the store: added once, told by their bytes, with what is known of them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import BinaryIO, Final, Protocol

from minio_proxy.errors import ObjectNotFound, SourceChanged, StoreCorrupt, UndecodablePicture
from minio_proxy.originals.addresses import IN_PLACE, ORIGINALS, image_key_of, original_address
from minio_proxy.originals.in_place import InPlace
from minio_proxy.originals.intake import Received, received
from minio_proxy.originals.key_locks import KeyLocks
from minio_proxy.originals.parts import Parts
from minio_proxy.originals.unsettled import Unsettled
from minio_proxy.picture.header import Limits, inspect
from minio_proxy.ports import Chunks, ObjectStat, ObjectStore, Places
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

    An original may also have been left in its source; one that is in the store as well is
    read from the store.

    Args:
        store: where they lie.
        limits: how large a picture may be.
        check: looks at a picture's first bytes or all of them, and raises a PictureError
            if it is none; the product's own is minio_proxy.picture.header.inspect.
        places: reads originals that were left in their source; None where none can be.
    """

    def __init__(
        self,
        store: ObjectStore,
        limits: Limits,
        check: Callable[[bytes], Checked] | None = None,
        places: Places | None = None,
    ) -> None:
        self._store = store
        self._limits = limits
        self._check = check or partial(inspect, limits=limits)
        self._parts = Parts(store)
        self._in_place = InPlace(store, self._parts, places)
        self._unsettled = Unsettled(store)
        self._locks = KeyLocks()

    @property
    def unsettled(self) -> Unsettled:
        """Notes of what changed behind the index's back."""
        return self._unsettled

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

    def add_in_place(self, data: bytes, part: RecordPart) -> Added:
        """Note where a picture lies, which stays there; durable when this returns.

        Args:
            data: the picture's bytes; they are not kept.
            part: what is known of it, its place included.

        Raises:
            PictureError: no picture, or too large; nothing was stored.
            StoreError: not noted, or not with certainty; adding again is harmless.
        """
        checked = self._check(data)
        if part.taken_at is None:
            part = replace(part, taken_at=checked.taken_at)
        image_key = hashlib.sha256(data).hexdigest()
        with self._locks.hold(image_key):
            duplicate = self.exists(image_key)
            self._add_part(image_key, part)
            if not self._in_place.is_marked(image_key):
                self._in_place.mark(image_key)
                # Another process may have deleted the picture between the two.
                self._add_part(image_key, part)
        return Added(image_key, duplicate, len(data), checked.media_type)

    @property
    def leaves_in_place(self) -> bool:
        """Whether any picture may have been left in its source; asks the store nothing."""
        return self._in_place.in_use()

    def is_left_in_place(self, image_key: str) -> bool:
        """Whether an original is in its source only."""
        return self._in_place.is_marked(image_key) and not self._is_in_store(image_key)

    def read(self, image_key: str) -> bytes:
        """Read a whole original and check it.

        Raises:
            ObjectNotFound: no such original.
            StoreCorrupt: the bytes are no longer those of the key.
            SourceGone, SourceChanged, SourceAway: it was left in its source, see Places.
        """
        data = b"".join(self.open(image_key))
        actual = hashlib.sha256(data).hexdigest()
        if actual != image_key and not self._is_in_store(image_key):
            raise SourceChanged("The original changed while it was read.", key=image_key)
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
        """Stream an original or a part of it (see the port's open).

        Unchecked in the store; in its source (see Places.open) while it is the same file.
        """
        try:
            return self._store.open(original_address(image_key), offset=offset, length=length)
        except ObjectNotFound:
            return self._in_place.open(image_key, offset, length)

    def stat(self, image_key: str) -> ObjectStat:
        """Describe an original; its key is the store's. ObjectNotFound when there is none.

        One that was left in its source is looked at there, and its key is the path there.
        """
        try:
            return self._store.stat(original_address(image_key))
        except ObjectNotFound:
            return self._in_place.stat(image_key)

    def exists(self, image_key: str) -> bool:
        """Whether there is such an original; one in a source that is away counts."""
        return self._is_in_store(image_key) or self._in_place.is_marked(image_key)

    def record(self, image_key: str) -> PictureRecord:
        """Merge what is known of a picture; a picture without parts has an empty record."""
        return PictureRecord.merge(image_key, self._parts.read(image_key))

    def add_part(self, image_key: str, part: RecordPart) -> None:
        """Add what is known of a picture that is there; the same fact again changes nothing.

        Raises:
            ObjectNotFound: no such original.
        """
        with self._locks.hold(image_key):
            if not self.exists(image_key):
                raise ObjectNotFound(f"There is no original {image_key}.", key=image_key)
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
            if any(p.place for p in gone) and not any(p.place for p in parts if p not in gone):
                self._in_place.unmark(image_key)
        return PictureRecord.merge(image_key, (p for p in parts if p not in gone))

    def keys(self, after: str = "", limit: int = 1000) -> list[str]:
        """One page of image keys greater than ``after``, in order; empty at the end."""
        found = {
            key for prefix in (ORIGINALS, IN_PLACE) for key in self._keys(prefix, after, limit)
        }
        return sorted(found)[: max(0, limit)]

    def delete(self, image_key: str) -> bool:
        """Remove a picture's record and original; True if there was any of them.

        Nothing outside the store is touched: what was left in its source stays there. A picture
        that is added at the same time by another process may stay, whole.
        """
        with self._locks.hold(image_key):
            had_record = self._parts.remove_all(image_key)
            had_original = self._in_place.unmark(image_key)
            had_original |= self._store.delete(original_address(image_key))
            if had_original and not self.exists(image_key):
                # Another process may have added a part between the two.
                self._parts.remove_all(image_key)
        return had_record or had_original

    def _keys(self, prefix: str, after: str, limit: int) -> list[str]:
        keys: list[str] = []
        last = f"{prefix}{after[:2]}/{after}" if after else ""
        while len(keys) < limit:
            page = self._store.list(prefix, after=last, limit=limit - len(keys))
            if not page:
                break
            keys += [key for found in page if (key := image_key_of(found.key))]
            last = page[-1].key
        return keys

    def _is_in_store(self, image_key: str) -> bool:
        try:
            self._store.stat(original_address(image_key))
        except ObjectNotFound:
            return False
        return True

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
            found = self._store.stat(original_address(picture.image_key))
        except ObjectNotFound:
            return False
        return found.size_bytes == picture.size_bytes

    def _put_original(self, picture: Received) -> None:
        address = original_address(picture.image_key)
        self._store.put(address, picture.rewound(), size_bytes=picture.size_bytes)

    def _add_part(self, image_key: str, part: RecordPart) -> None:
        """Write a part unless it says nothing new.

        A fact keeps the time when it was first told. Only metadata that other metadata has
        replaced since is written anew, because the newest that was given counts.
        """
        parts = self._parts.read(image_key)
        known = next((p for p in parts if p.part_id == part.part_id), None)
        merged = PictureRecord.merge(image_key, parts)
        if known is None or (part.metadata is not None and merged.metadata != part.metadata):
            self._parts.put(image_key, part)
        elif part.place not in {None, known.place}:
            self._parts.put(image_key, replace(part, added_at=known.added_at))
