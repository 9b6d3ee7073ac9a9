from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import pytest

from minio_proxy.errors import (
    InvalidKey,
    ObjectNotFound,
    RangeNotSatisfiable,
    StoreCorrupt,
    StoreFormatMismatch,
)
from minio_proxy.originals import Originals, is_image_key
from minio_proxy.picture.header import Limits
from minio_proxy.stores.folder import FolderStore
from support.stores_doubles import FakeCheck, WatchedStore, part
from support.stores_streams import keys_of, put

PICTURE = b"PICture"
KEY = hashlib.sha256(PICTURE).hexdigest()
UNKNOWN = "0" * 64


@pytest.fixture
def store(tmp_path: Path) -> WatchedStore:
    """A folder store that notes what is done to it."""
    return WatchedStore(FolderStore(tmp_path / "store"))


@pytest.fixture
def originals(store: WatchedStore) -> Originals:
    """Originals with one picture."""
    found = Originals(store, Limits(), FakeCheck())
    found.add(PICTURE, part("upload", "a.jpg", "first", {"a": 1}))
    store.log.clear()
    return found


BAD_KEYS = [
    "",
    "abc",
    KEY.upper(),
    KEY[:-1],
    KEY + "0",
    f"{KEY[:-1]}g",
    "../" + KEY[3:],
    KEY + "\n",
]


@pytest.mark.parametrize("key", BAD_KEYS)
def test_no_verb_takes_a_bad_image_key(originals: Originals, store: WatchedStore, key: str) -> None:
    """Only 64 lowercase hex digits reach the store."""
    assert not is_image_key(key)
    for verb in (
        originals.read,
        originals.open,
        originals.stat,
        originals.exists,
        originals.record,
        originals.delete,
    ):
        with pytest.raises(InvalidKey):
            verb(key)
    with pytest.raises(InvalidKey):
        originals.add_part(key, part())
    with pytest.raises(InvalidKey):
        originals.remove_source(key, "upload")
    assert store.log == []


def test_reading_and_describing(originals: Originals) -> None:
    """A picture can be read whole, in a range, described and asked for."""
    assert b"".join(originals.open(KEY, 3, 2)) == b"tu"
    assert originals.stat(KEY).size_bytes == len(PICTURE)
    assert originals.exists(KEY) is True
    with pytest.raises(RangeNotSatisfiable):
        originals.open(KEY, 100)


def test_an_unknown_picture(originals: Originals) -> None:
    """Reading raises, asking says no, its record is empty, deleting it does nothing."""
    for verb in (originals.read, originals.open, originals.stat):
        with pytest.raises(ObjectNotFound):
            verb(UNKNOWN)
    with pytest.raises(ObjectNotFound):
        originals.add_part(UNKNOWN, part())
    assert originals.exists(UNKNOWN) is False
    assert originals.record(UNKNOWN).first_added_at is None
    assert originals.remove_source(UNKNOWN, "upload").sources == ()
    assert originals.delete(UNKNOWN) is False


def test_a_damaged_original_is_never_read_as_good(
    originals: Originals, store: WatchedStore
) -> None:
    """Other bytes under the key are told with both hashes."""
    put(store, f"originals/{KEY[:2]}/{KEY}", b"PICTURE")
    with pytest.raises(StoreCorrupt) as caught:
        originals.read(KEY)
    assert caught.value.details["expected"] == KEY
    assert caught.value.details["actual"] == hashlib.sha256(b"PICTURE").hexdigest()


def test_metadata_is_replaced_only_when_given(originals: Originals) -> None:
    """The newest given metadata counts; a part without any keeps it."""
    originals.add_part(KEY, part("folder:/x", "b.jpg", "second", day=2))
    assert originals.record(KEY).metadata == {"a": 1}
    originals.add_part(KEY, part("folder:/x", "b.jpg", "second", {"b": 2}, day=3))
    assert originals.record(KEY).metadata == {"b": 2}
    originals.add_part(KEY, part("upload", "a.jpg", "first", {"a": 1}, day=4))
    assert originals.record(KEY).metadata == {"a": 1}
    originals.add_part(KEY, part("upload", "a.jpg", "first", {}, day=5))
    assert originals.record(KEY).metadata == {}


