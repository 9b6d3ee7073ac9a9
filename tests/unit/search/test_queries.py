"""Stored queries on disk."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
import pytest

from embedding_pipeline.domain.entries import Detection
from embedding_pipeline.errors import UnknownQuery
from embedding_pipeline.search.queries import QueryStore, StoredQuery
from support.api_clock import ManualClock

BOX = (1.0, 2.0, 3.5, 4.25)


def query() -> StoredQuery:
    """A query with one object and one vector."""
    return StoredQuery(
        query_id="",
        created_at=0.0,
        models="m",
        image_key=None,
        size_bytes=0,
        size_wh=(10, 20),
        objects=(Detection(BOX, "dog", 0.5),),
        truncated=False,
        searched_box=BOX,
        vectors={BOX: np.array([0.6, 0.8], np.float32)},
    )


def store(
    folder: Path, clock: ManualClock, max_queries: int = 100, max_bytes: int = 10**6
) -> QueryStore:
    """Opens a folder of queries."""
    return QueryStore(folder, ttl_s=3600, max_queries=max_queries, max_bytes=max_bytes, now=clock)


def test_a_query_survives_a_restart(tmp_path: Path) -> None:
    """Everything comes back from disk, vectors to the bit."""
    clock = ManualClock()
    query_id = store(tmp_path / "queries", clock).put(query(), b"picture")
    again = store(tmp_path / "queries", clock)
    kept = again.get(query_id)
    assert kept.objects == query().objects
    assert (kept.size_wh, kept.searched_box, kept.models) == ((10, 20), BOX, "m")
    np.testing.assert_array_equal(kept.vectors[BOX], query().vectors[BOX])
    assert again.picture(query_id) == b"picture"
    assert again.expires_at(kept) == clock.now + 3600


def test_a_query_is_forgotten_after_its_time(tmp_path: Path) -> None:
    """Its files go too, also when the time passes between two processes."""
    clock = ManualClock()
    kept = store(tmp_path / "queries", clock)
    query_id = kept.put(query(), b"picture")
    clock.now += 3600
    with pytest.raises(UnknownQuery):
        kept.get(query_id)
    assert list((tmp_path / "queries").iterdir()) == []
    other = store(tmp_path / "queries", clock).put(query(), None)
    clock.now += 3600
    with pytest.raises(UnknownQuery):
        store(tmp_path / "queries", clock).get(other)


@pytest.mark.parametrize(
    ("max_queries", "max_bytes"), [(2, 10**6), (100, 20)], ids=["number", "bytes"]
)
def test_the_oldest_query_goes_first(tmp_path: Path, max_queries: int, max_bytes: int) -> None:
    """Number and bytes are bounded."""
    clock = ManualClock()
    kept = store(tmp_path / "queries", clock, max_queries, max_bytes)
    ids = []
    for _ in range(3):
        clock.now += 1
        ids.append(kept.put(query(), b"ten bytes!"))
    with pytest.raises(UnknownQuery):
        kept.get(ids[0])
    assert kept.get(ids[1])
    assert kept.get(ids[2])


def test_a_picture_larger_than_the_bound_is_kept_alone(tmp_path: Path) -> None:
    """The newest query always works."""
    kept = store(tmp_path / "queries", ManualClock(), max_bytes=5)
    query_id = kept.put(query(), b"more than five")
    assert kept.picture(query_id) == b"more than five"


def test_deleting_removes_the_files(tmp_path: Path) -> None:
    """A second time there is nothing to delete."""
    kept = store(tmp_path / "queries", ManualClock())
    query_id = kept.put(query(), b"picture")
    assert kept.delete(query_id)
    assert not kept.delete(query_id)
    assert list((tmp_path / "queries").iterdir()) == []


@pytest.mark.parametrize("name", ["", "x" * 22, "../../etc/passwd", "a/b", "ä", "\0"])
def test_unknown_and_hostile_ids_are_unknown(tmp_path: Path, name: str) -> None:
    """An id is looked up and never becomes a path."""
    (tmp_path / "passwd.json").write_text("{}")
    kept = store(tmp_path / "queries", ManualClock())
    for ask in (kept.get, kept.picture):
        with pytest.raises(UnknownQuery):
            ask(name)
    assert not kept.delete(name)


def test_further_boxes_are_remembered(tmp_path: Path) -> None:
    """Another box of the picture is embedded once; for an unknown query nothing happens."""
    clock = ManualClock()
    kept = store(tmp_path / "queries", clock)
    query_id = kept.put(query(), b"picture")
    other = (0.0, 0.0, 2.0, 2.0)
    kept.remember(query_id, other, np.array([1.0, 0.0], np.float32))
    kept.remember("x" * 22, other, np.array([1.0, 0.0], np.float32))
    assert set(store(tmp_path / "queries", clock).get(query_id).vectors) == {BOX, other}


def test_halves_and_damaged_queries_of_a_crash_are_removed(tmp_path: Path) -> None:
    """What cannot be read is unknown, and its files do not stay."""
    clock = ManualClock()
    query_id = store(tmp_path / "queries", clock).put(query(), b"picture")
    (tmp_path / "queries" / f"{query_id}.json").write_text("{ half")
    (tmp_path / "queries" / ("y" * 22 + ".picture")).write_bytes(b"no facts")
    (tmp_path / "queries" / ("z" * 22 + ".half")).write_bytes(b"half")
    with pytest.raises(UnknownQuery):
        store(tmp_path / "queries", clock).get(query_id)
    assert list((tmp_path / "queries").iterdir()) == []


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    """The error reaches the caller; no half query stays."""
    (tmp_path / "queries").write_bytes(b"a file where the folder should be")
    with pytest.raises(OSError, match="exists"):
        store(tmp_path / "queries", ManualClock()).put(query(), b"picture")


def test_only_the_owner_may_read_query_pictures(tmp_path: Path) -> None:
    """Query pictures are private: they were never added to the index."""
    folder = tmp_path / "queries"
    store(folder, ManualClock()).put(query(), b"picture")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {0o600}
