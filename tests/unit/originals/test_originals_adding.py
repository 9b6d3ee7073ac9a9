from __future__ import annotations

import hashlib
import io
import secrets
import tracemalloc
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

import matplotlib as mpl
import pytest

from minio_proxy.errors import (
    PictureTooLarge,
    StoreUnavailable,
    UndecodablePicture,
    UnsupportedFormat,
)
from minio_proxy.originals import Originals
from minio_proxy.picture.header import Limits
from minio_proxy.stores.folder import FolderStore
from support.stores_doubles import FakeCheck, WatchedStore, fail_on, part
from support.stores_streams import Trickle, Zeros, keys_of

PICTURE = b"PIC" + b"ture" * 100
KEY = hashlib.sha256(PICTURE).hexdigest()
MEBIBYTE = 1024 * 1024


@pytest.fixture
def store(tmp_path: Path) -> WatchedStore:
    """A folder store that notes what is done to it."""
    return WatchedStore(FolderStore(tmp_path / "store"))


@pytest.fixture
def originals(store: WatchedStore) -> Originals:
    """Originals that take what begins with PIC."""
    return Originals(store, Limits(max_bytes=4 * MEBIBYTE), FakeCheck())


def test_a_picture_lies_where_its_hash_says(originals: Originals, store: WatchedStore) -> None:
    """Original first, then its record part; the answer tells key, size and type."""
    added = originals.add(io.BytesIO(PICTURE), part())
    assert (added.image_key, added.duplicate) == (KEY, False)
    assert (added.size_bytes, added.media_type) == (len(PICTURE), "image/fake")
    assert store.keys_put() == [
        f"originals/{KEY[:2]}/{KEY}",
        f"records/{KEY[:2]}/{KEY}/{part().part_id}.json",
    ]
    assert originals.read(KEY) == PICTURE


@pytest.mark.parametrize("kind", ["bytes", "file", "trickle"])
def test_every_kind_of_stream(originals: Originals, kind: str) -> None:
    """Bytes, a file and a network's stream that cannot seek give the same picture."""
    streams: dict[str, bytes | BinaryIO] = {
        "bytes": PICTURE,
        "file": io.BytesIO(PICTURE),
        "trickle": cast("BinaryIO", Trickle(PICTURE, step=7)),
    }
    assert originals.add(streams[kind], part()).image_key == KEY
    assert originals.read(KEY) == PICTURE


def test_the_same_picture_again_is_a_duplicate(originals: Originals, store: WatchedStore) -> None:
    """The original is not written again; collection and source are added."""
    originals.add(PICTURE, part("upload", "a.jpg", "first"))
    added = originals.add(PICTURE, part("folder:/x", "b.jpg", "second"))
    assert added.duplicate is True
    assert store.keys_put().count(f"originals/{KEY[:2]}/{KEY}") == 1
    record = originals.record(KEY)
    assert record.collections == ("first", "second")
    assert record.sources == (("folder:/x", "b.jpg"), ("upload", "a.jpg"))


def test_fifty_simultaneous_adds_make_one_object(originals: Originals, store: WatchedStore) -> None:
    """Of fifty threads with the same bytes exactly one is no duplicate; one object is put."""
    with ThreadPoolExecutor(50) as pool:
        added = list(pool.map(lambda n: originals.add(PICTURE, part(path=str(n))), range(50)))
    assert Counter(one.duplicate for one in added) == {True: 49, False: 1}
    assert keys_of(store, "originals/") == [f"originals/{KEY[:2]}/{KEY}"]
    assert store.keys_put().count(f"originals/{KEY[:2]}/{KEY}") == 1
    assert len(originals.record(KEY).sources) == 50


@pytest.mark.parametrize("size_bytes", [4 * MEBIBYTE + 1, 5 * MEBIBYTE, 10**12])
def test_too_many_bytes_are_refused_without_an_announced_length(
    originals: Originals, store: WatchedStore, size_bytes: int
) -> None:
    """A body without an end is cut off at the limit, and nothing is stored."""
    endless = Zeros(size_bytes)
    with pytest.raises(PictureTooLarge) as caught:
        originals.add(cast("BinaryIO", endless), part())
    assert caught.value.details["limit"] == 4 * MEBIBYTE
    assert size_bytes - endless.left <= 4 * MEBIBYTE + 256 * 1024
    assert store.log == []


def test_a_smaller_limit_for_one_picture(originals: Originals) -> None:
    """max_bytes is inclusive and wins over the limit of all pictures."""
    with pytest.raises(PictureTooLarge):
        originals.add(PICTURE, part(), max_bytes=len(PICTURE) - 1)
    assert originals.add(PICTURE, part(), max_bytes=len(PICTURE)).image_key == KEY


@pytest.mark.parametrize("content", [b"", b"text", b"pic"])
def test_what_is_no_picture_is_not_stored(
    originals: Originals, store: WatchedStore, content: bytes
) -> None:
    """The check comes before the store."""
    with pytest.raises(UnsupportedFormat):
        originals.add(content, part())
    assert store.log == []


