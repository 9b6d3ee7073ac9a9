"""Vectors of the index benchmark, drawn in blocks, and their exact answers."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from embedding_pipeline.domain.entries import EntryFilter, PictureEntries, object_id
from support.indexes_samples import key
from support.indexes_vectors import OBJECTS_A_PICTURE, LatentVectors, label_of, pictures_of

DIMENSION = 768
K = 10
BLOCK = 10_000
"""Rows drawn at once: 31 MB. A block is the same however many are drawn after it."""

ENTRIES_A_PICTURE = OBJECTS_A_PICTURE + 1
FILTERS = {
    "all": EntryFilter(),
    "10 % label": EntryFilter(labels=("some",)),
    "1 % label": EntryFilter(labels=("rare",)),
}

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Questions:
    """Queries with their exact answers.

    Args:
        vectors: ``(Q, 768)`` float32; none of them is in the gallery.
        answers: filter name to the object ids of the K nearest of each query.
    """

    vectors: Vectors
    answers: dict[str, list[set[str]]]


def blocks(count: int, queries: int) -> Iterator[Vectors]:
    """Yield the queries as the first block, then the gallery in blocks of BLOCK rows.

    A whole block is drawn for the queries, so that the gallery is the same for any number.
    """
    source = LatentVectors(DIMENSION)
    yield source.draw(BLOCK)[:queries]
    for start in range(0, count, BLOCK):
        yield source.draw(BLOCK)[: count - start]


def gallery(count: int, queries: int) -> Iterator[list[PictureEntries]]:
    """Yield the gallery as pictures of five entries, one block at a time."""
    drawn = blocks(count, queries)
    next(drawn)
    for number, block in enumerate(drawn):
        yield list(pictures_of(block, first=number * BLOCK))


def questions(count: int, queries: int) -> Questions:
    """Compute the exact answers by a full scan, with one block in memory at a time."""
    drawn = blocks(count, queries)
    asked = next(drawn)
    best = {name: (np.full((queries, K), -2.0, np.float32), np.zeros((queries, K), np.int64))
            for name in FILTERS}  # fmt: skip
    for number, block in enumerate(drawn):
        scores = asked @ block.T
        rows = np.arange(len(block)) + number * BLOCK
        for name, where in FILTERS.items():
            passing = _passing(rows, where)
            best[name] = _merged(best[name], scores[:, passing], rows[passing])
    answers = {
        name: [{id_of(row) for row in found.tolist()} for found in rows]
        for name, (_, rows) in best.items()
    }
    return Questions(asked, answers)


def exact_scan_ms(count: int, queries: int, *, scans: int = 20) -> float:
    """Median milliseconds of an exact numpy scan; holds the gallery: 3 KB a row."""
    drawn = blocks(count, queries)
    asked = next(drawn)
    held = np.empty((count, DIMENSION), np.float32)
    start = 0
    for block in drawn:
        held[start : start + len(block)] = block
        start += len(block)
    times = []
    for query in asked[:scans]:
        started = time.perf_counter()
        scores = held @ query
        np.argpartition(-scores, K)[:K]
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


def id_of(row: int) -> str:
    """Object id of a row of the gallery."""
    rank = row % ENTRIES_A_PICTURE
    return object_id(key(row - rank), rank)


def _passing(rows: NDArray[np.int64], where: EntryFilter) -> NDArray[np.intp]:
    if not where.labels:
        return np.arange(len(rows))
    # The first entry of a picture is the whole picture, which has no label.
    labels = [label_of(int(row)) if row % ENTRIES_A_PICTURE else "" for row in rows]
    return np.flatnonzero(np.isin(np.array(labels), where.labels))


def _merged(
    best: tuple[Vectors, NDArray[np.int64]], scores: Vectors, rows: NDArray[np.int64]
) -> tuple[Vectors, NDArray[np.int64]]:
    known_scores, known_rows = best
    scores = np.concatenate([known_scores, scores], axis=1)
    rows = np.concatenate([known_rows, np.broadcast_to(rows, (len(scores), len(rows)))], axis=1)
    order = np.argpartition(-scores, K - 1, axis=1)[:, :K]
    return np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)
