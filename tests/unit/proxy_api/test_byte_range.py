from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minio_proxy.api.byte_range import parse_range
from minio_proxy.errors import RangeNotSatisfiable


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", (0, 0)),
        ("bytes=0-99", (0, 99)),
        ("bytes=10-", (10, 99)),
        ("bytes=-10", (90, 99)),
        ("bytes=-1000", (0, 99)),
        ("bytes=0-100000000000000000000000000000", (0, 99)),
        ("bytes=0-" + "9" * 10_000, (0, 99)),
        ("BYTES = 1-2 ", (1, 2)),
        ("bytes=000-0001", (0, 1)),
        (None, None),
        ("", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=1-2,4-5", None),
        ("bytes=" + ",".join(["0-1"] * 10_000), None),
        ("lines=0-1", None),
        ("bytes=٣-٤", None),
        ("bytes=0x1-2", None),
        ("bytes=1.5-2", None),
    ],
    ids=lambda value: str(value)[:30],
)
def test_one_range_counts_and_everything_else_is_ignored(
    header: str | None, expected: tuple[int, int] | None
) -> None:
    """A single range is cut to the object; several, other units and nonsense mean the whole."""
    found = parse_range(header, 100)
    assert (found and (found.first, found.last)) == expected
    if found:
        assert found.content_range == f"bytes {found.first}-{found.last}/100"


@pytest.mark.parametrize(
    "header", ["bytes=100-", "bytes=100-200", "bytes=5-4", "bytes=-0", "bytes=" + "9" * 30 + "-"]
)
def test_inverted_and_outside_ranges_are_unsatisfiable(header: str) -> None:
    """They are refused with the object's size."""
    with pytest.raises(RangeNotSatisfiable) as refused:
        parse_range(header, 100)
    assert refused.value.details == {"size_bytes": 100}


@given(st.from_regex(r"\Abytes=[0-9]{0,25}-[0-9]{0,25}\Z"), st.integers(1, 10**12))
def test_a_range_always_lies_inside_the_object(header: str, size_bytes: int) -> None:
    """Whatever is asked for, only bytes that exist are given."""
    try:
        found = parse_range(header, size_bytes)
    except RangeNotSatisfiable:
        return
    if found:
        assert 0 <= found.first <= found.last < size_bytes
        assert found.length >= 1
