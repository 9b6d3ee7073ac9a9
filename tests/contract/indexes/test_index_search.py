"""Contract of the index port: nearest and score."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from embedding_pipeline.domain.entries import EntryFilter, PictureEntries
from embedding_pipeline.errors import InvalidVector
from embedding_pipeline.ports.index import Floor, ObjectIndex
from support.indexes_samples import DIMENSION, fill, key, picture, unit_vectors

ALL = EntryFilter()


def _expected(
    pictures: list[PictureEntries], query: NDArray[np.float32]
) -> list[tuple[str, float]]:
    scores = [
        (entry.object_id, round(float(vector.astype(float) @ query.astype(float)), 6))
        for made in pictures
        for entry, vector in zip(made.entries, made.vectors, strict=True)
    ]
    return sorted(scores, key=lambda item: (-item[1], item[0]))


def test_empty_index_finds_nothing(index: ObjectIndex) -> None:
    """Nearest and score of an empty index are empty lists."""
    query = unit_vectors(1)[0]
    assert index.nearest(query, limit=10, where=ALL) == []
    assert index.score(query, image_keys=[key(1)], where=ALL) == []
    assert index.labelled_pictures([key(1)], where=ALL) == {}


@pytest.mark.parametrize("limit", [0, -1])
def test_limit_of_nothing_finds_nothing(index: ObjectIndex, limit: int) -> None:
    """A limit of zero gives the empty list."""
    fill(index, [picture(1)])
    assert index.nearest(unit_vectors(1)[0], limit=limit, where=ALL) == []


def test_nearest_is_the_exact_order(index: ObjectIndex) -> None:
    """On a small index the answer equals the exact one: entries, scores, order."""
    pictures = [picture(i, ["a", "b", "c", "d"]) for i in range(40)]
    fill(index, pictures)
    for seed in range(3):
        query = unit_vectors(1, seed=f"q{seed}")[0]
        found = index.nearest(query, limit=10, where=ALL)
        expected = _expected(pictures, query)[:10]
        assert [hit.object_id for hit in found] == [name for name, _ in expected]
        assert [hit.score for hit in found] == pytest.approx([s for _, s in expected], abs=2e-6)


def test_self_comes_first_with_score_one(index: ObjectIndex) -> None:
    """Asking with a stored vector gives its entry first; its opposite scores -1."""
    vectors = unit_vectors(3)
    vectors[2] = -vectors[1]
    fill(index, [picture(1, vectors=vectors), picture(2)])
    found = index.nearest(vectors[1], limit=100, where=ALL)
    assert found[0].object_id == f"{key(1)}-001"
    assert found[0].score == pytest.approx(1.0, abs=1e-6)
    assert found[-1].object_id == f"{key(1)}-002"
    assert found[-1].score == pytest.approx(-1.0, abs=1e-6)


def test_limit_above_the_size_gives_everything(index: ObjectIndex) -> None:
    """Fewer entries than the limit mean that there are no more."""
    fill(index, [picture(1), picture(2)])
    assert len(index.nearest(unit_vectors(1)[0], limit=5000, where=ALL)) == 6


@pytest.mark.parametrize("limit", [1, 7, 30, 59, 60])
def test_ties_are_ordered_by_object_id(index: ObjectIndex, limit: int) -> None:
    """Equal vectors come by object id, also where the limit cuts through them."""
    same = unit_vectors(1, seed="same")
    fill(index, [picture(i, vectors=np.repeat(same, 3, axis=0)) for i in range(20)])
    found = index.nearest(same[0], limit=limit, where=ALL)
    everyone = sorted(f"{key(i)}-{rank:03d}" for i in range(20) for rank in range(3))
    assert [hit.object_id for hit in found] == everyone[:limit]


def test_one_picture_with_most_entries_starves_no_other(index: ObjectIndex) -> None:
    """When thousands of near entries are one picture's, a larger limit still reaches others."""
    query = unit_vectors(1, seed="q")[0]
    crowd = query + 0.01 * unit_vectors(1000, seed="crowd")
    crowd = (crowd / np.linalg.norm(crowd, axis=1, keepdims=True)).astype(np.float32)
    fill(
        index,
        [picture("crowd", [f"n{i}" for i in range(999)], vectors=crowd)]
        + [picture(i) for i in range(40)],
    )
    found = index.nearest(query, limit=1060, where=ALL)
    assert len(found) == 1060
    assert {hit.image_key for hit in found[:1000]} == {key("crowd")}
    assert len({hit.image_key for hit in found}) >= 21


def test_large_limit_with_filter(index: ObjectIndex) -> None:
    """A limit in the thousands is answered in full, best first, without repeats."""
    fill(index, [picture(i, ["dog", "cat", "dog", "bird"]) for i in range(900)])
    found = index.nearest(
        unit_vectors(1, seed="q")[0], limit=1700, where=EntryFilter(labels=("dog",))
    )
    scores = [hit.score for hit in found]
    assert len({hit.object_id for hit in found}) == 1700
    assert scores == sorted(scores, reverse=True)
    assert {hit.label for hit in found} == {"dog"}


