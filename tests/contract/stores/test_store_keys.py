from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from minio_proxy.errors import InvalidKey
from minio_proxy.ports import ObjectStore
from support.stores_streams import get, keys_of, put

BAD_KEYS = {
    "empty": "",
    "root": "/",
    "absolute": "/etc/passwd",
    "parent": "..",
    "parent first": "../x",
    "parent within": "a/../../x",
    "parent last": "a/..",
    "here": ".",
    "here within": "a/./b",
    "empty segment": "a//b",
    "slash last": "a/",
    "513 characters": "/".join(["a" * 200, "b" * 200, "c" * 111]),
    "segment of 256": "a" * 256,
    "percent": "%2e%2e/x",
    "percent slash": "a%2fb",
    "double percent": "%252e%252e%252fx",
    "backslash": "..\\x",
    "zero": "a\0b",
    "newline": "a\n",
    "space": "a b",
    "overlong dots": "\u2025/x",
    "full-width dot": "\uff0e\uff0e/x",
    "division slash": "a\u2215b",
    "umlaut": "\u00e4",
    "arabic digit": "\u0661",
    "surrogate": "a\udc80",
    "tilde": "~root/x",
    "query": "a?b",
    "temp area": ".tmp/x",
    "format mark": "boxseek-store.json",
    "check mark": "boxseek-check",
}
VERBS: dict[str, Callable[[ObjectStore, str], object]] = {
    "put": lambda store, key: store.put(key, io.BytesIO(b"x"), size_bytes=1),
    "open": lambda store, key: store.open(key),
    "stat": lambda store, key: store.stat(key),
    "delete": lambda store, key: store.delete(key),
}


@pytest.mark.parametrize("key", BAD_KEYS.values(), ids=BAD_KEYS.keys())
def test_no_verb_takes_a_bad_key(store: ObjectStore, key: str) -> None:
    """Every verb refuses a key that is malformed or could leave the store."""
    assert len(BAD_KEYS["513 characters"]) == 513
    for verb in VERBS.values():
        with pytest.raises(InvalidKey):
            verb(store, key)


@pytest.mark.parametrize("prefix", ["/", "../", "a/../b", "a//", "%2e", "\u00e4", "a b", "./a"])
def test_no_listing_of_a_bad_prefix(store: ObjectStore, prefix: str) -> None:
    """A prefix that no key starts with is refused, not answered with nothing."""
    with pytest.raises(InvalidKey):
        store.list(prefix)


@pytest.mark.parametrize(
    "key",
    [
        "a",
        "A",
        "...",
        "..a/b..",
        ".hidden/.x",
        "-",
        "_-._",
        "boxseek-store.json.bak",
        "a/boxseek-store.json",
        "a/.tmp/b",
        "a" * 255,
        "/".join(["a" * 200, "b" * 200, "c" * 110]),
        "/".join("abcdefghijklmnopqrstuvwxyz"),
    ],
)
def test_odd_but_good_keys_work(store: ObjectStore, key: str) -> None:
    """Keys that only look dangerous are ordinary ones."""
    put(store, key, b"content")
    assert get(store, key) == b"content"
    assert keys_of(store) == [key]
    assert store.delete(key) is True


def test_keys_differ_by_case(store: ObjectStore) -> None:
    """Upper and lower case are two objects."""
    put(store, "x/Ab", b"1")
    put(store, "x/aB", b"2")
    assert (get(store, "x/Ab"), get(store, "x/aB")) == (b"1", b"2")


@pytest.mark.parametrize(("first", "second"), [("a", "a/b"), ("a/b", "a"), ("a/b", "a/b/c/d")])
def test_a_key_that_continues_another_never_breaks_it(
    store: ObjectStore, first: str, second: str
) -> None:
    """Such a key works or is refused by name; the first object stays whole."""
    put(store, first, b"first")
    try:
        put(store, second, b"second")
    except InvalidKey:
        assert keys_of(store) == [first]
    else:
        assert get(store, second) == b"second"
    assert get(store, first) == b"first"
