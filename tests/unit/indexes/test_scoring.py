"""Scores, their order, and what vectors are refused."""

from __future__ import annotations

import numpy as np
import pytest

from embedding_pipeline.domain.entries import Candidate
from embedding_pipeline.errors import InvalidVector
from embedding_pipeline.indexes.scoring import (
    check_pictures,
    checked_query,
    labelled_pictures,
    ranked,
    ranked_candidates,
    rounded_scores,
)
from support.indexes_samples import description, picture, unit_vectors

COSINE = description().embedder
L2 = description(metric="l2", normalized=False).embedder


def test_rounding_has_no_negative_zero() -> None:
    """-0.0 would print and sort oddly."""
    assert str(rounded_scores(np.array([-1e-9]))[0]) == "0.0"


def test_ties_are_ranked_by_object_id() -> None:
    """Equal scores come by object id, higher scores first."""
    entries = picture(1).entries
    found = ranked(reversed(entries), np.array([0.5, 0.5, 0.7]))
    assert [hit.entry for hit in found] == [entries[0], entries[1], entries[2]]


def test_candidates_are_ranked_as_entries_are() -> None:
    """Equal scores come by object id, higher scores first; each keeps its own label."""
    found = ranked_candidates(["b-000", "a-001", "c-002"], [None, "x", "y"], np.array([1, 1, 2.0]))
    assert found == [
        Candidate("c-002", "y", 2.0),
        Candidate("a-001", "x", 1.0),
        Candidate("b-000", None, 1.0),
    ]
    assert [one.image_key for one in found] == ["c", "a", "b"]
    assert ranked_candidates([], [], np.empty(0)) == []


def test_labels_are_counted_once_a_picture() -> None:
    """Repeats and missing labels count nothing; most first, then by name."""
    pairs = [("p", "b"), ("p", "b"), ("p", "a"), ("q", "c"), ("r", "c"), ("q", None)]
    assert list(labelled_pictures(pairs).items()) == [("c", 2), ("a", 1), ("b", 1)]
    assert labelled_pictures([]) == {}


def test_float16_query_becomes_float32() -> None:
    """Indexes get the type that they store."""
    query = np.eye(16, dtype=np.float16)[0]
    assert checked_query(query, COSINE).dtype == np.float32  # type: ignore[arg-type]


def test_zero_is_fine_for_l2_only() -> None:
    """The origin is a place like any other for L2, and has no direction for the cosine."""
    zero = np.zeros(16, np.float32)
    assert checked_query(zero, L2) is zero
    with pytest.raises(InvalidVector, match="zero"):
        checked_query(zero, COSINE)


def test_wrong_shape_names_both_shapes() -> None:
    """The error says what was expected and what came."""
    with pytest.raises(InvalidVector) as caught:
        check_pictures([picture(1, vectors=unit_vectors(3, 8))], COSINE)
    assert caught.value.details["expected"] == [3, 16]
    assert caught.value.details["actual"] == [3, 8]
