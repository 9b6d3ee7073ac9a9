"""Contract of the index port: put, delete, picture and object."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from embedding_pipeline.domain.entries import EntryFilter, PictureEntries
from embedding_pipeline.errors import InvalidVector
from embedding_pipeline.ports.index import IndexCatalog, IndexCounts, ObjectIndex, WriteReport
from support.indexes_samples import DIMENSION, description, fill, key, picture, unit_vectors


def test_put_of_nothing_does_nothing(index: ObjectIndex) -> None:
    """The empty sequence is written without an effect."""
    assert index.put([]) == WriteReport(0)
    index.make_searchable()
    assert index.count() == IndexCounts(0, 0)


def test_picture_comes_back_as_it_was_put(index: ObjectIndex) -> None:
    """Every field of every entry and every bit of every vector survives."""
    written = picture(
        1,
        ["dog", "o'brien", 'ünï\n"x\\'],
        collections=["holiday", "it's", "日本"],
        metadata={"sku": "A'1", "n": 1.5, "deep": {"list": [1, {"b": None}], "ok": True}},
        taken_at=datetime(2020, 2, 29, 23, 59, 59, 123456, tzinfo=UTC),
        truncated=True,
    )
    assert index.put([written]) == WriteReport(1)
    read = index.picture(written.image_key)
    assert read is not None
    assert read.entries == written.entries
    assert read.vectors.dtype == np.float32
    np.testing.assert_array_equal(read.vectors, written.vectors)


def test_times_keep_their_instant(index: ObjectIndex) -> None:
    """A time with another offset, and one before 1970, come back as the same instant."""
    zone = timezone(timedelta(hours=-9, minutes=-30))
    times = [datetime(2024, 7, 1, 12, tzinfo=zone), datetime(1950, 1, 1, 0, 0, 0, 5, tzinfo=UTC)]
    index.put([picture(i, taken_at=time) for i, time in enumerate(times)])
    for i, time in enumerate(times):
        read = index.picture(key(i))
        assert read is not None
        assert read.entries[0].taken_at == time


def test_finished_put_is_seen_at_once_by_picture_and_object(index: ObjectIndex) -> None:
    """No make_searchable is needed to read what a finished put wrote."""
    written = picture(1)
    index.put([written])
    read = index.picture(written.image_key)
    assert read is not None
    assert read.entries == written.entries
    found = index.object(written.entries[1].object_id)
    assert found is not None
    assert found[0] == written.entries[1]
    np.testing.assert_array_equal(found[1], written.vectors[1])


def test_finished_delete_is_seen_at_once_by_picture_and_object(index: ObjectIndex) -> None:
    """No make_searchable is needed to miss what a finished delete removed."""
    written = picture(1)
    index.put([written])
    index.delete([written.image_key])
    assert index.picture(written.image_key) is None
    assert index.object(written.entries[1].object_id) is None


@pytest.mark.parametrize("name", ["", "unknown", "it's", "a-b-c", f"{key(1)}-001", "../x", "ü/?#"])
def test_unknown_names_give_none(index: ObjectIndex, name: str) -> None:
    """A picture or object that isn't there is None, whatever its name looks like."""
    fill(index, [picture(2)])
    assert index.picture(name) is None
    assert index.object(name) is None


def test_second_put_changes_nothing(index: ObjectIndex) -> None:
    """Writing the same pictures again leaves the same entries."""
    pictures = [picture(1), picture(2)]
    fill(index, pictures)
    fill(index, pictures)
    assert index.count() == IndexCounts(2, 4)
    assert len(index.pictures()) == 2


@pytest.mark.parametrize("after", [("dog",), ("dog", "cat", "bird", "car"), ()])
def test_put_replaces_all_entries(index: ObjectIndex, after: tuple[str, ...]) -> None:
    """A picture that is put again has exactly its new entries: fewer, more, or none but itself."""
    fill(index, [picture(1, ["a", "b", "c"]), picture(2, ["x"])])
    new = picture(1, after, vectors=unit_vectors(1 + len(after), seed="new"))
    fill(index, [new])
    read = index.picture(key(1))
    assert read is not None
    assert read.entries == new.entries
    np.testing.assert_array_equal(read.vectors, new.vectors)
    assert index.count() == IndexCounts(2, len(after) + 1)
    found = index.nearest(unit_vectors(1)[0], limit=100, where=EntryFilter())
    assert {hit.object_id for hit in found if hit.image_key == key(1)} == {
        entry.object_id for entry in new.entries
    }


def test_put_twice_at_once_replaces_before_a_search_could_see_the_first(
    index: ObjectIndex,
) -> None:
    """Two puts in a row without make_searchable leave only the second's entries."""
    index.put([picture(1, ["a", "b", "c", "d"])])
    index.put([picture(1, ["e"])])
    read = index.picture(key(1))
    assert read is not None
    assert [entry.label for entry in read.entries] == [None, "e"]
    index.make_searchable()
    assert index.label_counts() == {"e": 1}


def test_last_of_a_repeated_picture_counts(index: ObjectIndex) -> None:
    """The same image key twice in one call: only the last one's entries are there."""
    report = index.put([picture(1, ["a", "b", "c"]), picture(2), picture(1, ["z"])])
    assert report == WriteReport(2)
    read = index.picture(key(1))
    assert read is not None
    assert [entry.label for entry in read.entries] == [None, "z"]


