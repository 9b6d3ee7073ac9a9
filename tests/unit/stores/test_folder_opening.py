from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from minio_proxy.errors import (
    InvalidKey,
    ObjectNotFound,
    StoreCorrupt,
    StoreDenied,
    StoreFormatMismatch,
)
from minio_proxy.stores.folder import FolderStore
from support.stores_streams import get, keys_of, put


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty folder."""
    folder = tmp_path / "store"
    folder.mkdir()
    return folder


def test_a_new_folder_is_marked(tmp_path: Path) -> None:
    """The first opening makes the folders and writes the format version."""
    root = tmp_path / "not" / "there"
    assert FolderStore(root).list("") == []
    assert json.loads((root / "boxseek-store.json").read_bytes()) == {"format": 1}
    put(FolderStore(root), "a", b"x")
    assert keys_of(FolderStore(root)) == ["a"]


def test_another_format_is_refused_and_both_are_named(root: Path) -> None:
    """A store of another version is never read."""
    FolderStore(root)
    (root / "boxseek-store.json").write_text('{"format": 7}')
    with pytest.raises(StoreFormatMismatch, match="format 7, this Boxseek reads 1") as caught:
        FolderStore(root)
    assert (caught.value.details["actual"], caught.value.details["expected"]) == (7, 1)


@pytest.mark.parametrize("content", ["", "{}", "[1]", "not json", '"format"'])
def test_an_unreadable_mark_is_refused(root: Path, content: str) -> None:
    """A damaged mark is told as damage."""
    (root / "boxseek-store.json").write_text(content)
    with pytest.raises(StoreCorrupt, match=r"boxseek-store\.json"):
        FolderStore(root)


def test_a_folder_of_something_else_is_refused(root: Path) -> None:
    """Someone's photographs are not taken for a store, and stay untouched."""
    (root / "photo.jpg").write_bytes(b"x")
    with pytest.raises(StoreFormatMismatch, match=r"photo\.jpg"):
        FolderStore(root)
    assert [path.name for path in root.iterdir()] == ["photo.jpg"]


def test_what_file_systems_leave_is_no_content(root: Path) -> None:
    """A fresh volume or a hidden file does not stand in the way."""
    (root / "lost+found").mkdir()
    (root / ".DS_Store").write_bytes(b"x")
    put(FolderStore(root), "a", b"x")


def test_leftovers_of_a_crash_are_removed_after_a_day(root: Path) -> None:
    """Old temp files go when the store is opened; young ones may still be written."""
    put(FolderStore(root), "a", b"x")
    old, young = root / ".tmp" / "old", root / ".tmp" / "young"
    old.write_bytes(b"half")
    young.write_bytes(b"half")
    os.utime(old, (time.time() - 90_000,) * 2)
    store = FolderStore(root)
    assert not old.exists()
    assert young.exists()
    assert keys_of(store) == ["a"]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the store with a secret in it."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_bytes(b"secret")
    return folder


@pytest.mark.parametrize("kind", ["file", "folder", "fifo", "socketlike"])
def test_links_and_devices_are_not_objects(tmp_path: Path, outside: Path, kind: str) -> None:
    """A link out of the store or a FIFO in it is neither read, listed nor written through."""
    root = tmp_path / "store"
    store = FolderStore(root)
    put(store, "a/real", b"x")
    key = "a/odd"
    if kind == "file":
        (root / "a" / "odd").symlink_to(outside / "secret")
    elif kind == "folder":
        (root / "a" / "odd").symlink_to(outside)
        key = "a/odd/secret"
    elif kind == "fifo":
        os.mkfifo(root / "a" / "odd")
    else:
        (root / "a" / "odd").symlink_to(root / "a" / "real")
    for verb in (store.open, store.stat):
        with pytest.raises(ObjectNotFound):
            verb(key)
    assert store.delete(key) is False
    assert keys_of(store) == ["a/real"]
    if kind == "folder":
        with pytest.raises(InvalidKey):
            put(store, key, b"y")
    else:
        put(store, key, b"y")
        assert get(store, key) == b"y"
    assert (outside / "secret").read_bytes() == b"secret"
    assert get(store, "a/real") == b"x"


def test_strange_names_beside_the_objects_do_not_show(root: Path) -> None:
    """Files that no key names, not even UTF-8, break no listing."""
    store = FolderStore(root)
    put(store, "a/b", b"x")
    (root / "a" / "with space").write_bytes(b"x")
    Path(os.fsdecode(os.fsencode(root / "a") + b"/\xff\xfe")).write_bytes(b"x")
    assert keys_of(store) == ["a/b"]
    assert keys_of(store, "a/") == ["a/b"]


def test_no_descriptor_is_left_open(root: Path) -> None:
    """After every verb, failures too, the process has as many open files as before."""
    store = FolderStore(root)
    put(store, "a/b/c", b"x" * 600_000)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count
    for _ in range(20):
        put(store, "a/b/d", b"x")
        next(chunks := store.open("a/b/c"))
        chunks.close()
        get(store, "a/b/c")
        store.list("a/", limit=1)
        store.delete("a/b/d")
        store.check()
        for key in ("a", "a/b/c/d", "q/r"):
            with pytest.raises(ObjectNotFound):
                store.open(key)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - a count


def test_a_folder_that_cannot_be_made_names_the_setting() -> None:
    """Where no folder can be, the message says what to change."""
    with pytest.raises(StoreDenied, match="BOXSEEK_DATA_DIR"):
        FolderStore(Path("/proc/nowhere/store"))