def test_selective_filter_starves_nothing(index: ObjectIndex) -> None:
    """The few entries that pass a filter are found although they are the farthest."""
    query = unit_vectors(1, seed="q")[0]
    near = query + 0.05 * unit_vectors(3000, seed="near")
    near = (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)
    pictures = [picture(i, ["common"] * 9, vectors=near[i * 10 : i * 10 + 10]) for i in range(300)]
    far = np.repeat(-query[None], 4, axis=0)
    fill(index, [*pictures, picture("rare", ["rare"] * 3, vectors=far)])
    index.optimize()
    found = index.nearest(query, limit=10, where=EntryFilter(labels=("rare",)))
    assert [hit.object_id for hit in found] == [f"{key('rare')}-{i:03d}" for i in (1, 2, 3)]


@pytest.mark.parametrize(
    "query",
    [
        pytest.param(unit_vectors(1, DIMENSION + 1)[0], id="too long"),
        pytest.param(np.empty(0, np.float32), id="empty"),
        pytest.param(unit_vectors(1), id="a matrix"),
        pytest.param(np.full(DIMENSION, np.nan, np.float32), id="NaN"),
        pytest.param(np.zeros(DIMENSION, np.float32), id="zero"),
    ],
)
def test_wrong_query_vector_is_refused(index: ObjectIndex, query: NDArray[np.float32]) -> None:
    """A query that doesn't fit the description raises InvalidVector."""
    with pytest.raises(InvalidVector):
        index.nearest(query, limit=1, where=ALL)
    with pytest.raises(InvalidVector):
        index.score(query, image_keys=[key(1)], where=ALL)
    with pytest.raises(InvalidVector):
        index.labelled_pictures([key(1)], where=ALL, floor=Floor(query, 0.0))


def test_score_is_complete_and_exact(index: ObjectIndex) -> None:
    """Every entry of the named pictures comes with its exact score, best first."""
    pictures = [picture(i, ["a", "b", "c"]) for i in range(30)]
    fill(index, pictures)
    query = unit_vectors(1, seed="q")[0]
    keys = [key(i) for i in range(0, 30, 2)]
    found = index.score(query, image_keys=[*keys, keys[0], "unknown"], where=ALL)
    expected = _expected(pictures[::2], query)
    assert [hit.entry.object_id for hit in found] == [name for name, _ in expected]
    assert [hit.score for hit in found] == pytest.approx([s for _, s in expected], abs=2e-6)
    assert [hit.rank_score for hit in found] == [hit.score for hit in found]


def test_score_of_no_pictures_is_empty(index: ObjectIndex) -> None:
    """No image keys give no entries."""
    fill(index, [picture(1)])
    assert index.score(unit_vectors(1)[0], image_keys=[], where=ALL) == []


def test_score_filters(index: ObjectIndex) -> None:
    """Only entries that pass the filter are scored."""
    fill(index, [picture(1, ["dog", "cat"]), picture(2, ["dog"])])
    found = index.score(
        unit_vectors(1)[0],
        image_keys=[key(1), key(2)],
        where=EntryFilter(labels=("dog",), kinds=("object",)),
    )
    assert sorted(hit.entry.object_id for hit in found) == sorted(
        [f"{key(1)}-001", f"{key(2)}-001"]
    )


def test_score_of_many_pictures(index: ObjectIndex) -> None:
    """More pictures than any inner batch are all scored."""
    fill(index, [picture(i, ["a"]) for i in range(1100)])
    found = index.score(unit_vectors(1)[0], image_keys=[key(i) for i in range(1100)], where=ALL)
    assert len(found) == 2200


def test_score_and_nearest_agree(index: ObjectIndex) -> None:
    """An entry has the same score whichever way it is asked for."""
    fill(index, [picture(i) for i in range(10)])
    query = unit_vectors(1, seed="q")[0]
    nearest = index.nearest(query, limit=30, where=ALL)
    scored = index.score(query, image_keys=[key(i) for i in range(10)], where=ALL)
    assert [hit.object_id for hit in nearest] == [hit.entry.object_id for hit in scored]
    assert [hit.label for hit in nearest] == [hit.entry.label for hit in scored]
    assert [hit.image_key for hit in nearest] == [hit.entry.image_key for hit in scored]
    assert [hit.score for hit in nearest] == pytest.approx([h.score for h in scored], abs=2e-6)


def test_scored_entries_are_whole(index: ObjectIndex) -> None:
    """An answer carries everything that was put, value for value."""
    made = picture(
        1,
        ["dog", "o'cat"],
        collections=["b", "a"],
        metadata={"by": "me", "n": [1, {"deep": None}]},
        taken_at=datetime(1969, 7, 20, 20, 17, 40, 1, tzinfo=UTC),
        truncated=True,
    )
    plain = picture(2)
    fill(index, [made, plain])
    found = index.score(unit_vectors(1)[0], image_keys=[key(1), key(2)], where=ALL)
    entries = sorted((hit.entry for hit in found), key=lambda entry: entry.object_id)
    expected = sorted((*made.entries, *plain.entries), key=lambda entry: entry.object_id)
    assert entries == expected


