"""From nearest entries to ranked pictures: group, count, freeze, page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.entries import (
    Candidate,
    EntryFilter,
    LabelPreference,
    ScoredEntry,
)
from embedding_pipeline.ports.index import Floor, ObjectIndex
from embedding_pipeline.search.folding import near_duplicates
from embedding_pipeline.search.results import Hit

CANDIDATES_PER_IMAGE = 3
GROWTH = 4
MOST_CANDIDATES = 10_000
"""Entries that one ranking looks at: Elasticsearch gives no more in one answer."""

NO_FLOOR = -1.0
"""No score is below."""


@dataclass(frozen=True, slots=True)
class Question:
    """What decides a ranking.

    Args:
        vector: ``(dimension,)`` float32.
        where: entries that may answer.
        min_score: entries below do not match.
        prefer: the class that the question is about, whose entries rank higher; None: none.
        fold: pictures more alike than this, as whole pictures, make one result; None: each
            stands for itself.
        own_key: the picture that the question comes from; it is never folded into another.
    """

    vector: NDArray[np.float32]
    where: EntryFilter
    min_score: float
    prefer: LabelPreference | None = None
    fold: float | None = None
    own_key: str | None = None


@dataclass(frozen=True, slots=True)
class Ranking:
    """Pictures in their order, and what is in them.

    Args:
        image_keys: best first, each once.
        facets: pictures with a matching object of each label, most first, then by name.
        folded: how many near-duplicates stand behind a picture; only those that have any.
    """

    image_keys: tuple[str, ...]
    facets: Mapping[str, int]
    folded: Mapping[str, int] = field(default_factory=dict)


def rank(index: ObjectIndex, question: Question, *, max_images: int) -> Ranking:
    """Order the best pictures, asking the index for more until there are enough.

    An index may answer with many entries of few pictures, so the number of candidates grows
    until ``max_images`` pictures are found, no further entry can match, or MOST_CANDIDATES
    were looked at.
    """
    limit = min(max_images * CANDIDATES_PER_IMAGE, MOST_CANDIDATES)
    while True:
        found = index.nearest(
            question.vector, limit=limit, where=question.where, prefer=question.prefer
        )
        complete = len(found) < limit or found[-1].rank_score < question.min_score
        matching = [one for one in found if one.score >= question.min_score]
        keys = tuple(dict.fromkeys(one.image_key for one in matching))
        if complete or len(keys) >= max_images or limit == MOST_CANDIDATES:
            break
        limit = min(limit * GROWTH, MOST_CANDIDATES)
    keys, folded = _folded(index, question, keys[:max_images])
    if complete:
        return Ranking(keys, _facets(keys, matching), folded)
    floor = None
    if question.min_score > NO_FLOOR:
        floor = Floor(question.vector, question.min_score)
    facets = index.labelled_pictures(keys, where=question.where, floor=floor)
    return Ranking(keys, facets, folded)


def _folded(
    index: ObjectIndex, question: Question, keys: tuple[str, ...]
) -> tuple[tuple[str, ...], dict[str, int]]:
    """Leave out pictures that are nearly those before them; says how many of each."""
    if question.fold is None:
        return keys, {}
    groups = near_duplicates(
        keys, index.picture_vectors(keys), question.fold, first=question.own_key
    )
    return tuple(groups), {key: count for key, count in groups.items() if count}


def hits(index: ObjectIndex, question: Question, image_keys: Sequence[str]) -> list[Hit]:
    """These pictures as they are in the index now, in this order; deleted ones drop out."""
    if not image_keys:
        return []
    scored = index.score(
        question.vector, image_keys=image_keys, where=question.where, prefer=question.prefer
    )
    groups: dict[str, list[ScoredEntry]] = {}
    for one in scored:
        if one.score >= question.min_score:
            groups.setdefault(one.entry.image_key, []).append(one)
    return [_hit(key, tuple(groups[key])) for key in image_keys if key in groups]


def _hit(image_key: str, matches: tuple[ScoredEntry, ...]) -> Hit:
    best = matches[0]
    return Hit(image_key, best.score, best.entry.image_size_wh, matches)


def _facets(keys: Iterable[str], matching: Iterable[Candidate]) -> dict[str, int]:
    """Count the pictures of each label where every matching entry is known."""
    ranked = set(keys)
    pairs = {(one.image_key, one.label) for one in matching if one.image_key in ranked}
    counts = Counter(label for _, label in pairs if label is not None)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
