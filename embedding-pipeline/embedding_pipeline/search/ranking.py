"""From nearest entries to ranked pictures: group, count, freeze, page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.entries import EntryFilter, ScoredEntry
from embedding_pipeline.ports.index import ObjectIndex
from embedding_pipeline.search.results import Hit

CANDIDATES_PER_IMAGE = 3
GROWTH = 4


@dataclass(frozen=True, slots=True)
class Question:
    """What decides a ranking.

    Args:
        vector: ``(dimension,)`` float32.
        where: entries that may answer.
        min_score: entries below do not match.
    """

    vector: NDArray[np.float32]
    where: EntryFilter
    min_score: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """Pictures in their order, with what matched when they were ranked.

    Args:
        image_keys: best first, each once.
        matches: every matching entry of each of them, best first.
    """

    image_keys: tuple[str, ...]
    matches: Mapping[str, tuple[ScoredEntry, ...]]

    def facets(self) -> dict[str, int]:
        """Pictures with a matching object of each label, most first, then by name."""
        counts = Counter(
            label
            for key in self.image_keys
            for label in {match.entry.label for match in self.matches.get(key, ())}
            if label is not None
        )
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def rank(index: ObjectIndex, question: Question, *, max_images: int) -> Ranking:
    """Order the best pictures, asking the index for more until there are enough.

    An index may answer with many entries of few pictures, so the number of candidates grows
    until ``max_images`` pictures are found or no further entry can match.
    """
    limit = max_images * CANDIDATES_PER_IMAGE
    while True:
        entries = index.nearest(question.vector, limit=limit, where=question.where)
        complete = len(entries) < limit or entries[-1].rank_score < question.min_score
        groups = _grouped(entries, question.min_score)
        if complete or len(groups) >= max_images:
            break
        limit *= GROWTH
    keys = tuple(groups)[:max_images]
    if not complete:
        groups = _grouped(_score(index, question, keys), question.min_score)
    return Ranking(tuple(key for key in keys if key in groups), groups)


def hits(index: ObjectIndex, question: Question, image_keys: Sequence[str]) -> list[Hit]:
    """These pictures as they are in the index now, in this order; deleted ones drop out."""
    groups = _grouped(_score(index, question, image_keys), question.min_score)
    return [hit(key, groups[key]) for key in image_keys if key in groups]


def hit(image_key: str, matches: tuple[ScoredEntry, ...]) -> Hit:
    """One picture with its matching entries, best first; there is at least one."""
    best = matches[0]
    return Hit(image_key, best.score, best.entry.image_size_wh, matches)


def _score(index: ObjectIndex, question: Question, keys: Sequence[str]) -> list[ScoredEntry]:
    if not keys:
        return []
    return index.score(question.vector, image_keys=keys, where=question.where)


def _grouped(
    entries: Iterable[ScoredEntry], min_score: float
) -> dict[str, tuple[ScoredEntry, ...]]:
    groups: dict[str, list[ScoredEntry]] = {}
    for found in entries:
        if found.score >= min_score:
            groups.setdefault(found.entry.image_key, []).append(found)
    return {key: tuple(matches) for key, matches in groups.items()}
