"""Contract of the index port: pictures, counts and check."""

from __future__ import annotations

import pytest

from embedding_pipeline.ports.index import IndexCounts, ObjectIndex
from support.indexes_samples import fill, key, picture


def test_empty_index_lists_nothing(index: ObjectIndex) -> None:
    """Lists and counts of an empty index are empty, and it is ready for searches."""
    assert index.pictures() == []
    assert index.count() == IndexCounts(0, 0)
    assert index.label_counts() == {}
    assert index.collection_counts() == {}
    index.check()


@pytest.mark.parametrize("size", [1, 4, 10, 25, 26])
def test_pages_neither_repeat_nor_skip(index: ObjectIndex, size: int) -> None:
    """Pages of any size together are all pictures in key order."""
    fill(index, [picture(i) for i in range(25)])
    listed: list[str] = []
    while page := index.pictures(after=listed[-1] if listed else "", limit=size):
        assert len(page) <= size
        listed += [entry.image_key for entry in page]
    assert listed == sorted(key(i) for i in range(25))


def test_page_holds_whole_picture_entries(index: ObjectIndex) -> None:
    """A page's entries are the rank 0 entries as they were put."""
    made = picture(1, collections=["x"], metadata={"a": 1})
    fill(index, [made])
    assert index.pictures() == [made.entries[0]]


@pytest.mark.parametrize("after", ["", "0" * 64, "not a key", "it's"])
def test_after_need_not_be_a_picture(index: ObjectIndex, after: str) -> None:
    """Any text may stand where a key does; keys greater than it follow."""
    fill(index, [picture(i) for i in range(5)])
    expected = sorted(key(i) for i in range(5) if key(i) > after)
    assert [entry.image_key for entry in index.pictures(after=after)] == expected


@pytest.mark.parametrize("limit", [0, -3])
def test_page_of_nothing(index: ObjectIndex, limit: int) -> None:
    """A limit of zero gives the empty list."""
    fill(index, [picture(1)])
    assert index.pictures(limit=limit) == []


def test_counts_follow_puts_and_deletes(index: ObjectIndex) -> None:
    """Pictures and objects are counted apart."""
    fill(index, [picture(1, ["a", "b", "c"]), picture(2, [])])
    assert index.count() == IndexCounts(2, 3)
    index.delete([key(1)])
    index.make_searchable()
    assert index.count() == IndexCounts(1, 0)


def test_label_counts_are_complete_and_ordered(index: ObjectIndex) -> None:
    """Every label is counted over objects, most first, then by name; more than a few hundred."""
    labels = [f"label {i:04d}" for i in range(998)]
    fill(index, [picture(1, labels), picture(2, ["zebra", "ant", "zebra"]), picture(3, ["zebra"])])
    counts = index.label_counts()
    assert list(counts.items())[:3] == [("zebra", 3), ("ant", 1), ("label 0000", 1)]
    assert len(counts) == 1000


def test_collection_counts_are_over_pictures(index: ObjectIndex) -> None:
    """A picture counts once for each of its collections, however many objects it has."""
    fill(
        index,
        [
            picture(1, ["a", "b"], collections=["x", "y"]),
            picture(2, ["a"], collections=["y"]),
            picture(3, collections=["b", "a"]),
            picture(4),
        ],
    )
    assert list(index.collection_counts().items()) == [("y", 2), ("a", 1), ("b", 1), ("x", 1)]
