"""One result for pictures that are nearly the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

ALIKE = 0.95
"""Cosine of two whole pictures from which they count as nearly the same (docs/quality.md)."""


def near_duplicates(
    keys: Sequence[str],
    vectors: Mapping[str, NDArray[np.float32]],
    threshold: float,
    *,
    first: str | None = None,
) -> dict[str, int]:
    """Group pictures: each joins the first one before it that it is nearly the same as.

    Args:
        keys: image keys, best first.
        vectors: ``(dimension,)`` float32 of whole pictures; one without stands for itself.
        threshold: cosine from which two are nearly the same.
        first: this picture leads its group, wherever it stands.

    Returns:
        The leaders in their order, each with the number of pictures behind it.
    """
    groups = dict.fromkeys(keys, 0)
    leaders: list[str] = []
    directions: list[NDArray[np.float64]] = []
    for key in sorted(keys, key=lambda one: one != first):
        direction = _direction(vectors.get(key))
        if direction is None:
            continue
        if leaders:
            alike = np.stack(directions) @ direction
            nearest = int(np.argmax(alike >= threshold))
            if alike[nearest] >= threshold:
                del groups[key]
                groups[leaders[nearest]] += 1
                continue
        leaders.append(key)
        directions.append(direction)
    return groups


def _direction(vector: NDArray[np.float32] | None) -> NDArray[np.float64] | None:
    length = 0.0 if vector is None else float(np.linalg.norm(vector.astype(np.float64)))
    if vector is None or length == 0.0:
        return None
    return vector.astype(np.float64) / length