def test_a_large_picture_is_checked_by_its_head(store: WatchedStore) -> None:
    """Most formats need only the first MiB, so memory stays small."""
    check = FakeCheck()
    Originals(store, Limits(), check).add(b"PIC" + bytes(3 * MEBIBYTE), part())
    assert check.given == [MEBIBYTE]


def test_a_head_that_is_not_enough_is_followed_by_the_whole(store: WatchedStore) -> None:
    """A format with its header at the end is checked whole."""
    check = FakeCheck(needs_bytes=2 * MEBIBYTE)
    content = b"PIC" + bytes(3 * MEBIBYTE)
    Originals(store, Limits(), check).add(content, part())
    assert check.given == [MEBIBYTE, len(content)]


@pytest.mark.parametrize("size_bytes", [100, 2 * MEBIBYTE])
def test_a_damaged_picture_is_refused(store: WatchedStore, size_bytes: int) -> None:
    """Neither head nor whole understood: not stored."""
    originals = Originals(store, Limits(), FakeCheck(needs_bytes=10**9))
    with pytest.raises(UndecodablePicture):
        originals.add(b"PIC" + bytes(size_bytes), part())
    assert store.log == []


def test_memory_stays_bounded(store: WatchedStore) -> None:
    """Adding 48 MiB takes less than 8 MiB of memory."""

    class Picture(Zeros):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(size).replace(b"\0\0\0", b"PIC", 1)

    originals = Originals(store, Limits(), FakeCheck())
    tracemalloc.start()
    try:
        originals.add(cast("BinaryIO", Picture(48 * MEBIBYTE)), part())
        assert tracemalloc.get_traced_memory()[1] < 8 * MEBIBYTE
    finally:
        tracemalloc.stop()


def test_a_client_that_leaves(originals: Originals, store: WatchedStore) -> None:
    """What the stream raises reaches the caller, and nothing is stored."""
    failure = ConnectionResetError("client left")
    with pytest.raises(ConnectionResetError) as caught:
        originals.add(cast("BinaryIO", Trickle(PICTURE, failure=failure)), part())
    assert caught.value is failure
    assert store.log == []


@pytest.mark.parametrize("verb_on", ["originals/", "records/"])
def test_a_failing_store_acknowledges_nothing(
    originals: Originals, store: WatchedStore, verb_on: str
) -> None:
    """Whichever write fails, the caller hears of it; adding again completes the picture."""
    store.before = fail_on("put", verb_on)
    with pytest.raises(StoreUnavailable):
        originals.add(PICTURE, part(collection="c"))
    store.before = lambda _verb, _key: None
    originals.add(PICTURE, part(collection="c"))
    assert originals.read(KEY) == PICTURE
    assert originals.record(KEY).collections == ("c",)


def test_an_original_of_another_size_is_written_anew(
    originals: Originals, store: WatchedStore
) -> None:
    """A damaged original is healed by adding the picture again."""
    store.put(f"originals/{KEY[:2]}/{KEY}", io.BytesIO(b"half"), size_bytes=4)
    assert originals.add(PICTURE, part()).duplicate is False
    assert originals.read(KEY) == PICTURE


def test_a_delete_by_another_process_between_look_and_part(
    originals: Originals, store: WatchedStore
) -> None:
    """An acknowledged duplicate is really there, even if it was deleted meanwhile."""
    originals.add(PICTURE, part())

    def delete_first(verb: str, key: str) -> None:
        if verb == "put" and key.startswith("records/"):
            store.before = lambda _verb, _key: None
            store.delete(f"originals/{KEY[:2]}/{KEY}")

    store.before = delete_first
    assert originals.add(PICTURE, part(path="b.jpg")).duplicate is False
    assert originals.read(KEY) == PICTURE


def test_time_of_exposure_comes_from_the_picture(store: WatchedStore) -> None:
    """Where the caller knows none, the picture's own is recorded."""
    taken_at = datetime(2020, 5, 17, 12, tzinfo=UTC)
    Originals(store, Limits(), FakeCheck(taken_at=taken_at)).add(PICTURE, part())
    assert Originals(store, Limits()).record(KEY).taken_at == taken_at


def test_a_real_picture_with_the_real_check(store: WatchedStore) -> None:
    """The product's own check takes a photograph and refuses noise."""
    folder = Path(mpl.get_data_path()) / "sample_data"
    content = (folder / "grace_hopper.jpg").read_bytes()
    originals = Originals(store, Limits())
    added = originals.add(content, part())
    assert (added.image_key, added.media_type) == (
        hashlib.sha256(content).hexdigest(),
        "image/jpeg",
    )
    with pytest.raises(UnsupportedFormat):
        originals.add(secrets.token_bytes(1000), part())
    with pytest.raises(PictureTooLarge):
        Originals(store, Limits(max_pixels=1000)).add(content, part())
