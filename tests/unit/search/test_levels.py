"""What scores mean is measured on the index."""

from __future__ import annotations

import numpy as np
import pytest

from embedding_pipeline.domain.entries import PictureEntries
from embedding_pipeline.search.levels import Levels, LevelsOfIndex, measure_levels
from support.api_memory_index import MemoryIndex
from support.indexes_samples import description, key, picture, unit_vectors


def pictures(count: int) -> list[PictureEntries]:
    """Pictures with a dog and a cat each, in key order; vectors are noise."""
    made = [
        picture(n, ["dog", "cat"], vectors=unit_vectors(3, seed=f"levels {n}"))
        for n in range(count)
    ]
    return sorted(made, key=lambda one: one.image_key)


@pytest.mark.parametrize(
    ("score", "level"),
    [
        (1.0, "same"),
        (0.98, "same"),
        (0.9, "very_similar"),
        (0.7, "very_similar"),
        (0.6, "similar"),
        (0.4, "similar"),
        (0.39, "weak"),
        (-1.0, "weak"),
    ],
)
def test_a_score_has_a_word(score: float, level: str) -> None:
    """The bound itself belongs to the better word."""
    assert Levels(similar=0.4, very_similar=0.7).of(score) == level


def test_levels_are_quantiles_of_different_things() -> None:
    """One in twenty, and one in two hundred, of other labels in other pictures score more."""
    made = pictures(40)
    levels = measure_levels(MemoryIndex(description(), *made))
    assert levels is not None
    dogs = np.stack([one.vectors[1] for one in made])
    cats = np.stack([one.vectors[2] for one in made])
    scores = (dogs @ cats.T)[~np.eye(40, dtype=bool)]
    assert levels.similar == pytest.approx(np.quantile(scores, 0.95), abs=1e-6)
    assert levels.very_similar == pytest.approx(np.quantile(scores, 0.995), abs=1e-6)
    assert levels.same == 0.98


def test_too_few_objects_have_no_levels() -> None:
    """Nothing, one picture, or one label only: nothing can be told."""
    assert measure_levels(MemoryIndex(description())) is None
    assert measure_levels(MemoryIndex(description(), *pictures(3))) is None
    dogs = [picture(n, ["dog"] * 5) for n in range(60)]
    assert measure_levels(MemoryIndex(description(), *dogs)) is None


def test_levels_are_measured_once_for_a_large_index() -> None:
    """A small index is measured again after a minute, a large one is not."""
    now = [0.0]
    index = MemoryIndex(description(), *pictures(3))
    levels = LevelsOfIndex(clock=lambda: now[0])
    assert levels(index) is None
    index.add(*pictures(80))
    assert levels(index) is None
    now[0] = 61.0
    first = levels(index)
    assert first is not None
    index.delete([key(n) for n in range(80)])
    now[0] = 1e6
    assert levels(index) is first
