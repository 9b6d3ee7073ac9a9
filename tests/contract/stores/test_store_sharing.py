from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from minio_proxy.errors import ObjectNotFound
from minio_proxy.ports import ObjectStore
from support.stores_streams import get, keys_of, put


def test_many_threads_write_and_read(store: ObjectStore) -> None:
    """Sixteen threads with their own keys in shared folders lose nothing."""

    def work(number: int) -> None:
        key = f"t/{number % 4}/{number}"
        put(store, key, key.encode() * 1000)
        assert get(store, key) == key.encode() * 1000

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(64)))
    assert len(keys_of(store, "t/")) == 64


def test_writers_of_one_key_never_mix(store: ObjectStore) -> None:
    """While eight threads replace an object, every reader gets one of their contents."""
    contents = [bytes([65 + number]) * 200_000 for number in range(8)]
    put(store, "one", contents[0])
    seen: list[bytes] = []

    def write(content: bytes) -> None:
        for _ in range(5):
            put(store, "one", content)
            seen.append(get(store, "one"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, contents))
    assert len(seen) == 40
    assert all(content in contents for content in seen)


def test_deleting_beside_writing(store: ObjectStore) -> None:
    """Puts and deletes that empty and fill the same folder never fail."""
    stop = threading.Event()

    def remove() -> int:
        count = 0
        while not stop.is_set():
            count += sum(store.delete(f"d/e/{number}") for number in range(4))
        return count

    def write(number: int) -> None:
        for _ in range(25):
            put(store, f"d/e/{number}", b"x")

    with ThreadPoolExecutor(5) as pool:
        removed = pool.submit(remove)
        try:
            list(pool.map(write, range(4)))
        finally:
            stop.set()
    left = keys_of(store, "d/")
    assert removed.result() > 0
    for key in left:
        assert get(store, key) == b"x"


def test_two_instances_see_each_other(open_store: Callable[[], ObjectStore]) -> None:
    """What one instance acknowledged the other finds, lists and deletes at once."""
    first, second = open_store(), open_store()
    put(first, "x/1", b"one")
    assert get(second, "x/1") == b"one"
    put(second, "x/2", b"two")
    assert keys_of(first) == ["x/1", "x/2"]
    assert second.delete("x/1") is True
    try:
        first.stat("x/1")
    except ObjectNotFound:
        pass
    else:
        raise AssertionError("the first instance still sees what the second has deleted")


def test_two_new_instances_write_at_once(open_store: Callable[[], ObjectStore]) -> None:
    """First writes of several instances to a store that is not there yet all succeed."""
    stores = [open_store() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: put(stores[n], f"k/{n}", b"x"), range(4)))
    assert keys_of(stores[0]) == ["k/0", "k/1", "k/2", "k/3"]
