"""Two versions asked the same: good models agree, wrong weights show."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from embedding_pipeline.errors import IndexConflict
from embedding_pipeline.ingest.version_check import Comparison, check_sane, compare, sample_pictures
from support.api_memory_index import MemoryIndex, picture
from support.models_fakes import fake_description

PICTURES, CLASSES, SIZE = 120, 8, 16


def keys() -> list[str]:
    """Keys as real ones are: hashes."""
    return [hashlib.sha256(str(n).encode()).hexdigest() for n in range(PICTURES)]


def index_of(kind: str, seed: int = 0) -> MemoryIndex:
    """Pictures of some classes, two objects each.

    ``good``: vectors near their class's direction, which a seed chooses; ``random``: any
    direction; ``constant``: one and the same.
    """
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((CLASSES, SIZE)) * 2
    made = []
    for number, key in enumerate(keys()):
        rows = rng.standard_normal((3, SIZE))
        if kind == "good":
            rows = centres[number % CLASSES] + rows * 0.5
        if kind == "constant":
            rows = np.ones((3, SIZE))
        label = f"class {number % CLASSES}"
        made.append(picture(key, rows.tolist(), labels=[label, label]))
    return MemoryIndex(fake_description(SIZE), *made)


def test_two_good_models_share_neighbours() -> None:
    """Although their vectors have nothing in common."""
    found = compare(index_of("good", 1), index_of("good", 2))
    assert found.self_found == 1.0
    assert found.shared > 0.5 > found.by_chance
    assert found.pictures == (PICTURES, PICTURES)
    assert found.compared == found.queries > 60
    check_sane(found, "v2")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        pytest.param("random", "little to do with", id="random weights"),
        pytest.param("constant", "find themselves", id="one vector for all"),
    ],
)
def test_wrong_weights_are_refused_with_advice(kind: str, reason: str) -> None:
    """Random weights find themselves, but their neighbours are anybody."""
    found = compare(index_of("good", 1), index_of(kind, 2))
    with pytest.raises(IndexConflict, match=reason) as caught:
        check_sane(found, "v2")
    assert "--force" in caught.value.message
    assert "boxseek index drop v2" in caught.value.message


def test_a_good_version_after_a_bad_one_is_taken() -> None:
    """They do not agree, but beside an object lie objects of its label again."""
    found = compare(index_of("random", 2), index_of("good", 1))
    assert found.shared < 0.3
    before, after = found.same_label
    assert before < 0.3
    assert after > 0.8
    check_sane(found, "v2")


def test_the_same_models_share_everything() -> None:
    """A rebuild's comparison."""
    found = compare(index_of("good", 1), index_of("good", 1))
    assert (found.self_found, found.shared) == (1.0, 1.0)


def test_of_few_pictures_only_self_finding_is_judged() -> None:
    """Ten neighbours of twelve pictures are shared by chance."""
    few = Comparison(12, 1.0, 12, 0.0, 0.9, (0.9, 0.1), (12, 12), (24, 24))
    check_sane(few, "v2")


def test_an_empty_index_has_nothing_to_compare() -> None:
    """No queries, nothing to refuse."""
    empty = MemoryIndex(fake_description(SIZE))
    found = compare(empty, empty)
    assert (found.queries, found.compared) == (0, 0)
    check_sane(found, "v2")


def test_the_sample_is_spread_and_without_repeats() -> None:
    """From all over the key space, each picture once."""
    sample = [one.image_key for one in sample_pictures(index_of("good"), 40)]  # type: ignore[arg-type]
    assert len(sample) == len(set(sample)) > 25
    assert len({key[0] for key in sample}) > 10