def _with_value(value: float) -> PictureEntries:
    made = picture(2)
    vectors = made.vectors.copy()
    vectors[1, 3] = value
    return replace(made, vectors=vectors)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(picture(2, vectors=unit_vectors(3, DIMENSION + 1)), id="too long"),
        pytest.param(picture(2, vectors=unit_vectors(3, DIMENSION - 1)), id="too short"),
        pytest.param(picture(2, vectors=unit_vectors(2)), id="one row missing"),
        pytest.param(_with_value(np.nan), id="NaN"),
        pytest.param(_with_value(np.inf), id="infinite"),
        pytest.param(_with_value(5.0), id="no unit length"),
        pytest.param(picture(2, vectors=np.zeros((3, DIMENSION), np.float32)), id="zero"),
    ],
)
def test_wrong_vector_is_refused_before_anything_is_written(
    index: ObjectIndex, wrong: PictureEntries
) -> None:
    """InvalidVector names an entry of the picture, and the good pictures aren't written either."""
    with pytest.raises(InvalidVector) as caught:
        index.put([picture(1), wrong])
    assert str(caught.value.details["object_id"]).startswith(key(2))
    assert index.picture(key(1)) is None


def test_unnormalized_vectors_pass_where_the_description_says_so(catalog: IndexCatalog) -> None:
    """With L2 and vectors of any length, scores are 1 / (1 + d^2)."""
    version = catalog.create(description(metric="l2", normalized=False))
    index = catalog.open(version.name)
    vectors = unit_vectors(3) * np.array([[3.0], [0.5], [7.0]], np.float32)
    fill(index, [picture(1, vectors=vectors)])
    query = unit_vectors(1, seed="q")[0] * 2
    found = index.nearest(query, limit=10, where=EntryFilter())
    expected = {
        f"{key(1)}-{i:03d}": 1 / (1 + float(np.square(vectors[i].astype(float) - query).sum()))
        for i in range(3)
    }
    assert {hit.object_id: hit.score for hit in found} == pytest.approx(expected, abs=1e-5)
    assert [hit.object_id for hit in found] == sorted(expected, key=lambda i: -expected[i])
    again = index.score(query, image_keys=[key(1)], where=EntryFilter())
    assert [(hit.entry.object_id, hit.score) for hit in again] == [
        (hit.object_id, hit.score) for hit in found
    ]
    index.close()


def test_cosine_of_unnormalized_vectors_ignores_their_length(catalog: IndexCatalog) -> None:
    """With cosine and vectors of any length, a longer copy of the query scores 1."""
    version = catalog.create(description(normalized=False))
    index = catalog.open(version.name)
    vectors = unit_vectors(3) * np.array([[3.0], [0.5], [7.0]], np.float32)
    fill(index, [picture(1, vectors=vectors)])
    found = index.nearest(vectors[2] * 4, limit=1, where=EntryFilter())
    assert found[0].object_id == f"{key(1)}-002"
    assert found[0].score == pytest.approx(1.0, abs=1e-5)
    index.close()


def test_delete_counts_the_pictures_that_were_there(index: ObjectIndex) -> None:
    """Unknown and repeated keys aren't counted, and nothing else goes."""
    fill(index, [picture(1), picture(2), picture(3)])
    assert index.delete([key(1), key(1), "unknown", "it's", key(3)]) == 2
    index.make_searchable()
    assert index.count() == IndexCounts(1, 2)
    assert [entry.image_key for entry in index.pictures()] == [key(2)]
    assert index.delete([key(1)]) == 0


def test_delete_of_nothing_does_nothing(index: ObjectIndex) -> None:
    """The empty sequence removes no picture."""
    fill(index, [picture(1)])
    assert index.delete([]) == 0
    assert index.picture(key(1)) is not None


def test_deleted_picture_may_come_back(index: ObjectIndex) -> None:
    """A put after a delete is an ordinary put."""
    fill(index, [picture(1)])
    index.delete([key(1)])
    fill(index, [picture(1, ["bird"])])
    assert index.label_counts() == {"bird": 1}


def test_many_pictures_in_one_put(index: ObjectIndex) -> None:
    """A put larger than any inner batch writes all of its pictures."""
    pictures = [picture(i, ["a", "b", "c"]) for i in range(1200)]
    assert index.put(pictures) == WriteReport(1200)
    index.make_searchable()
    assert index.count() == IndexCounts(1200, 3600)
    assert index.delete([key(i) for i in range(1100)]) == 1100
    index.make_searchable()
    assert index.count() == IndexCounts(100, 300)


def test_optimize_changes_no_answer(index: ObjectIndex) -> None:
    """Optimizing, also twice and when empty, leaves every entry and order as it was."""
    index.optimize()
    fill(index, [picture(i) for i in range(20)])
    query = unit_vectors(1, seed="q")[0]
    before = index.nearest(query, limit=60, where=EntryFilter())
    index.optimize()
    index.optimize()
    assert index.nearest(query, limit=60, where=EntryFilter()) == before
    fill(index, [picture(0, ["new"])])
    assert index.count() == IndexCounts(20, 39)