def test_the_same_fact_again_writes_nothing(originals: Originals, store: WatchedStore) -> None:
    """A repeated run over the same source changes no record and keeps the first time."""
    before = originals.record(KEY)
    originals.add_part(KEY, part("upload", "a.jpg", "first", {"a": 1}, day=9))
    originals.add(PICTURE, part("upload", "a.jpg", "first", {"a": 1}, day=9))
    assert originals.record(KEY) == before
    assert store.keys_put() == []


def test_removing_a_source(originals: Originals) -> None:
    """One path or all of a source; what others brought stays."""
    for path in ("1.jpg", "2.jpg", None):
        originals.add_part(KEY, part("folder:/x", path, "second", day=2))
    left = originals.remove_source(KEY, "folder:/x", "1.jpg")
    assert left.sources == (("folder:/x", None), ("folder:/x", "2.jpg"), ("upload", "a.jpg"))
    left = originals.remove_source(KEY, "folder:/x")
    assert left.sources == (("upload", "a.jpg"),)
    assert left.collections == ("first",)
    assert left == originals.record(KEY)
    assert originals.exists(KEY)


def test_delete_removes_record_and_original(originals: Originals, store: WatchedStore) -> None:
    """Nothing of the picture is left, and the same picture can come again."""
    assert originals.delete(KEY) is True
    assert keys_of(store) == []
    assert originals.delete(KEY) is False
    assert originals.add(PICTURE, part()).duplicate is False


def test_delete_removes_what_is_unreadable(originals: Originals, store: WatchedStore) -> None:
    """A damaged record part does not keep a picture from being deleted."""
    put(store, f"records/{KEY[:2]}/{KEY}/{'0' * 32}.json", b"not json")
    assert originals.delete(KEY) is True
    assert keys_of(store) == []


def test_a_part_added_during_a_delete_goes_too(originals: Originals, store: WatchedStore) -> None:
    """No record stays without its picture."""

    def add_a_part(verb: str, key: str) -> None:
        if verb == "delete" and key.startswith("originals/"):
            put(store, f"records/{KEY[:2]}/{KEY}/{part().part_id}.json", part().to_json())

    store.before = add_a_part
    assert originals.delete(KEY) is True
    assert keys_of(store) == []


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"not json", StoreCorrupt),
        (b"[]", StoreCorrupt),
        (b"\xff\xfe", StoreCorrupt),
        (json.dumps({"format": 1}).encode(), StoreCorrupt),
        (json.dumps({"format": 3}).encode(), StoreFormatMismatch),
        (part().to_json().replace(b"2026-01-01", b"someday"), StoreCorrupt),
    ],
)
def test_an_unreadable_part_is_named(
    originals: Originals, store: WatchedStore, body: bytes, error: type[Exception]
) -> None:
    """A damaged or newer record is an error with its address, never an empty record."""
    address = f"records/{KEY[:2]}/{KEY}/{'0' * 32}.json"
    put(store, address, body)
    with pytest.raises(error, match=address):
        originals.record(KEY)


def test_keys_come_in_order_and_pages(tmp_path: Path) -> None:
    """Only originals, each once, whatever else lies beside them."""
    store = FolderStore(tmp_path / "store")
    originals = Originals(store, Limits(), FakeCheck())
    contents = [b"PIC%d" % number for number in range(25)]
    expected = sorted(originals.add(content, part()).image_key for content in contents)
    for odd in (f"originals/00/{'f' * 64}", "originals/zz/x", "originals/readme.txt"):
        store.put(odd, io.BytesIO(b"x"), size_bytes=1)
    seen: list[str] = []
    while page := originals.keys(after=seen[-1] if seen else "", limit=4):
        assert len(page) <= 4
        seen += page
    assert seen == expected
    assert originals.keys() == expected
    assert originals.keys(after="f" * 64) == []


def test_a_record_of_many_parts(originals: Originals, store: WatchedStore) -> None:
    """A record of more than a page of parts is read whole."""
    for number in range(1003):
        one = part("s", str(number), day=2)
        put(store, f"records/{KEY[:2]}/{KEY}/{one.part_id}.json", one.to_json())
    assert len(originals.record(KEY).sources) == 1004
