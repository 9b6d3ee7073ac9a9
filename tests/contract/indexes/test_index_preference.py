"""Contract of the index port: one label's entries rank higher, all scores stay what they are."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from embedding_pipeline.domain.entries import EntryFilter, LabelPreference, PictureEntries
from embedding_pipeline.errors import InvalidQuery
from embedding_pipeline.ports.index import ObjectIndex
from support.indexes_samples import DIMENSION, fill, key, picture, unit_vectors

ALL = EntryFilter()
DOG = LabelPreference("dog", 0.3)


def _expected(
    pictures: list[PictureEntries],
    query: NDArray[np.float32],
    prefer: LabelPreference,
    limit: int,
) -> list[tuple[str, float, float]]:
    """Name, score and rank score of each entry of the answer, in the order of the contract."""
    rows: list[tuple[str, float, float]] = []
    for made in pictures:
        for entry, vector in zip(made.entries, made.vectors, strict=True):
            score = round(float(vector.astype(float) @ query.astype(float)), 6)
            sure = min(1.0, (entry.confidence or 0.0) / prefer.sure_from)
            bonus = prefer.bonus * sure if entry.label == prefer.label else 0.0
            rows.append((entry.object_id, score, score + bonus))
    closest = sorted(rows, key=lambda row: (-row[1], row[0]))
    labels = {e.object_id: e.label for made in pictures for e in made.entries}
    labelled = [row for row in closest if labels[row[0]] == prefer.label]
    return sorted({*closest[:limit], *labelled[:limit]}, key=lambda row: (-row[2], row[0]))[:limit]


@pytest.mark.parametrize("bonus", [0.01, 0.3, 0.5, 2.0])
@pytest.mark.parametrize("limit", [1, 10, 500])
def test_the_order_is_by_score_and_bonus(index: ObjectIndex, bonus: float, limit: int) -> None:
    """The answer equals the exact one: entries, scores without bonus, bonuses, order.

    Detections that the detector is less sure of get less.
    """
    pictures = [
        picture(i, ["dog", "cat", "dog", "bird"], confidences=[0.95, 0.7, 0.01 * i + 0.1, 0.3])
        for i in range(40)
    ]
    fill(index, pictures)
    query, prefer = unit_vectors(1, seed="q")[0], LabelPreference("dog", bonus)
    found = index.nearest(query, limit=limit, where=ALL, prefer=prefer)
    expected = _expected(pictures, query, prefer, limit)
    assert [hit.object_id for hit in found] == [name for name, _, _ in expected]
    assert [hit.score for hit in found] == pytest.approx([s for _, s, _ in expected], abs=2e-6)
    ranks = [rank for _, _, rank in expected]
    assert [hit.rank_score for hit in found] == pytest.approx(ranks, abs=2e-6)


def test_preferred_entries_beyond_the_nearest_are_reached(index: ObjectIndex) -> None:
    """A label whose entries are all farther than the limit still gets its places."""
    query = unit_vectors(1, seed="q")[0]
    aside = unit_vectors(1, seed="aside")[0]
    aside -= (aside @ query) * query
    aside /= np.linalg.norm(aside)

    def at(cosine: float, rows: int) -> NDArray[np.float32]:
        row = cosine * query + np.sqrt(1 - cosine**2) * aside
        return np.repeat(row[None], rows, axis=0).astype(np.float32)

    crowd = [picture(i, ["cat"] * 9, vectors=at(0.8, 10)) for i in range(120)]
    fill(index, [*crowd, picture("far", ["dog", "cat"], vectors=at(0.7, 3))])
    index.optimize()
    found = index.nearest(query, limit=5, where=ALL, prefer=DOG)
    assert found[0].object_id == f"{key('far')}-001"
    assert found[0].score == pytest.approx(0.7, abs=1e-5)
    assert {hit.label for hit in found[1:]} <= {"cat", None}


def test_a_label_alone_brings_nothing_above_what_is_nearer(index: ObjectIndex) -> None:
    """An entry of the label with a poor score stays below others; the bonus is all it gets."""
    query = unit_vectors(1, seed="q")[0]
    fill(
        index,
        [
            picture("near", ["cat"], vectors=np.stack((query, query))),
            picture("opposite", ["dog"], vectors=np.stack((-query, -query))),
        ],
    )
    found = index.nearest(query, limit=10, where=ALL, prefer=DOG)
    names = [f"{key('near')}-000", f"{key('near')}-001"]
    assert [hit.object_id for hit in found] == [
        *names,
        f"{key('opposite')}-001",
        f"{key('opposite')}-000",
    ]
    assert found[2].rank_score == pytest.approx(-0.7, abs=1e-6)


def test_a_filter_holds_with_a_preference(index: ObjectIndex) -> None:
    """Entries that do not pass do not come in by their label; one that no entry has is harmless."""
    fill(index, [picture(i, ["dog", "cat"], collections=["x"] * (i % 2)) for i in range(20)])
    query = unit_vectors(1, seed="q")[0]
    only_cats = EntryFilter(labels=("cat",))
    plain = index.nearest(query, limit=50, where=only_cats)
    assert index.nearest(query, limit=50, where=only_cats, prefer=DOG) == plain
    some = index.nearest(query, limit=5, where=EntryFilter(collections=("x",)), prefer=DOG)
    odd = {key(i) for i in range(1, 20, 2)}
    assert len(some) == 5
    assert {hit.image_key for hit in some} <= odd
    nobody = LabelPreference("it's a zebra", 0.5)
    assert index.nearest(query, limit=9, where=ALL, prefer=nobody) == index.nearest(
        query, limit=9, where=ALL
    )


@pytest.mark.parametrize("limit", [1, 7, 19, 20, 21, 59])
def test_ties_within_a_preference_are_ordered_by_object_id(index: ObjectIndex, limit: int) -> None:
    """Equal vectors: the label's entries by object id, then the others by object id."""
    same = unit_vectors(1, seed="same")
    fill(
        index,
        [picture(i, ["dog", "cat"], vectors=np.repeat(same, 3, axis=0)) for i in range(20)],
    )
    query = same[0] + 0.5 * unit_vectors(1, seed="aside")[0]
    query /= np.linalg.norm(query)
    found = index.nearest(query, limit=limit, where=ALL, prefer=DOG)
    assert found[0].score < DOG.same_from
    dogs = sorted(f"{key(i)}-001" for i in range(20))
    others = sorted(f"{key(i)}-{rank:03d}" for i in range(20) for rank in (0, 2))
    assert [hit.object_id for hit in found] == [*dogs, *others][:limit]


