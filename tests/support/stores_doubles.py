"""Doubles for tests of originals: a picture check that needs no picture, a store that watches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO

from minio_proxy.errors import StoreUnavailable, UndecodablePicture, UnsupportedFormat
from minio_proxy.ports import Chunks, ObjectStat, ObjectStore
from minio_proxy.records import RecordPart


@dataclass(frozen=True, slots=True)
class FakeChecked:
    """What the fake check tells."""

    media_type: str = "image/fake"
    taken_at: datetime | None = None


class FakeCheck:
    """Takes what begins with ``PIC``; remembers how many bytes it was given.

    Args:
        needs_bytes: with fewer, the picture cannot be understood.
        taken_at: told of every picture.
    """

    def __init__(self, needs_bytes: int = 0, taken_at: datetime | None = None) -> None:
        self.given: list[int] = []
        self._needs_bytes = needs_bytes
        self._taken_at = taken_at

    def __call__(self, data: bytes) -> FakeChecked:
        """Check a picture."""
        self.given.append(len(data))
        if not data.startswith(b"PIC"):
            raise UnsupportedFormat("no picture")
        if len(data) < self._needs_bytes:
            raise UndecodablePicture("cut off")
        return FakeChecked(taken_at=self._taken_at)


class WatchedStore:
    """Passes every call on, keeps a log of it, and does something first when told to.

    Args:
        store: the real one.
    """

    def __init__(self, store: ObjectStore) -> None:
        self.log: list[tuple[str, str]] = []
        self.before: Callable[[str, str], None] = lambda _verb, _key: None
        self._store = store

    def keys_put(self) -> list[str]:
        """Keys that were put, in order."""
        return [key for verb, key in self.log if verb == "put"]

    def put(self, key: str, data: BinaryIO, *, size_bytes: int) -> ObjectStat:
        """As the store."""
        self._note("put", key)
        return self._store.put(key, data, size_bytes=size_bytes)

    def open(self, key: str, *, offset: int = 0, length: int | None = None) -> Chunks:
        """As the store."""
        self._note("open", key)
        return self._store.open(key, offset=offset, length=length)

    def stat(self, key: str) -> ObjectStat:
        """As the store."""
        self._note("stat", key)
        return self._store.stat(key)

    def delete(self, key: str) -> bool:
        """As the store."""
        self._note("delete", key)
        return self._store.delete(key)

    def list(self, prefix: str, *, after: str = "", limit: int = 1000) -> list[ObjectStat]:
        """As the store."""
        self._note("list", prefix)
        return self._store.list(prefix, after=after, limit=limit)

    def check(self) -> None:
        """As the store."""
        self._store.check()

    def close(self) -> None:
        """As the store."""
        self._store.close()

    def _note(self, verb: str, key: str) -> None:
        self.before(verb, key)
        self.log.append((verb, key))


def fail_on(verb: str, start: str) -> Callable[[str, str], None]:
    """Something for WatchedStore.before: the verb on keys that start so is unavailable."""

    def fail(actual_verb: str, key: str) -> None:
        if actual_verb == verb and key.startswith(start):
            raise StoreUnavailable("gone", key=key)

    return fail


def part(
    source: str = "upload",
    path: str | None = "a.jpg",
    collection: str | None = None,
    metadata: dict[str, object] | None = None,
    day: int = 1,
) -> RecordPart:
    """A record part of a day in 2026."""
    added_at = datetime(2026, 1, day, tzinfo=UTC)
    return RecordPart(source, path, collection, metadata, None, added_at)
