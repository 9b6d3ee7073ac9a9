"""What a score means: measured on the index itself, for the models that made it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from embedding_pipeline.ports.index import ObjectIndex

Level: TypeAlias = Literal["same", "very_similar", "similar", "weak"]

SAMPLE_PICTURES = 64
"""Pictures whose objects are compared: the first by image key, which is a random choice."""

FEWEST_PAIRS = 500
"""Fewer pairs of different things say nothing of the one in a hundred that matters."""

SAME = 0.98
SIMILAR_QUANTILE = 0.95
VERY_SIMILAR_QUANTILE = 0.995
_AGAIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Levels:
    """Scores from which a match deserves a word.

    Args:
        similar: one in twenty pairs of different things (other label, other picture) score more.
        very_similar: one in two hundred of them score more.
        same: the very thing, or the same picture saved again.
    """

    similar: float
    very_similar: float
    same: float = SAME

    def of(self, score: float) -> Level:
        """The word for a score."""
        if score >= self.same:
            return "same"
        if score >= self.very_similar:
            return "very_similar"
        return "similar" if score >= self.similar else "weak"


def measure_levels(index: ObjectIndex, pictures: int = SAMPLE_PICTURES) -> Levels | None:
    """Compare objects of different labels in different pictures of an index.

    Returns:
        The levels; None where there are too few objects to tell, or vectors are not compared
        by the cosine.
    """
    if index.version.description.embedder.metric != "cosine":
        return None
    labels: list[str] = []
    numbers: list[int] = []
    rows = []
    for number, whole in enumerate(index.pictures(limit=pictures)):
        picture = index.picture(whole.image_key)
        for entry, vector in zip(picture.entries, picture.vectors, strict=True) if picture else ():
            if entry.label is not None:
                labels.append(entry.label)
                numbers.append(number)
                rows.append(vector / np.linalg.norm(vector))
    if not rows:
        return None
    vectors = np.stack(rows)
    names, of = np.array(labels), np.array(numbers)
    different = (names[:, None] != names[None, :]) & (of[:, None] < of[None, :])
    scores = (vectors @ vectors.T)[different]
    if len(scores) < FEWEST_PAIRS:
        return None
    similar, very_similar = np.quantile(scores, (SIMILAR_QUANTILE, VERY_SIMILAR_QUANTILE))
    return Levels(min(float(similar), SAME), min(float(very_similar), SAME))


class LevelsOfIndex:
    """Levels of the version that is searched, measured once; thread-safe.

    While the index is smaller than the sample they are measured again once a minute.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: tuple[object, Levels | None, float] | None = None

    def __call__(self, index: ObjectIndex) -> Levels | None:
        """The levels of a version, or None (see measure_levels)."""
        version = (index.version.name, index.version.created_at)
        with self._lock:
            known = self._known
            if known is None or known[0] != version or self._clock() >= known[2]:
                complete = len(index.pictures(limit=SAMPLE_PICTURES)) == SAMPLE_PICTURES
                until = float("inf") if complete else self._clock() + _AGAIN_S
                known = self._known = (version, measure_levels(index), until)
            return known[1]
