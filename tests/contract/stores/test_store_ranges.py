from __future__ import annotations

import pytest

from minio_proxy.errors import ObjectNotFound, RangeNotSatisfiable
from minio_proxy.ports import ObjectStore
from support.stores_streams import get, put

KEY = "originals/ab/abcd"
CONTENT = bytes(range(256)) * 3000  # 750 KiB


@pytest.mark.parametrize(
    ("offset", "length"),
    [
        pytest.param(0, None, id="all"),
        pytest.param(0, 1, id="first byte"),
        pytest.param(len(CONTENT) - 1, None, id="last byte"),
        pytest.param(len(CONTENT) - 1, 1, id="last byte counted"),
        pytest.param(100, 300_000, id="across chunks"),
        pytest.param(5, len(CONTENT), id="past the end"),
        pytest.param(0, 10**12, id="far past the end"),
        pytest.param(7, 0, id="nothing"),
        pytest.param(0, 0, id="nothing at the start"),
        pytest.param(1, None, id="all but the first"),
    ],
)
def test_a_range_gives_its_bytes(store: ObjectStore, offset: int, length: int | None) -> None:
    """A range is what Python's slice gives."""
    put(store, KEY, CONTENT)
    end = None if length is None else offset + length
    assert get(store, KEY, offset, length) == CONTENT[offset:end]


@pytest.mark.parametrize(
    ("offset", "length"),
    [
        pytest.param(len(CONTENT), None, id="at the end"),
        pytest.param(len(CONTENT), 0, id="nothing at the end"),
        pytest.param(len(CONTENT), 5, id="at the end counted"),
        pytest.param(10**15, 5, id="far past the end"),
        pytest.param(-1, None, id="negative offset"),
        pytest.param(0, -1, id="negative length"),
    ],
)
def test_a_range_outside_is_refused_at_the_call(
    store: ObjectStore, offset: int, length: int | None
) -> None:
    """A range that begins past the end or makes no sense never becomes a stream."""
    put(store, KEY, CONTENT)
    with pytest.raises(RangeNotSatisfiable):
        store.open(KEY, offset=offset, length=length)


@pytest.mark.parametrize("length", [None, 0, 1, 10], ids=str)
def test_an_empty_object_gives_no_bytes(store: ObjectStore, length: int | None) -> None:
    """From its start an empty object can be read, whatever length is asked."""
    put(store, KEY, b"")
    assert get(store, KEY, 0, length) == b""


def test_an_empty_object_has_no_second_byte(store: ObjectStore) -> None:
    """An offset past the end of an empty object is refused, too."""
    put(store, KEY, b"")
    with pytest.raises(RangeNotSatisfiable):
        store.open(KEY, offset=1)


@pytest.mark.parametrize("length", [0, 5])
def test_a_range_of_a_missing_object(store: ObjectStore, length: int) -> None:
    """Missing comes before the range."""
    with pytest.raises(ObjectNotFound):
        store.open(KEY, offset=3, length=length)
