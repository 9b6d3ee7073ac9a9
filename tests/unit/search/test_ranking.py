"""Grouping, asking again, counting labels."""

from __future__ import annotations

import numpy as np
import pytest

from embedding_pipeline.domain.entries import EntryFilter, LabelPreference
from embedding_pipeline.search.ranking import Question, hits, rank
from support.api_memory_index import MemoryIndex, picture
from support.models_fakes import fake_description

EAST = np.array([1.0, 0.0], np.float32)


def at(degrees: float) -> tuple[float, float]:
    """A vector at this angle to the query."""
    return (float(np.cos(np.radians(degrees))), float(np.sin(np.radians(degrees))))


def question(min_score: float = -1.0, where: EntryFilter | None = None) -> Question:
    """Asks for what lies east."""
    return Question(EAST, where or EntryFilter(), min_score)


def test_an_empty_index_ranks_nothing() -> None:
    """No picture, no facet, no error."""
    ranking = rank(MemoryIndex(fake_description(2)), question(), max_images=600)
    assert ranking.image_keys == ()
    assert ranking.facets == {}


def test_pictures_are_ordered_by_their_best_entry_and_listed_once() -> None:
    """A picture with many good entries takes one place, with all of them listed."""
    index = MemoryIndex(
        fake_description(2),
        picture("a", [at(80), at(30), at(20)]),
        picture("b", [at(10), at(70)]),
    )
    ranking = rank(index, question(), max_images=600)
    assert ranking.image_keys == ("b", "a")
    best = hits(index, question(), ranking.image_keys)[1]
    assert [m.entry.object_id for m in best.matches] == ["a-002", "a-001", "a-000"]
    assert best.score == best.matches[0].score


def test_grouping_asks_again_until_there_are_enough_pictures() -> None:
    """One picture with a crowd of near entries starves no other."""
    crowd = picture("crowd", [at(1 + n / 1000) for n in range(100)])
    others = [picture(f"p{n:02d}", [at(30 + n)]) for n in range(20)]
    index = MemoryIndex(fake_description(2), crowd, *others)
    ranking = rank(index, question(), max_images=10)
    assert ranking.image_keys == ("crowd", *(f"p{n:02d}" for n in range(9)))
    assert index.asked == [30, 120]


