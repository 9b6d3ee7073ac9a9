"""Originals that were left in their source: which reader, and whether it may."""

from __future__ import annotations

from typing import Final

from minio_proxy.errors import SourceAway
from minio_proxy.ports import Chunks, ObjectStat, Places
from minio_proxy.records import Place
from minio_proxy.stores.roots import RootFile

S3: Final = "s3://"


class LeftPlaces:
    """The port of in-place originals over folders and buckets (see minio_proxy.ports.Places).

    Args:
        roots: what may be read.
        folders: reads files.
        buckets: reads objects.
    """

    def __init__(self, roots: RootFile, folders: Places, buckets: Places) -> None:
        self._roots = roots
        self._folders = folders
        self._buckets = buckets

    def in_use(self) -> bool:
        """Whether any root is recorded."""
        return bool(self._roots.roots())

    def stat(self, place: Place, image_key: str) -> ObjectStat:
        """Describe an original (see the port)."""
        return self._reader(place, image_key).stat(place, image_key)

    def open(
        self, place: Place, image_key: str, *, offset: int = 0, length: int | None = None
    ) -> Chunks:
        """Stream an original (see the port)."""
        reader = self._reader(place, image_key)
        return reader.open(place, image_key, offset=offset, length=length)

    def _reader(self, place: Place, image_key: str) -> Places:
        if place.root not in self._roots.roots():
            raise SourceAway(
                f"The original {image_key} was left in {place.root!r}, which no ingest on this "
                "machine recorded; run boxseek ingest --in-place on it here.",
                key=image_key,
            )
        return self._buckets if place.root.startswith(S3) else self._folders
