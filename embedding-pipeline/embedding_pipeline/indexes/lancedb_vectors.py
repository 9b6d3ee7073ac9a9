"""Nearest entries of a LanceDB table: candidates from its vector index, scores exact."""

from __future__ import annotations

import lancedb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from embedding_pipeline.domain.description import EmbedderDescription
from embedding_pipeline.domain.entries import ScoredEntry
from embedding_pipeline.indexes.lancedb_rows import ENTRY_COLUMNS, entries_of
from embedding_pipeline.indexes.scoring import ranked, rounded_scores

VECTOR_INDEX = "vector_idx"

REFINE = 5
"""Candidates read back and scored exactly, as a multiple of what is asked for."""

MIN_CANDIDATES = 300
"""Candidates of the graph search at least."""

NPROBES = 20
"""Partitions of the vector index that every search looks into."""

_SPARE = 8


class VectorSearch:
    """Searches one table.

    Args:
        table: the open table.
        embedder: decides metric and dimension.
    """

    def __init__(self, table: lancedb.table.Table, embedder: EmbedderDescription) -> None:
        self._table = table
        self._embedder = embedder

    def nearest(self, query: NDArray[np.float32], limit: int, condition: str) -> list[ScoredEntry]:
        """Return the ``limit`` entries closest to a query that meet an SQL condition.

        A tie may reach over the limit; then more is fetched until the order by object id
        decides it.
        """
        wanted = limit + _SPARE
        while True:
            found = self._ranked(self._candidates(query, wanted, condition))
            if len(found) < wanted or found[-1].score < found[limit - 1].score:
                return found[:limit]
            wanted *= 2

    def _candidates(self, query: NDArray[np.float32], wanted: int, condition: str) -> pa.Table:
        if self._has_index():
            rows = self._search(query, wanted, condition, exact=False)
            if len(rows) == wanted or len(rows) == self._table.count_rows(condition or None):
                return rows
        return self._search(query, wanted, condition, exact=True)

    def _search(
        self, query: NDArray[np.float32], wanted: int, condition: str, *, exact: bool
    ) -> pa.Table:
        search = self._table.search(query, vector_column_name="vector")
        search = search.distance_type(lance_metric(self._embedder)).limit(wanted)
        search = search.select([*ENTRY_COLUMNS, "_distance"])
        if condition:
            search = search.where(condition, prefilter=True)
        if exact:
            return search.bypass_vector_index().to_arrow()
        search = search.refine_factor(REFINE).minimum_nprobes(NPROBES)
        return search.ef(max(MIN_CANDIDATES, 2 * REFINE * wanted)).to_arrow()

    def _ranked(self, rows: pa.Table) -> list[ScoredEntry]:
        distances = rows["_distance"].to_numpy().astype(np.float64)
        if self._embedder.metric == "l2":
            scores = 1.0 / (1.0 + distances)
        else:
            scores = np.clip(1.0 - distances, -1.0, 1.0)
        return ranked(entries_of(rows), rounded_scores(scores))

    def _has_index(self) -> bool:
        return any(index.name == VECTOR_INDEX for index in self._table.list_indices())


def lance_metric(embedder: EmbedderDescription) -> str:
    """Name of the distance in LanceDB; on unit vectors the dot product is the cosine."""
    if embedder.metric == "l2":
        return "l2"
    return "dot" if embedder.normalized else "cosine"
