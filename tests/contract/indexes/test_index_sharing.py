"""Contract of the index port: many handles, threads and writers at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from embedding_pipeline.domain.entries import EntryFilter
from embedding_pipeline.ports.index import IndexCatalog, IndexCounts, ObjectIndex
from support.indexes_samples import description, fill, key, picture, unit_vectors

OpenCatalog = Callable[[], IndexCatalog]


def test_two_handles_see_each_other(index: ObjectIndex, open_catalog: OpenCatalog) -> None:
    """What one handle writes the other reads, lists, finds and deletes."""
    other = open_catalog().open()
    fill(index, [picture(1)])
    assert other.count() == IndexCounts(1, 2)
    assert other.picture(key(1)) is not None
    found = other.nearest(picture(1).vectors[1], limit=1, where=EntryFilter())
    assert found[0].object_id == f"{key(1)}-001"
    fill(other, [picture(2), picture(1, ["only"])])
    assert index.label_counts() == {"cat": 1, "dog": 1, "only": 1}
    assert other.delete([key(2)]) == 1
    assert index.picture(key(2)) is None
    other.close()


def test_threads_write_search_and_optimize_together(index: ObjectIndex) -> None:
    """Nothing is lost or doubled when many threads use one handle."""
    query = unit_vectors(1, seed="q")[0]

    def work(worker: int) -> None:
        for step in range(8):
            number = 100 * worker + step
            assert index.put([picture(number), picture(f"shared {step}")]).failures == ()
            assert index.picture(key(number)) is not None
            index.nearest(query, limit=20, where=EntryFilter(labels=("dog",)))
            if worker == 0:
                index.optimize()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    index.make_searchable()
    assert index.count() == IndexCounts(56, 112)
    names = [hit.object_id for hit in index.nearest(query, limit=500, where=EntryFilter())]
    assert len(names) == len(set(names)) == 168


def test_handles_put_the_same_picture_at_once(
    index: ObjectIndex, open_catalog: OpenCatalog
) -> None:
    """Two writers of one picture leave one of the two, whole."""
    handles = [index, open_catalog().open()]

    def work(writer: int) -> None:
        for _ in range(6):
            handles[writer].put([picture(1, ["a", "b"] if writer else ["c"] * 5)])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))
    index.make_searchable()
    read = index.picture(key(1))
    assert read is not None
    labels = [entry.label for entry in read.entries[1:]]
    assert labels in (["a", "b"], ["c"] * 5)
    assert index.count() == IndexCounts(1, len(labels))
    handles[1].close()


def test_versions_are_made_by_many_threads(catalog: IndexCatalog) -> None:
    """Versions that are created at the same time get different names."""
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: catalog.create(description()).name, range(8)))
    assert len(set(made)) == 8
    assert [version.name for version in catalog.versions()] == sorted(made)