def test_score_of_a_picture_with_most_entries(index: ObjectIndex) -> None:
    """Every entry of a picture is scored, as many as its ids can name."""
    fill(index, [picture("crowd", [f"n{i}" for i in range(999)]), picture(2)])
    found = index.score(unit_vectors(1)[0], image_keys=[key("crowd")], where=ALL)
    assert len({hit.entry.object_id for hit in found}) == 1000


def test_labelled_pictures_count_pictures_not_objects(index: ObjectIndex) -> None:
    """Two dogs in a picture count once; most come first, then by name."""
    fill(
        index,
        [
            picture(1, ["dog", "dog", "cat"]),
            picture(2, ["dog", "bird"]),
            picture(3, ["zebra"]),
            picture(4, []),
        ],
    )
    found = index.labelled_pictures([key(i) for i in range(1, 5)], where=ALL)
    assert list(found.items()) == [("dog", 2), ("bird", 1), ("cat", 1), ("zebra", 1)]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param([], {}, id="none"),
        pytest.param(["unknown", "it's"], {}, id="unknown"),
        pytest.param([1], {"dog": 1, "cat": 1}, id="one"),
        pytest.param([1, 1, "unknown"], {"dog": 1, "cat": 1}, id="repeated"),
        pytest.param([3], {}, id="without objects"),
    ],
)
def test_labelled_pictures_count_only_the_named(
    index: ObjectIndex, names: list[int | str], expected: dict[str, int]
) -> None:
    """Other pictures, unknown keys and repeats count nothing."""
    fill(index, [picture(1, ["dog", "cat"]), picture(2, ["dog"]), picture(3, [])])
    keys = [key(name) if isinstance(name, int) else name for name in names]
    assert index.labelled_pictures(keys, where=ALL) == expected


def test_labelled_pictures_filter(index: ObjectIndex) -> None:
    """Only objects that pass the filter count; of whole pictures there is nothing to count."""
    fill(
        index,
        [
            picture(1, ["dog", "cat"], confidences=[0.9, 0.2], collections=["x"]),
            picture(2, ["dog", "dog"], confidences=[0.8, 0.1]),
        ],
    )
    keys = [key(1), key(2)]
    for where, expected in [
        (EntryFilter(labels=("cat",)), {"cat": 1}),
        (EntryFilter(collections=("x",)), {"cat": 1, "dog": 1}),
        (EntryFilter(min_confidence=0.5), {"dog": 2}),
        (EntryFilter(kinds=("object",)), {"dog": 2, "cat": 1}),
        (EntryFilter(kinds=("image",)), {}),
        (EntryFilter(kinds=()), {"dog": 2, "cat": 1}),
    ]:
        assert index.labelled_pictures(keys, where=where) == expected


def test_labelled_pictures_of_many(index: ObjectIndex) -> None:
    """More pairs of picture and label than any inner page are all counted."""
    labels = [f"l{i}" for i in range(10)]
    fill(index, [picture(i, labels) for i in range(1100)])
    found = index.labelled_pictures([key(i) for i in range(1, 1100)], where=ALL)
    assert found == dict.fromkeys(labels, 1099)


def test_labelled_pictures_follow_writes(index: ObjectIndex) -> None:
    """A replaced picture counts its new labels, a deleted one none."""
    fill(index, [picture(1, ["dog"]), picture(2, ["dog"])])
    fill(index, [picture(1, ["cat"])])
    index.delete([key(2)])
    index.make_searchable()
    assert index.labelled_pictures([key(1), key(2)], where=ALL) == {"cat": 1}


def test_labelled_pictures_above_a_floor(index: ObjectIndex) -> None:
    """Objects below the floor count nothing; one that just reaches it counts."""
    pictures = [picture(i, ["dog", "cat", "dog"]) for i in range(60)]
    fill(index, [*pictures, picture("other", ["dog"])])
    query, keys = unit_vectors(1, seed="q")[0], [made.image_key for made in pictures]
    scored = index.score(query, image_keys=keys, where=EntryFilter(kinds=("object",)))
    for min_score in (-1.0, 0.0, scored[40].score, scored[0].score, 1.1):
        reached = [hit.entry for hit in scored if hit.score >= min_score]
        expected = Counter(label for _, label in {(e.image_key, e.label) for e in reached})
        found = index.labelled_pictures(
            [*keys, keys[0], "unknown"], where=ALL, floor=Floor(query, min_score)
        )
        assert found == expected
    assert index.labelled_pictures([], where=ALL, floor=Floor(query, 0.0)) == {}
