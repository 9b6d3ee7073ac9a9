"""Asking the product's search, and what the answers are worth."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from embedding_pipeline.domain.entries import Box, EntryFilter, ScoredEntry
from embedding_pipeline.evaluation.catalogue import DEEP, K
from embedding_pipeline.evaluation.measures import average_precision, precision, recall
from embedding_pipeline.evaluation.tallies import Tally
from embedding_pipeline.search.results import EarlierQuery, SearchPage, SearchRequest
from embedding_pipeline.search.service import MAX_LIMIT, SearchService

OBJECTS = EntryFilter(kinds=("object",))
ALL_PASS = -1.0
"""A floor that cuts nothing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One ranked answer.

    Args:
        image_key: its picture's.
        box: pixels of the upright picture.
        label: what the detector says, or None.
        truth: what it really shows, or None.
        score: as the product says it.
        right: it is of the class that was asked for.
        object_id: of its entry.
    """

    image_key: str
    box: Box
    label: str | None
    truth: str | None
    score: float
    right: bool
    object_id: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A query and what came back, for people to look at.

    Args:
        picture: name of the query's picture.
        image_key: its key.
        box: what was searched for; None for the whole picture.
        label: the class that was asked for.
        average_precision: AP@10.
        answers: the first ten.
    """

    picture: str
    image_key: str
    box: Box | None
    label: str
    average_precision: float
    answers: tuple[Answer, ...]


@dataclass(slots=True)
class Worst:
    """The worst queries so far, of equals the first.

    Args:
        most: how many are kept.
    """

    most: int
    _heap: list[tuple[float, int, Asked]] = field(default_factory=list)
    _seen: int = 0

    def add(self, asked: Asked) -> None:
        """Keep it if it is among the worst."""
        self._seen += 1
        item = (-asked.average_precision, -self._seen, asked)
        if len(self._heap) < self.most:
            heapq.heappush(self._heap, item)
        elif self.most:
            heapq.heappushpop(self._heap, item)

    def list(self) -> tuple[Asked, ...]:
        """Worst first."""
        return tuple(item[2] for item in sorted(self._heap, key=lambda one: (-one[0], -one[1])))


def object_answers(
    page: SearchPage, own_key: str, truth_of: Callable[[str], str | None], label: str
) -> list[Answer]:
    """The objects of a page as one ranking, without those of the query's own picture.

    A page of n pictures holds the best n objects at least, because pictures are ranked by their
    best object.
    """
    found = [
        entry
        for hit in page.hits
        if hit.image_key != own_key
        for entry in hit.matches
        if entry.entry.kind == "object"
    ]
    found.sort(key=lambda one: (-one.rank_score, one.entry.object_id))
    return [_answer(one, truth_of(one.entry.object_id), label) for one in found]


def rate(
    tallies: dict[str, Tally], kind: str, name: str, right: Sequence[bool], possible: int
) -> float:
    """Add a ranking to the tallies of its kind; returns its AP@10.

    Args:
        tallies: by key of the catalogue.
        kind: first part of the keys.
        name: the query's picture.
        right: whether each answer is right, best first.
        possible: right answers that there are in all, at least 1.
    """
    row = np.array(right, dtype=bool)
    average = average_precision(row, possible, K)
    tallies[f"{kind}_p10"].add(name, precision(row, K))
    tallies[f"{kind}_map10"].add(name, average)
    tallies[f"{kind}_recall50"].add(name, recall(row, possible, DEEP))
    return average


def first_pictures(limit: int) -> int:
    """A page's size that still holds this many pictures without the query's own."""
    return min(limit + 1, MAX_LIMIT)


def best_scores(
    service: SearchService, request: SearchRequest, counts: Sequence[Callable[[str], bool]]
) -> list[float | None]:
    """For each of these conditions, the score of the best answer whose picture meets it.

    Args:
        service: is asked, page after page, until each condition has an answer.
        request: with the floor that shall hold; None in it takes the one in force.
        counts: each tells by image key whether a picture counts.

    Returns:
        A score a condition; None where no answer meets it.
    """
    best: list[float | None] = [None] * len(counts)
    page = service.search(replace(request, limit=MAX_LIMIT))
    while True:
        for row, condition in enumerate(counts):
            if best[row] is None:
                scores = [hit.score for hit in page.hits if condition(hit.image_key)]
                best[row] = max(scores, default=None)
        if None not in best or page.next_cursor is None:
            return best
        page = service.page(page.next_cursor)


def again(request: SearchRequest, page: SearchPage) -> SearchRequest:
    """The same question by its stored query, so that no model runs a second time."""
    if page.query_id is None:
        return request
    return replace(request, source=EarlierQuery(page.query_id), box=page.query.searched_box)


def sample(items: Iterable[str], most: int) -> list[str]:
    """At most this many of the items, drawn with a fixed seed, in sorted order."""
    ordered = sorted(items)
    if len(ordered) <= most:
        return ordered
    rows = np.random.default_rng(0).choice(len(ordered), most, replace=False)
    return [ordered[row] for row in sorted(rows)]


def _answer(found: ScoredEntry, truth: str | None, label: str) -> Answer:
    entry = found.entry
    return Answer(
        entry.image_key,
        entry.box_xyxy,
        entry.label,
        truth,
        found.score,
        truth == label,
        entry.object_id,
    )
