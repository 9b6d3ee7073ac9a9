"""Uploads and deletes through the Library."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from embedding_pipeline.errors import IndexUnavailable
from embedding_pipeline.ingest.library import Upload
from minio_proxy.errors import StoreFull
from support.ingest_workshop import Workshop, jpeg, key_of
from support.picture_files import huge_png


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """A library in an empty folder."""
    return Workshop(tmp_path / "data")


def test_no_uploads_give_no_results(workshop: Workshop) -> None:
    """The empty call does nothing."""
    assert workshop.library.add([]) == []
    assert workshop.index.searchable == 0


def test_results_stand_in_the_order_sent(workshop: Workshop) -> None:
    """Good and bad pictures of one call keep their places over several batches."""
    uploads = [Upload(f"{n}.jpg", jpeg(n) if n % 3 else b"no picture") for n in range(10)]
    results = workshop.library.add(uploads)
    assert [one.filename for one in results] == [upload.filename for upload in uploads]
    assert [one.status for one in results] == [
        "indexed" if n % 3 else "rejected" for n in range(10)
    ]
    assert {one.objects for one in results if one.status == "indexed"} == {4}
    assert workshop.index.searchable == 1


def test_indexed_means_stored_recorded_and_indexed(workshop: Workshop) -> None:
    """An indexed picture has its original, its record and its entries."""
    data = jpeg(1)
    (result,) = workshop.library.add([Upload("a.jpg", data, "pets", {"name": "Rex"})])
    assert workshop.originals.read(result.image_key) == data
    record = workshop.originals.record(result.image_key)
    assert (record.collections, record.metadata) == (("pets",), {"name": "Rex"})
    assert record.sources == (("upload", "a.jpg"),)
    entries = workshop.library.entries(result.image_key)
    assert entries is not None
    assert [entry.kind for entry in entries.entries] == ["image", *["object"] * 4]
    assert {entry.collections for entry in entries.entries} == {("pets",)}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "unsupported_format"),
        (b"just text, named .jpg", "unsupported_format"),
        (jpeg(1)[:200], "undecodable_picture"),
        (huge_png(16384, 16384), "picture_too_large"),
        (jpeg(1) + b"\0" * 1_000_000, "picture_too_large"),
    ],
    ids=["empty", "text", "cut off", "too many pixels", "too many bytes"],
)
def test_rejected_pictures_leave_nothing(workshop: Workshop, data: bytes, code: str) -> None:
    """What cannot be decoded is neither stored nor indexed."""
    (result,) = workshop.library.add([Upload("a.jpg", data)])
    assert (result.status, result.code) == ("rejected", code)
    assert result.reason
    assert workshop.stored() == []
    assert workshop.index.held == {}


def test_the_same_picture_twice_in_one_call(workshop: Workshop) -> None:
    """The second is a duplicate of the first, with one model run and both collections."""
    results = workshop.library.add(
        [Upload("a.jpg", jpeg(1), "one"), Upload("b.jpg", jpeg(1), "two")]
    )
    assert [one.status for one in results] == ["indexed", "duplicate"]
    assert workshop.models.worked == [key_of(jpeg(1))]
    entries = workshop.library.entries(key_of(jpeg(1)))
    assert entries is not None
    assert entries.entries[0].collections == ("one", "two")


def test_a_duplicate_adds_collection_without_model_work(workshop: Workshop) -> None:
    """A duplicate keeps vectors, adds its collection, and replaces metadata only when given."""
    workshop.library.add([Upload("a.jpg", jpeg(1), "one", {"a": 1})])
    before = workshop.library.entries(key_of(jpeg(1)))
    (again,) = workshop.library.add([Upload("b.jpg", jpeg(1), "two")])
    after = workshop.library.entries(key_of(jpeg(1)))
    assert before is not None
    assert after is not None
    assert (again.status, again.objects) == ("duplicate", 4)
    assert after.entries[0].collections == ("one", "two")
    assert after.entries[0].metadata == {"a": 1}
    assert after.vectors.tobytes() == before.vectors.tobytes()
    workshop.library.add([Upload("b.jpg", jpeg(1), None, {"b": 2})])
    renewed = workshop.library.entries(key_of(jpeg(1)))
    assert renewed is not None
    assert {str(entry.metadata) for entry in renewed.entries} == {str({"b": 2})}
    assert len(workshop.models.worked) == 1


def test_a_stored_picture_without_entries_is_indexed(workshop: Workshop) -> None:
    """A crash between store and index is mended by the next upload."""
    workshop.library.add([Upload("a.jpg", jpeg(1))])
    workshop.index.held.clear()
    (result,) = workshop.library.add([Upload("a.jpg", jpeg(1))])
    assert result.status == "indexed"
    assert key_of(jpeg(1)) in workshop.index.held


def test_a_full_store_fails_its_rows_only(workshop: Workshop) -> None:
    """What was stored before the disk was full stays; the rest says why."""
    workshop.store.trouble, workshop.store.after = StoreFull("no space is left"), 1
    results = workshop.library.add([Upload("a.jpg", jpeg(1)), Upload("b.jpg", jpeg(2))])
    # They are stored at once, so either may be the last that found room.
    failed, indexed = sorted(results, key=lambda one: one.status)
    assert (failed.status, failed.code) == ("failed", "store_full")
    assert indexed.status == "indexed"
    assert workshop.stored() == [indexed.image_key]
    assert list(workshop.index.held) == [indexed.image_key]


def test_models_that_fail_on_a_picture_store_nothing_of_it(workshop: Workshop) -> None:
    """A failure on our side is told as such and not as a bad picture."""
    workshop.models.broken.add(key_of(jpeg(2)))
    results = workshop.library.add([Upload(f"{n}.jpg", jpeg(n)) for n in (1, 2, 3)])
    assert [one.status for one in results] == ["indexed", "failed", "indexed"]
    assert key_of(jpeg(2)) not in workshop.stored()


def test_a_refused_write_is_the_rows_failure(workshop: Workshop) -> None:
    """A picture that the index refuses is not called indexed."""
    workshop.index.refused.add(key_of(jpeg(1)))
    results = workshop.library.add([Upload("1.jpg", jpeg(1)), Upload("2.jpg", jpeg(2))])
    assert [one.status for one in results] == ["failed", "indexed"]
    notes = [key for _, key in workshop.originals.unsettled.pending()]
    assert notes == [key_of(jpeg(1))], "the next run tries it again"


def test_an_index_that_is_away_is_an_error(workshop: Workshop) -> None:
    """Nothing is acknowledged while the index does not answer."""
    workshop.library.add([Upload("1.jpg", jpeg(1))])
    workshop.index.failing = IndexUnavailable("the index is away")
    with pytest.raises(IndexUnavailable):
        workshop.library.add([Upload("1.jpg", jpeg(1))])


def test_delete_removes_everything(workshop: Workshop) -> None:
    """Index, thumbnails, records and original go; a second delete finds nothing."""
    (result,) = workshop.library.add([Upload("a.jpg", jpeg(1))])
    assert workshop.library.delete(result.image_key)
    assert workshop.stored() == []
    assert workshop.index.held == {}
    assert workshop.forgotten == [result.image_key]
    assert workshop.originals.record(result.image_key).sources == ()
    assert not workshop.library.delete(result.image_key)


def test_uploads_and_deletes_at_once_leave_no_half_state(workshop: Workshop) -> None:
    """After many threads added and deleted one picture, store and index agree."""
    data = jpeg(1)

    def add() -> None:
        for _ in range(10):
            workshop.library.add([Upload("a.jpg", data)])

    def delete() -> None:
        for _ in range(10):
            workshop.library.delete(key_of(data))

    threads = [threading.Thread(target=work) for work in (add, delete, add, delete)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert workshop.stored() == list(workshop.index.held)
    assert bool(workshop.stored()) == bool(workshop.originals.record(key_of(data)).sources)


def test_remove_source_keeps_a_picture_with_another_source(workshop: Workshop) -> None:
    """Only the last source takes the picture with it."""
    workshop.library.add(
        [
            Upload("a.jpg", jpeg(1), "one", source="folder:/a"),
            Upload("b.jpg", jpeg(1), "two", source="folder:/b"),
        ]
    )
    key = key_of(jpeg(1))
    assert not workshop.library.shelf.remove_source(key, "folder:/a", "a.jpg")
    assert workshop.index.held[key].entries[0].collections == ("two",)
    assert workshop.library.shelf.remove_source(key, "folder:/b", "b.jpg")
    assert workshop.stored() == []
