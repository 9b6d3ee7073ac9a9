"""Whether the index gives the entries that an exact comparison gives."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.description import Metric
from embedding_pipeline.domain.entries import Entry, EntryFilter, PictureEntries
from embedding_pipeline.evaluation.asking import sample
from embedding_pipeline.evaluation.catalogue import K
from embedding_pipeline.evaluation.gallery import Watcher
from embedding_pipeline.evaluation.tallies import Tally
from embedding_pipeline.ports.index import ObjectIndex

QUERIES = 200
TIE = 2e-6
"""Scores of an index are rounded to six digits; what is nearer than this counts as equal."""

_PAGE = 100


def measure_recall(index: ObjectIndex, tally: Tally, watcher: Watcher) -> None:
    """Compare nearest with an exact comparison over every vector, read picture by picture.

    A picture of the index asks with the vector of one of its entries; that entry's own answer
    is left out. Equal scores at the tenth place count as right, whichever entry the index gives.

    Args:
        index: searchable.
        tally: gets a share of ten a query, by image key.
        watcher: told of every picture that was read.
    """
    keys = [entry.image_key for entry in _whole_pictures(index)]
    asking = sample(keys, QUERIES)
    vectors, names = _queries(index, asking)
    watcher.begin("exact comparison", len(keys))
    metric = index.version.description.embedder.metric
    best = np.full((len(names), K), -np.inf)
    for picture in _pictures(index, keys):
        scores = exact_scores(vectors, picture.vectors, metric)
        own = np.array([[e.object_id == name for e in picture.entries] for name in names], bool)
        scores[own.reshape(scores.shape)] = -np.inf
        best = np.sort(np.concatenate((best, scores), axis=1), axis=1)[:, -K:]
        watcher.advance()
    for row, name in enumerate(names):
        wanted = best[row][np.isfinite(best[row])]
        if not len(wanted):
            continue
        found = index.nearest(vectors[row], limit=K + 1, where=EntryFilter())
        scores_found = [one.score for one in found if one.object_id != name][: len(wanted)]
        reached = sum(score >= wanted[0] - TIE for score in scores_found)
        tally.add(asking[row], reached / len(wanted))


def exact_scores(
    queries: NDArray[np.float32], vectors: NDArray[np.float32], metric: Metric
) -> NDArray[np.float64]:
    """Scores as the index's port has them: cosine, or 1 / (1 + d^2) for L2.

    Args:
        queries: ``(Q, dimension)`` float32.
        vectors: ``(N, dimension)`` float32.
        metric: of the description.

    Returns:
        ``(Q, N)`` float64.
    """
    q, v = queries.astype(np.float64), vectors.astype(np.float64)
    dots = q @ v.T
    if metric == "cosine":
        lengths = np.linalg.norm(q, axis=1)[:, None] * np.linalg.norm(v, axis=1)[None, :]
        cosines: NDArray[np.float64] = dots / lengths
        return cosines
    squares = (q**2).sum(axis=1)[:, None] + (v**2).sum(axis=1)[None, :] - 2 * dots
    closeness: NDArray[np.float64] = 1.0 / (1.0 + np.clip(squares, 0.0, None))
    return closeness


def _queries(index: ObjectIndex, keys: list[str]) -> tuple[NDArray[np.float32], list[str]]:
    """The last entry of each picture: its least certain object, else the whole picture."""
    found = [index.picture(key) for key in keys]
    pictures = [picture for picture in found if picture is not None]
    dimension = index.version.description.embedder.dimension
    vectors = np.array([picture.vectors[-1] for picture in pictures], np.float32)
    return vectors.reshape(-1, dimension), [one.entries[-1].object_id for one in pictures]


def _whole_pictures(index: ObjectIndex) -> Iterator[Entry]:
    after = ""
    while page := index.pictures(after=after, limit=_PAGE):
        yield from page
        after = page[-1].image_key


def _pictures(index: ObjectIndex, keys: list[str]) -> Iterator[PictureEntries]:
    for key in keys:
        picture = index.picture(key)
        if picture is not None:
            yield picture
