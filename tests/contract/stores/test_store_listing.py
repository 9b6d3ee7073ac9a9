from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from minio_proxy.ports import ObjectStore
from support.stores_streams import keys_of, put, put_all

# Bytewise '-' < '.' < '/' < '0' < 'A' < '_' < 'a': a folder sorts between its neighbours.
TRICKY = [
    "A", "A/z", "B", "a-", "a-b", "a-b/c", "a.b", "a.b/c", "a/-", "a/b-", "a/b.c", "a/b/c",
    "a/b0", "a/bc", "a/c/d/e", "a0", "a0/x", "aa", "aa/b", "a_b", "b/0", "b/00", "b/1", "z/z/z/z",
]  # fmt: skip
TRICKY_FILES = sorted(
    key for key in TRICKY if not any(other.startswith(f"{key}/") for other in TRICKY)
)


@pytest.fixture
def full(store: ObjectStore) -> ObjectStore:
    """A store with tricky names, put in an order that is not theirs."""
    put_all(store, sorted(TRICKY_FILES, key=lambda key: (key[-1], key)))
    return store


def test_keys_come_in_byte_order(full: ObjectStore) -> None:
    """The order is that of the whole keys' bytes, not folder by folder."""
    assert keys_of(full) == TRICKY_FILES


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
def test_pages_neither_repeat_nor_skip(full: ObjectStore, limit: int) -> None:
    """Going on after the last key of each page gives every key once."""
    seen: list[str] = []
    while page := keys_of(full, after=seen[-1] if seen else "", limit=limit):
        assert len(page) <= limit
        seen += page
    assert seen == TRICKY_FILES


@pytest.mark.parametrize(
    "after", [*TRICKY, "", "0", "a", "a/", "a/b", "a/b/", "a/b/b", "b/0-", "~"]
)
def test_only_keys_greater_than_after(full: ObjectStore, after: str) -> None:
    """After need not be a key."""
    assert keys_of(full, after=after) == [key for key in TRICKY_FILES if key > after]


@pytest.mark.parametrize(
    "prefix", ["", "a", "a/", "a/b", "a/b/", "a/b/c", "a-", "a.", "A", "b/0", "z/z/z", "c", "a/q/"]
)
@pytest.mark.parametrize("after", ["", "A", "a/b", "a/b/c", "a/b0", "zz"])
def test_a_prefix_need_not_end_at_a_slash(full: ObjectStore, prefix: str, after: str) -> None:
    """Prefix and after together give what both allow."""
    expected = [key for key in TRICKY_FILES if key.startswith(prefix) and key > after]
    assert keys_of(full, prefix, after) == expected


@pytest.mark.parametrize("limit", [0, -1])
def test_no_limit_no_keys(full: ObjectStore, limit: int) -> None:
    """A limit of nothing gives nothing."""
    assert full.list("", limit=limit) == []


def test_a_listing_describes_as_stat_does(full: ObjectStore) -> None:
    """Size and etag in a listing are those of stat."""
    for found in full.list("a/"):
        described = full.stat(found.key)
        assert (found.size_bytes, found.etag) == (described.size_bytes, described.etag)
        assert abs((found.modified_at - described.modified_at).total_seconds()) < 1


def test_deleted_objects_leave_the_listing(full: ObjectStore) -> None:
    """A folder that was emptied is not shown and hinders nothing."""
    full.delete("z/z/z/z")
    full.delete("a/c/d/e")
    assert keys_of(full) == [key for key in TRICKY_FILES if key not in {"z/z/z/z", "a/c/d/e"}]


def test_more_than_a_thousand(store: ObjectStore) -> None:
    """A limit above a thousand is kept, and pages of a thousand fit together."""
    keys = [f"k/{number:04}" for number in range(1005)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: put(store, key, b""), keys))
    assert keys_of(store, "k/", limit=2000) == keys
    assert keys_of(store, "k/") == keys[:1000]
    assert keys_of(store, "k/", after=keys[999]) == keys[1000:]