def test_no_more_is_asked_for_than_an_index_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few pictures the candidates are of, asking ends at the bound, with what there is."""
    monkeypatch.setattr("embedding_pipeline.search.ranking.MOST_CANDIDATES", 50)
    crowd = picture("crowd", [at(1 + n / 1000) for n in range(100)])
    index = MemoryIndex(fake_description(2), crowd, picture("far", [at(30)]))
    assert rank(index, question(), max_images=5).image_keys == ("crowd",)
    assert rank(index, question(), max_images=600).image_keys == ("crowd",)
    assert index.asked == [15, 50, 50]


def test_facets_are_complete_though_the_candidates_had_only_the_best() -> None:
    """When the index held more than was asked for, it counts labels without scoring anything."""
    near = [
        picture(f"p{n:02d}", [at(1 + n), at(150), at(160)], labels=["dog", "cat"])
        for n in range(10)
    ]
    index = MemoryIndex(fake_description(2), *near)
    ranking = rank(index, question(), max_images=3)
    assert (index.asked, index.counted, index.scored) == ([9], [3], [])
    assert ranking.image_keys == ("p00", "p01", "p02")
    assert ranking.facets == {"cat": 3, "dog": 3}
    found = hits(index, question(), ranking.image_keys)
    assert {len(hit.matches) for hit in found} == {3}


def test_facets_above_a_floor_count_only_what_reaches_it() -> None:
    """When candidates end before the floor, objects below it are left out of the counts."""
    near = [
        picture(f"p{n:02d}", [at(1 + n), at(40), at(160)], labels=["dog", "cat"]) for n in range(10)
    ]
    index = MemoryIndex(fake_description(2), *near)
    ranking = rank(index, question(0.5), max_images=3)
    assert (index.asked, index.counted, index.scored) == ([9], [3], [])
    assert ranking.image_keys == ("p00", "p01", "p02")
    assert ranking.facets == {"dog": 3}


def test_an_exhausted_index_is_not_asked_for_more() -> None:
    """All entries came, so nothing is missing: one question to the index."""
    index = MemoryIndex(fake_description(2), picture("a", [at(0), at(5)]))
    ranking = rank(index, question(), max_images=600)
    assert (index.asked, index.scored, index.counted) == ([1800], [], [])
    assert ranking.facets == {"thing": 1}


def test_the_floor_cuts_matches_and_pictures_and_ends_the_asking() -> None:
    """Entries below min_score neither match nor count, and no more are asked for."""
    pictures = [picture(f"p{n:02d}", [at(n), at(120)]) for n in range(40)]
    index = MemoryIndex(fake_description(2), *pictures)
    ranking = rank(index, question(float(np.cos(np.radians(4.5)))), max_images=10)
    assert ranking.image_keys == ("p00", "p01", "p02", "p03", "p04")
    assert ranking.facets == {}
    found = hits(index, question(float(np.cos(np.radians(4.5)))), ranking.image_keys)
    assert {len(hit.matches) for hit in found} == {1}
    assert (index.asked, index.scored, index.counted) == ([30], [5], [])


@pytest.mark.parametrize("max_images", [2, 600], ids=["more than fit", "all fit"])
def test_facets_count_pictures_not_objects(max_images: int) -> None:
    """Two dogs in a picture count once; labels come most frequent first, then by name."""
    index = MemoryIndex(
        fake_description(2),
        picture("a", [at(1), at(2), at(3), at(4)], labels=["dog", "dog", "cat"]),
        picture("b", [at(5), at(6)], labels=["dog"]),
    )
    ranking = rank(index, question(), max_images=max_images)
    assert list(ranking.facets.items()) == [("dog", 2), ("cat", 1)]


def test_a_filter_limits_matches_and_facets() -> None:
    """Only entries that pass are matches."""
    index = MemoryIndex(
        fake_description(2), picture("a", [at(1), at(2), at(3)], labels=["dog", "cat"])
    )
    asked = question(where=EntryFilter(labels=("cat",)))
    ranking = rank(index, asked, max_images=600)
    assert ranking.facets == {"cat": 1}
    (found,) = hits(index, asked, ranking.image_keys)
    assert [match.entry.label for match in found.matches] == ["cat"]


def test_deleted_pictures_drop_out_of_a_page_in_place() -> None:
    """The others keep the frozen order."""
    index = MemoryIndex(fake_description(2), *(picture(k, [at(9)]) for k in "abc"))
    index.delete(["b"])
    assert [hit.image_key for hit in hits(index, question(), ["c", "b", "a"])] == ["c", "a"]
    assert hits(index, question(), []) == []


def test_a_preferred_label_orders_pictures_and_keeps_scores() -> None:
    """The dog beats a nearer cat; scores, floor and matches stay those of the looks."""
    index = MemoryIndex(
        fake_description(2),
        picture("cat", [at(80), at(20)], labels=["cat"]),
        picture("dog", [at(85), at(40)], labels=["dog"]),
        picture("far", [at(95), at(100)], labels=["dog"]),
    )
    asked = Question(EAST, EntryFilter(), -1.0, prefer=LabelPreference("dog", 0.5))
    ranking = rank(index, asked, max_images=600)
    assert ranking.image_keys == ("dog", "cat", "far")
    found = hits(index, asked, ranking.image_keys)
    assert [round(hit.score, 3) for hit in found] == [0.766, 0.94, -0.174]
    floor = Question(EAST, EntryFilter(), 0.8, prefer=LabelPreference("dog", 0.5))
    assert rank(index, floor, max_images=600).image_keys == ("cat",)


def test_near_duplicates_leave_one_result_and_are_counted() -> None:
    """The best of a group stands for it; facets count what is shown."""
    index = MemoryIndex(
        fake_description(2),
        picture("a", [at(1), at(2)], labels=["dog"]),
        picture("b", [at(1.5), at(3)], labels=["cat"]),
        picture("c", [at(60), at(70)], labels=["bird"]),
    )
    asked = Question(EAST, EntryFilter(), -1.0, fold=0.99)
    ranking = rank(index, asked, max_images=600)
    assert ranking.image_keys == ("a", "c")
    assert (ranking.folded, ranking.facets) == ({"a": 1}, {"bird": 1, "dog": 1})
    own = Question(EAST, EntryFilter(), -1.0, fold=0.99, own_key="b")
    assert rank(index, own, max_images=600).image_keys == ("b", "c")
