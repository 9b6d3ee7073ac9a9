"""Builds and closes what the proxy runs on; the one module that imports concrete stores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from minio_proxy.access import DecodeLimiter, Guard, KeyFile
from minio_proxy.originals import Originals
from minio_proxy.picture.header import Limits
from minio_proxy.ports import BucketSource, ObjectStore
from minio_proxy.settings import ProxySettings
from minio_proxy.stores.folder import FolderStore
from minio_proxy.stores.folder_places import FolderPlaces
from minio_proxy.stores.places import LeftPlaces
from minio_proxy.stores.roots import RootFile
from minio_proxy.stores.s3_places import S3Places, VersionedBucket
from minio_proxy.thumbnails import ThumbnailService

THUMBNAIL_THREADS = 24  # cached ones are read beside those that wait for a decode


@dataclass(frozen=True, slots=True)
class ProxyServices:
    """Everything a request may need, built once.

    Args:
        settings: what the service was started with.
        limits: of a picture's bytes and pixels.
        store: bytes under keys.
        originals: pictures and their records in the store.
        thumbnails: thumbnails and crops, cached in the store.
        guard: who may; shared with the search API of the same process.
        decodes: how many requests may be busy with thumbnails; the decodes among them are
            limited further inside ``thumbnails``.
    """

    settings: ProxySettings
    limits: Limits
    store: ObjectStore
    originals: Originals
    thumbnails: ThumbnailService
    guard: Guard
    decodes: DecodeLimiter


def key_file(settings: ProxySettings) -> KeyFile:
    """Name the file of keys: BOXSEEK_KEYS_FILE, else keys.json in the data folder."""
    return KeyFile(settings.keys_file or settings.data_dir / "keys.json")


def build_store(settings: ProxySettings) -> ObjectStore:
    """Build the store that BOXSEEK_STORE names; the caller closes it."""
    if settings.store == "folder":
        return FolderStore(settings.data_dir / "store")
    from minio_proxy.stores.s3 import S3Store  # noqa: PLC0415 - its client loads slowly

    return S3Store(settings)


def build_source(settings: ProxySettings, bucket: str) -> BucketSource:
    """Build a reader of any bucket at the endpoint of the settings; the caller closes it."""
    from minio_proxy.stores.s3_source import S3Source  # noqa: PLC0415 - as above

    return S3Source(settings, bucket)


def root_file(settings: ProxySettings) -> RootFile:
    """Name the file of the sources that originals may be left in."""
    return RootFile(settings.data_dir / "in-place.json")


@contextmanager
def build_services(settings: ProxySettings) -> Iterator[ProxyServices]:
    """Build everything the proxy needs, and close it at the end."""
    keys = key_file(settings)
    keys.rotate_if_old()
    store = build_store(settings)
    limits = Limits(max_bytes=settings.max_bytes, max_pixels=settings.max_pixels)

    def open_bucket(name: str) -> VersionedBucket:
        from minio_proxy.stores.s3_source import S3Source  # noqa: PLC0415 - as above

        return S3Source(settings, name)

    buckets = S3Places(open_bucket)
    places = LeftPlaces(root_file(settings), FolderPlaces(), buckets)
    originals = Originals(store, limits, places=places)
    try:
        yield ProxyServices(
            settings=settings,
            limits=limits,
            store=store,
            originals=originals,
            thumbnails=ThumbnailService.from_settings(store, originals, settings),
            guard=Guard(settings, keys),
            decodes=DecodeLimiter(THUMBNAIL_THREADS),
        )
    finally:
        buckets.close()
        store.close()
