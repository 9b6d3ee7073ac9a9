"""Scores of a LanceDB table's entries: candidates from its vector index, scores exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import lancedb
import numpy as np
import pyarrow as pa
from lancedb.query import LanceVectorQueryBuilder
from numpy.typing import NDArray

from embedding_pipeline.domain.description import EmbedderDescription
from embedding_pipeline.domain.entries import Candidate, LabelPreference, ScoredEntry
from embedding_pipeline.indexes.lancedb_rows import ENTRY_COLUMNS, entries_of
from embedding_pipeline.indexes.scoring import ranked, ranked_candidates, rounded_scores

VECTOR_INDEX = "vector_idx"

PARTITIONS = 128
"""Parts of the vector index, whatever the table's size."""

EXACT_UP_TO_ROWS = 200_000
"""Up to here a search looks into all of them and is exact; beyond, one without a filter looks into
half: of a million vectors without clusters that finds 97 of 100 nearest."""

MOST_ENTRIES = 1000
"""Entries of a picture at most: their ids have three digits."""

_SPARE = 8
_CANDIDATE_COLUMNS = ["object_id", "label", "confidence"]


class VectorSearch:
    """Searches one table.

    Args:
        table: the open table.
        embedder: decides metric and dimension.
    """

    def __init__(self, table: lancedb.table.Table, embedder: EmbedderDescription) -> None:
        self._table = table
        self._embedder = embedder

    def nearest(
        self,
        query: NDArray[np.float32],
        limit: int,
        condition: str,
        prefer: LabelPreference | None = None,
    ) -> list[Candidate]:
        """Return the ``limit`` entries closest to a query that meet an SQL condition.

        A tie may reach over the limit; then more is fetched until the order by object id
        decides it. A preference gives bonuses and changes nothing else.
        """
        wanted = limit + _SPARE
        while True:
            found = self._ranked(self._nearest_rows(query, wanted, condition), prefer)
            if len(found) < wanted or found[-1].score < found[limit - 1].score:
                return found[:limit]
            wanted *= 2

    def score(
        self,
        query: NDArray[np.float32],
        pictures: int,
        condition: str,
        prefer: LabelPreference | None = None,
    ) -> list[ScoredEntry]:
        """Return every entry that meets an SQL condition on some pictures, best first.

        A search instead of reading vectors: so no vector is copied, and an entry has the same
        score here as in nearest.
        """
        search = self._query(query, pictures * MOST_ENTRIES, condition, ENTRY_COLUMNS)
        rows = search.bypass_vector_index().to_arrow()
        return ranked(entries_of(rows), self._scores(rows), prefer)

    def candidates(
        self, query: NDArray[np.float32], pictures: int, condition: str
    ) -> list[Candidate]:
        """Return what score does, without reading the whole entries."""
        return self._ranked(self._search(query, pictures * MOST_ENTRIES, condition, partitions=0))

    def _nearest_rows(self, query: NDArray[np.float32], wanted: int, condition: str) -> pa.Table:
        if not condition and self._table.count_rows() > EXACT_UP_TO_ROWS:
            rows = self._search(query, wanted, condition, partitions=PARTITIONS // 2)
            if len(rows) == wanted:
                return rows
        return self._search(query, wanted, condition, partitions=PARTITIONS)

    def _search(
        self, query: NDArray[np.float32], wanted: int, condition: str, *, partitions: int
    ) -> pa.Table:
        """Search so many partitions of the vector index, or without it if they are 0."""
        search = self._query(query, wanted, condition, _CANDIDATE_COLUMNS)
        search = search.nprobes(partitions) if partitions else search.bypass_vector_index()
        return search.to_arrow()

    def _query(
        self, query: NDArray[np.float32], limit: int, condition: str, columns: Sequence[str]
    ) -> LanceVectorQueryBuilder:
        search = self._table.search(query, vector_column_name="vector")
        search = search.distance_type(lance_metric(self._embedder)).limit(limit)
        search = search.select([*columns, "_distance"])
        return search.where(condition, prefilter=True) if condition else search

    def _ranked(self, rows: pa.Table, prefer: LabelPreference | None = None) -> list[Candidate]:
        ids, labels, sure = (rows[name].to_pylist() for name in _CANDIDATE_COLUMNS)
        found = ranked_candidates(ids, labels, self._scores(rows))
        if prefer is None:
            return found
        sure_of = dict(zip(ids, sure, strict=True))
        return [
            replace(one, bonus=prefer.bonus_of(one.label, sure_of[one.object_id], one.score))
            for one in found
        ]

    def _scores(self, rows: pa.Table) -> NDArray[np.float64]:
        distances = rows["_distance"].to_numpy().astype(np.float64)
        if self._embedder.metric == "l2":
            scores = 1.0 / (1.0 + distances)
        else:
            scores = np.clip(1.0 - distances, -1.0, 1.0)
        return rounded_scores(scores)


def lance_metric(embedder: EmbedderDescription) -> str:
    """Name of the distance in LanceDB; on unit vectors the dot product is the cosine."""
    if embedder.metric == "l2":
        return "l2"
    return "dot" if embedder.normalized else "cosine"
