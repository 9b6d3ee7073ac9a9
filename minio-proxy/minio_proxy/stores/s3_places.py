"""Originals that were left in a bucket."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Final, Protocol, TypeVar

from minio_proxy.errors import (
    ObjectNotFound,
    ProxyError,
    SettingsError,
    SourceAway,
    SourceGone,
    StoreDenied,
    StoreUnavailable,
)
from minio_proxy.ports import Chunks, ObjectStat, OpenObject
from minio_proxy.records import Place, etag_of
from minio_proxy.stores.verified import Verified, changed

T = TypeVar("T")
S3: Final = "s3://"


class VersionedBucket(Protocol):
    """A bucket of which one version of an object can be asked for."""

    def stat(self, key: str) -> ObjectStat:
        """Describe an object; a missing one raises ObjectNotFound."""
        ...

    def open_version(
        self, key: str, etag: str, *, offset: int = 0, length: int | None = None
    ) -> OpenObject | None:
        """Open a part of an object; None when it has another ETag now."""
        ...

    def close(self) -> None:
        """Free connections."""
        ...


class S3Places:
    """Reads originals in buckets (see minio_proxy.ports.Places).

    Args:
        open_bucket: opens a bucket by name; called once for each.
    """

    def __init__(self, open_bucket: Callable[[str], VersionedBucket]) -> None:
        self._open_bucket = open_bucket
        self._buckets: dict[str, VersionedBucket] = {}
        self._lock = threading.Lock()
        self._verified = Verified()

    def in_use(self) -> bool:
        """A bucket may always be asked."""
        return True

    def stat(self, place: Place, image_key: str) -> ObjectStat:
        """Describe an original (see the port)."""

        def look() -> ObjectStat:
            bucket = self._bucket(place, image_key)
            found = bucket.stat(place.path)
            self._check(bucket, place, image_key, found.etag)
            return ObjectStat(place.path, found.size_bytes, image_key, found.modified_at)

        return _told(look, image_key)

    def open(
        self, place: Place, image_key: str, *, offset: int = 0, length: int | None = None
    ) -> Chunks:
        """Stream an original (see the port)."""

        def stream() -> Chunks:
            bucket = self._bucket(place, image_key)
            etag = etag_of(place.stamp)
            opened = bucket.open_version(place.path, etag, offset=offset, length=length)
            if opened is None:
                etag = bucket.stat(place.path).etag
                self._check(bucket, place, image_key, etag)
                opened = bucket.open_version(place.path, etag, offset=offset, length=length)
            if opened is None:
                raise changed(image_key)
            return opened.chunks

        return _told(stream, image_key)

    def close(self) -> None:
        """Free the connections of all buckets."""
        with self._lock:
            for bucket in self._buckets.values():
                bucket.close()
            self._buckets.clear()

    def _check(self, bucket: VersionedBucket, place: Place, image_key: str, etag: str) -> None:
        """Read an object through whose ETag is not the recorded one."""
        if etag == etag_of(place.stamp):
            return
        name = f"{place.root}\n{place.path}\n{etag}"
        self._verified.check(image_key, name, lambda: _pieces(bucket, place, image_key, etag))

    def _bucket(self, place: Place, image_key: str) -> VersionedBucket:
        name, _, prefix = place.root.removeprefix(S3).partition("/")
        if not place.path.startswith(prefix):
            raise _gone(image_key)
        with self._lock:
            if name not in self._buckets:
                self._buckets[name] = self._open_bucket(name)
            return self._buckets[name]


def _pieces(bucket: VersionedBucket, place: Place, image_key: str, etag: str) -> Iterator[bytes]:
    opened = bucket.open_version(place.path, etag)
    if opened is None or opened.size_bytes != place.size_bytes:
        raise changed(image_key)
    with closing(opened.chunks) as chunks:
        yield from chunks


def _told(act: Callable[[], T], image_key: str) -> T:
    try:
        return act()
    except ObjectNotFound as error:
        raise _gone(image_key) from error
    except (StoreUnavailable, StoreDenied, SettingsError) as error:
        raise _away(image_key, error) from error


def _gone(image_key: str) -> SourceGone:
    return SourceGone(
        "The original was left in its bucket and is no longer there; put it back and run "
        "boxseek ingest --in-place on the source again, or delete this picture.",
        key=image_key,
    )


def _away(image_key: str, why: ProxyError) -> SourceAway:
    return SourceAway(
        f"The bucket that original {image_key} was left in cannot be read: {why.message}",
        key=image_key,
    )
