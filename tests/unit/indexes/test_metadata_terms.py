"""What metadata means in a filter."""

from __future__ import annotations

from typing import Any

import pytest

from embedding_pipeline.domain.metadata import MAX_TERM_CHARS, metadata_terms


@pytest.mark.parametrize(
    ("metadata", "terms"),
    [
        ({}, ()),
        ({"a": 1}, ("a=1",)),
        ({"a": 1.0}, ("a=1",)),
        ({"a": 1.5}, ("a=1.5",)),
        ({"a": True, "b": None}, ("a=true", "b=null")),
        ({"a": {"b": {"c": "d"}}}, ("a.b.c=d",)),
        ({"a": [1, [2, 1], {"b": 3}]}, ("a.b=3", "a=1", "a=2")),
        ({"a": [], "b": {}}, ("a=[]", "b={}")),
        ({"a=b": "c"}, ("a\\=b=c",)),
        ({"a": "b=c"}, ("a=b=c",)),
        ({"a": "\ud800"}, ("a=\\ud800",)),
    ],
)
def test_terms(metadata: dict[str, Any], terms: tuple[str, ...]) -> None:
    """Leaves become sorted path=text terms without repeats."""
    assert metadata_terms(metadata) == terms


def test_long_values_stay_distinct() -> None:
    """A long value is cut to a bounded term that another long value doesn't share."""
    (one,), (other,) = metadata_terms({"a": "x" * 9999}), metadata_terms({"a": "x" * 9998})
    assert one != other
    assert len(one) <= MAX_TERM_CHARS + 65