def test_score_ranks_by_the_same_sum(index: ObjectIndex) -> None:
    """Score and nearest agree on scores, rank scores and order."""
    fill(index, [picture(i, ["dog", "cat"]) for i in range(10)])
    query = unit_vectors(1, seed="q")[0]
    scored = index.score(query, image_keys=[key(i) for i in range(10)], where=ALL, prefer=DOG)
    nearest = index.nearest(query, limit=30, where=ALL, prefer=DOG)
    assert [one.entry.object_id for one in scored] == [one.object_id for one in nearest]
    assert [s.score for s in scored] == pytest.approx([n.score for n in nearest], abs=2e-6)
    for one in scored:
        bonus = 0.3 if one.entry.label == "dog" else 0.0
        assert one.rank_score == pytest.approx(one.score + bonus, abs=1e-9)


def test_the_very_thing_comes_first(index: ObjectIndex) -> None:
    """An entry of score one has the whole bonus, though the detector doubts or says otherwise."""
    query = unit_vectors(1, seed="q")[0]
    near = query + 0.2 * unit_vectors(20, seed="near")
    near = (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)
    others = [picture(i, ["dog"], vectors=near[2 * i : 2 * i + 2]) for i in range(10)]
    own = picture("own", ["cat"], vectors=np.stack((-query, query)), confidences=[0.1])
    fill(index, [*others, own])
    found = index.nearest(query, limit=3, where=ALL, prefer=DOG)
    assert found[0].object_id == f"{key('own')}-001"
    assert found[0].rank_score == pytest.approx(1.3, abs=1e-6)
    scored = index.score(query, image_keys=[key("own"), key(1)], where=ALL, prefer=DOG)
    assert scored[0].entry.object_id == f"{key('own')}-001"


def test_picture_vectors_are_those_of_whole_pictures(index: ObjectIndex) -> None:
    """Value for value, for the named pictures that are there."""
    made = [picture(i) for i in range(3)]
    fill(index, made)
    found = index.picture_vectors([key(2), key(0), key(2), "unknown"])
    assert set(found) == {key(0), key(2)}
    for number in (0, 2):
        assert np.array_equal(found[key(number)], made[number].vectors[0])
    assert index.picture_vectors([]) == {}


def test_a_label_that_is_no_text_is_refused(index: ObjectIndex) -> None:
    """A lone surrogate raises InvalidQuery, as in a filter."""
    query = np.eye(DIMENSION, dtype=np.float32)[0]
    with pytest.raises(InvalidQuery):
        index.nearest(query, limit=1, where=ALL, prefer=LabelPreference("\ud800", 0.5))
