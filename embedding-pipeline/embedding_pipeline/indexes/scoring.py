"""What both indexes compute alike: checks of vectors, order of answers, counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.description import EmbedderDescription
from embedding_pipeline.domain.entries import (
    Candidate,
    Entry,
    LabelPreference,
    PictureEntries,
    ScoredEntry,
)
from embedding_pipeline.errors import InvalidVector

SCORE_DIGITS = 6
"""Float32 vectors carry about seven digits; rounding makes equal vectors equal scores."""

UNIT_TOLERANCE = 4e-4
"""Elasticsearch refuses a dot product of vectors whose squared length is off by 1e-3."""


def check_pictures(pictures: Sequence[PictureEntries], embedder: EmbedderDescription) -> None:
    """Raise InvalidVector, naming the entry, unless every vector fits the description."""
    for picture in pictures:
        rows = len(picture.entries)
        if picture.vectors.shape != (rows, embedder.dimension):
            name = picture.entries[0].object_id if picture.entries else picture.image_key
            raise _invalid(name, (rows, embedder.dimension), picture.vectors.shape)
        for entry, vector in zip(picture.entries, picture.vectors, strict=True):
            _check_values(entry.object_id, vector, embedder)


def checked_query(
    vector: NDArray[np.float32], embedder: EmbedderDescription
) -> NDArray[np.float32]:
    """Return the query as float32, or raise InvalidVector if it doesn't fit the description."""
    if vector.shape != (embedder.dimension,):
        raise _invalid("query", (embedder.dimension,), vector.shape)
    _check_values("query", vector, embedder)
    return vector.astype(np.float32, copy=False)


def rounded_scores(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round scores so that equal vectors tie; adding 0.0 turns -0.0 into 0.0."""
    return np.round(scores, SCORE_DIGITS) + 0.0


def ranked(
    entries: Iterable[Entry],
    scores: NDArray[np.float64],
    prefer: LabelPreference | None = None,
) -> list[ScoredEntry]:
    """Pair entries with their scores, greatest rank score first, ties by object id."""
    scored = [
        ScoredEntry(
            entry,
            score,
            score + (prefer.bonus_of(entry.label, entry.confidence, score) if prefer else 0.0),
        )
        for entry, score in zip(entries, scores.tolist(), strict=True)
    ]
    return sorted(scored, key=lambda found: (-found.rank_score, found.entry.object_id))


def ranked_candidates(
    object_ids: Iterable[str], labels: Iterable[str | None], scores: NDArray[np.float64]
) -> list[Candidate]:
    """Pair names and labels with their scores, best first, ties by object id."""
    found = map(Candidate, object_ids, labels, scores.tolist())
    return sorted(found, key=lambda one: (-one.score, one.object_id))


def preferred(found: Iterable[Candidate], prefer: LabelPreference, limit: int) -> list[Candidate]:
    """The best by rank score among the closest of all and the closest of a label.

    Args:
        found: at least the ``limit`` closest of all and the ``limit`` closest of the label, with
            their bonuses; one that comes twice counts once.
        prefer: the label.
        limit: of the answer, and of either part.
    """
    once = {one.object_id: one for one in found}.values()
    closest = sorted(once, key=lambda one: (-one.score, one.object_id))
    labelled = [one for one in closest if one.label == prefer.label]
    both = {one.object_id: one for one in (*closest[:limit], *labelled[:limit])}.values()
    return sorted(both, key=lambda one: (-one.rank_score, one.object_id))[:limit]


def labelled_pictures(pairs: Iterable[tuple[str, str | None]]) -> dict[str, int]:
    """Count the pictures of each label, most first, then by name.

    Args:
        pairs: image key and label of each object; None counts nothing.
    """
    distinct = {(key, label) for key, label in pairs if label is not None}
    return most_first(Counter(label for _, label in distinct))


def most_first(counts: Counter[str]) -> dict[str, int]:
    """Order counts: the greatest first, equal ones by name."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _check_values(name: str, vector: NDArray[np.float32], embedder: EmbedderDescription) -> None:
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if not np.isfinite(length):
        raise InvalidVector(f"The vector of {name} has a value that is no number.", object_id=name)
    if embedder.metric == "cosine" and length == 0.0:
        raise InvalidVector(f"The vector of {name} is zero.", object_id=name)
    if embedder.normalized and abs(length - 1.0) > UNIT_TOLERANCE:
        raise InvalidVector(
            f"The vector of {name} has length {length:.4f}, not 1.",
            object_id=name,
            expected=1.0,
            actual=length,
        )


def _invalid(name: str, expected: tuple[int, ...], actual: tuple[int, ...]) -> InvalidVector:
    return InvalidVector(
        f"The vectors of {name} have shape {actual}, expected {expected}.",
        object_id=name,
        expected=list(expected),
        actual=list(actual),
    )
