"""Scores, their order, and what vectors are refused."""

from __future__ import annotations

import numpy as np
import pytest

from embedding_pipeline.errors import InvalidVector
from embedding_pipeline.indexes.scoring import (
    check_pictures,
    checked_query,
    exact_scores,
    ranked,
    rounded_scores,
)
from support.indexes_samples import description, picture, unit_vectors

COSINE = description().embedder
L2 = description(metric="l2", normalized=False).embedder


def test_no_rows_have_no_scores() -> None:
    """An empty matrix gives an empty array."""
    assert exact_scores(np.empty((0, 16), np.float32), unit_vectors(1)[0], COSINE).shape == (0,)


def test_cosine_of_self_opposite_and_orthogonal() -> None:
    """The scale is [-1, 1]."""
    query = np.eye(16, dtype=np.float32)[0]
    rows = np.stack([query, -query, np.eye(16, dtype=np.float32)[1]])
    assert exact_scores(rows, query, COSINE).tolist() == [1.0, -1.0, 0.0]


def test_l2_score() -> None:
    """A distance of 2 scores 1 / 5."""
    query = np.zeros(16, np.float32)
    row = 2 * np.eye(16, dtype=np.float32)[:1]
    assert exact_scores(row, query, L2).tolist() == [0.2]


def test_rounding_has_no_negative_zero() -> None:
    """-0.0 would print and sort oddly."""
    assert str(rounded_scores(np.array([-1e-9]))[0]) == "0.0"


def test_ties_are_ranked_by_object_id() -> None:
    """Equal scores come by object id, higher scores first."""
    entries = picture(1).entries
    found = ranked(reversed(entries), np.array([0.5, 0.5, 0.7]))
    assert [hit.entry for hit in found] == [entries[0], entries[1], entries[2]]


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
