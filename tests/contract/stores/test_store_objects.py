from __future__ import annotations

import io
import secrets
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, cast

import pytest

from minio_proxy.errors import ObjectNotFound, StoreError
from minio_proxy.ports import ObjectStore
from support.stores_streams import Trickle, Zeros, get, keys_of, put

KEY = "originals/ab/abcd"
MEBIBYTE = 1024 * 1024


@pytest.mark.parametrize(
    "size_bytes",
    [0, 1, 256 * 1024, 256 * 1024 + 1, 8 * MEBIBYTE, 8 * MEBIBYTE + 1, 17 * MEBIBYTE],
)
def test_what_was_put_is_read(store: ObjectStore, size_bytes: int) -> None:
    """Content comes back as it was, in chunks of at most 256 KiB, also above a part's size."""
    content = secrets.token_bytes(size_bytes)
    stat = put(store, KEY, content)
    chunks = list(store.open(KEY))
    assert b"".join(chunks) == content
    assert all(0 < len(chunk) <= 256 * 1024 for chunk in chunks)
    assert (stat.key, stat.size_bytes) == (KEY, size_bytes)


def test_stat_tells_what_put_told(store: ObjectStore) -> None:
    """Put and stat describe the object alike: size, etag without quotes, time in UTC."""
    written = put(store, KEY, b"some content")
    found = store.stat(KEY)
    assert (found.key, found.size_bytes, found.etag) == (KEY, 12, written.etag)
    assert found.etag
    assert '"' not in found.etag
    assert found.modified_at.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - found.modified_at) < timedelta(minutes=5)


def test_a_put_replaces_the_whole_object(store: ObjectStore) -> None:
    """A second, shorter content leaves nothing of the first, and the etag changes."""
    first = put(store, KEY, b"a long first content")
    second = put(store, KEY, b"short")
    assert get(store, KEY) == b"short"
    assert second.etag != first.etag
    assert keys_of(store) == [KEY]


def test_an_open_stream_outlives_a_replacement(store: ObjectStore) -> None:
    """A reader that has begun gets the content that it began with, never a mixture."""
    put(store, KEY, b"a" * 300_000)
    chunks = store.open(KEY)
    begun = next(chunks)
    put(store, KEY, b"b" * 300_000)
    assert begun + b"".join(chunks) == b"a" * 300_000


@pytest.mark.parametrize("verb", ["open", "stat"])
def test_a_missing_object_is_named(store: ObjectStore, verb: str) -> None:
    """Open and stat of a missing key raise at the call and name the key."""
    put(store, "originals/ab/other", b"x")
    with pytest.raises(ObjectNotFound, match=KEY) as caught:
        getattr(store, verb)(KEY)
    assert caught.value.details["key"] == KEY


@pytest.mark.parametrize("verb", ["open", "stat"])
def test_nothing_is_found_in_a_new_store(store: ObjectStore, verb: str) -> None:
    """A store that nothing was written to (no bucket yet) knows no object."""
    with pytest.raises(ObjectNotFound):
        getattr(store, verb)(KEY)
    assert store.list("") == []
    assert store.delete(KEY) is False


def test_delete_says_whether_it_was_there(store: ObjectStore) -> None:
    """The first delete says True, the second False; the neighbour stays."""
    put(store, KEY, b"x")
    put(store, "originals/ab/abce", b"y")
    assert store.delete(KEY) is True
    assert store.delete(KEY) is False
    with pytest.raises(ObjectNotFound):
        store.open(KEY)
    assert keys_of(store) == ["originals/ab/abce"]


def test_a_deleted_key_can_be_written_again(store: ObjectStore) -> None:
    """Deleting the last object of a folder does not hinder the next one."""
    for content in (b"one", b"two"):
        put(store, KEY, content)
        assert get(store, KEY) == content
        assert store.delete(KEY) is True


@pytest.mark.parametrize("size_bytes", [1001, 9 * MEBIBYTE])
def test_a_short_stream_stores_nothing(store: ObjectStore, size_bytes: int) -> None:
    """A stream that ends early is an error naming both sizes; the old object stays."""
    put(store, KEY, b"old")
    with pytest.raises(StoreError) as caught:
        store.put(KEY, io.BytesIO(b"x" * 1000), size_bytes=size_bytes)
    assert caught.value.details == {"key": KEY, "expected": size_bytes, "actual": 1000}
    assert get(store, KEY) == b"old"


def test_a_short_stream_of_a_new_key_leaves_no_object(store: ObjectStore) -> None:
    """Nothing of an unfinished put shows."""
    with pytest.raises(StoreError):
        store.put(KEY, io.BytesIO(), size_bytes=1)
    assert store.list("") == []


def test_of_a_longer_stream_only_the_promised_bytes_are_taken(store: ObjectStore) -> None:
    """The rest stays in the stream for whoever comes next."""
    stream = io.BytesIO(b"first.second")
    store.put(KEY, stream, size_bytes=6)
    assert get(store, KEY) == b"first."
    assert stream.read() == b"second"


@pytest.mark.parametrize("failure", [OSError("client left"), ValueError("too large")], ids=repr)
def test_what_the_stream_raises_reaches_the_caller(store: ObjectStore, failure: Exception) -> None:
    """The caller's own error is not taken for one of the store, and nothing is stored."""
    with pytest.raises(type(failure)) as caught:
        store.put(KEY, cast("BinaryIO", Trickle(b"x" * 5000, failure=failure)), size_bytes=9000)
    assert caught.value is failure
    assert store.list("") == []


def test_a_stream_that_trickles_and_cannot_seek(store: ObjectStore) -> None:
    """A network's stream gives a few bytes a read; the first put works with it, too."""
    content = secrets.token_bytes(300_001)
    store.put(KEY, cast("BinaryIO", Trickle(content, step=777)), size_bytes=len(content))
    assert get(store, KEY) == content


def test_memory_does_not_grow_with_the_object(store: ObjectStore) -> None:
    """Putting and reading 96 MiB takes less than 40 MiB of memory."""
    import tracemalloc  # noqa: PLC0415 - slows everything else down

    size_bytes = 96 * MEBIBYTE
    tracemalloc.start()
    try:
        store.put(KEY, cast("BinaryIO", Zeros(size_bytes)), size_bytes=size_bytes)
        assert sum(len(chunk) for chunk in store.open(KEY)) == size_bytes
        assert tracemalloc.get_traced_memory()[1] < 40 * MEBIBYTE
    finally:
        tracemalloc.stop()


def test_a_reader_may_stop_early(store: ObjectStore) -> None:
    """Closing a stream in the middle is harmless, twice too, and ends it."""
    put(store, KEY, b"x" * MEBIBYTE)
    for _ in range(50):
        chunks = store.open(KEY)
        next(chunks)
        chunks.close()
        chunks.close()
        assert list(chunks) == []
    assert len(get(store, KEY)) == MEBIBYTE


def test_a_working_store_passes_its_check(store: ObjectStore) -> None:
    """Readiness leaves nothing behind that a listing shows."""
    store.check()
    put(store, KEY, b"x")
    store.check()
    assert keys_of(store) == [KEY]
