"""A store and originals in memory, for tests of what stands above them."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import BinaryIO

from minio_proxy.errors import ObjectNotFound, StoreError
from minio_proxy.ports import ObjectStat


class PictureChunks:
    """Chunks of an object in memory."""

    def __init__(self, data: bytes) -> None:
        self._parts = iter([data])

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._parts)

    def close(self) -> None:
        """Nothing is held."""


class MemoryStore:
    """ObjectStore in a dict; ``failing`` makes every put fail with that error."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.failing: StoreError | None = None
        self._lock = threading.Lock()

    def put(self, key: str, data: BinaryIO, *, size_bytes: int) -> ObjectStat:
        """Keep an object."""
        if self.failing:
            raise self.failing
        with self._lock:
            self.objects[key] = data.read(size_bytes)
        return self.stat(key)

    def open(self, key: str, *, offset: int = 0, length: int | None = None) -> PictureChunks:
        """Give an object's bytes."""
        self.stat(key)
        end = None if length is None else offset + length
        return PictureChunks(self.objects[key][offset:end])

    def stat(self, key: str) -> ObjectStat:
        """Describe an object."""
        if key not in self.objects:
            raise ObjectNotFound("No such object.", key=key)
        data = self.objects[key]
        etag = hashlib.sha256(data).hexdigest()
        return ObjectStat(key, len(data), etag, datetime.now(UTC))

    def delete(self, key: str) -> bool:
        """Remove an object."""
        with self._lock:
            return self.objects.pop(key, None) is not None

    def list(self, prefix: str, *, after: str = "", limit: int = 1000) -> list[ObjectStat]:
        """List a page of objects."""
        keys = sorted(k for k in self.objects if k.startswith(prefix) and k > after)
        return [self.stat(key) for key in keys[:limit]]

    def check(self) -> None:
        """Always works."""

    def close(self) -> None:
        """Nothing is held."""


class MemoryOriginals:
    """Originals by key; counts reads, and lets a test hold them back."""

    def __init__(self) -> None:
        self.pictures: dict[str, bytes] = {}
        self.reads = 0
        self.open_gate = threading.Event()
        self.open_gate.set()

    def add(self, data: bytes) -> str:
        """Keep an original and give its key."""
        key = hashlib.sha256(data).hexdigest()
        self.pictures[key] = data
        return key

    def read(self, image_key: str) -> bytes:
        """Give an original when the gate is open."""
        self.reads += 1
        if not self.open_gate.wait(10):
            raise TimeoutError("the test never opened the gate")
        if image_key not in self.pictures:
            raise ObjectNotFound("No such picture.", key=image_key)
        return self.pictures[image_key]

    def exists(self, image_key: str) -> bool:
        """Tell whether it is kept."""
        return image_key in self.pictures
