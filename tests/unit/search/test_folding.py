"""One result for pictures that are nearly the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.search.folding import near_duplicates


def at(degrees: float) -> NDArray[np.float32]:
    """A vector of this direction."""
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], np.float32)


VECTORS = {"a": at(0), "b": at(5), "c": at(10), "d": at(90)}
ALIKE = float(np.cos(np.radians(6)))


def test_each_joins_the_first_leader_it_is_like() -> None:
    """Groups do not chain: c is like b, but b stands for nothing any more."""
    assert near_duplicates("abcd", VECTORS, ALIKE) == {"a": 1, "c": 0, "d": 0}
    assert near_duplicates("dcba", VECTORS, ALIKE) == {"d": 0, "c": 1, "a": 0}


def test_the_order_of_the_leaders_is_kept() -> None:
    """Folding takes away and moves nothing."""
    assert list(near_duplicates("bdac", VECTORS, ALIKE)) == ["b", "d"]


def test_the_querys_own_picture_is_never_hidden() -> None:
    """It leads its group wherever it stands, in its own place."""
    found = near_duplicates("abcd", VECTORS, ALIKE, first="b")
    assert found == {"b": 2, "d": 0}
    assert list(found) == ["b", "d"]


def test_what_has_no_direction_stands_for_itself() -> None:
    """No vector, or a zero one, is like nothing; nothing gives nothing."""
    zero = {**VECTORS, "z": np.zeros(2, np.float32)}
    assert near_duplicates("zay", zero, -1.0) == {"z": 0, "a": 0, "y": 0}
    assert near_duplicates("", {}, 0.9) == {}
