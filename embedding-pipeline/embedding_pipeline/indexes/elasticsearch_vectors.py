"""Nearest entries in Elasticsearch: candidates from its graph, scores exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from elasticsearch import Elasticsearch
from numpy.typing import NDArray

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.domain.entries import Candidate, LabelPreference, ScoredEntry
from embedding_pipeline.errors import InvalidQuery
from embedding_pipeline.indexes.elasticsearch_documents import (
    NO_VECTORS,
    entry_of,
    similarity_of,
    text_of,
)
from embedding_pipeline.indexes.scoring import preferred, ranked, ranked_candidates, rounded_scores

MAX_CANDIDATES = 10_000
"""Elasticsearch's bound of num_candidates and of the window of a result."""

OVERSAMPLE = {"hnsw": None, "int8_hnsw": 3.0, "bbq_hnsw": 5.0}
"""Quantized candidates that are scored again with the whole vectors, as a multiple of k."""

_BY_RANK: list[dict[str, Any]] = [{"_score": "desc"}, {"object_id": "asc"}]
_ENTRIES: dict[str, Any] = {"source": NO_VECTORS, "sort": _BY_RANK}
_CANDIDATES: dict[str, Any] = {
    "stored_fields": "_none_",
    "sort": [*_BY_RANK, {"label": "asc"}, {"bbox_score": {"missing": 0}}],
}
"""Columns only, as values of the sort, whose order the first two decide.

Reading a source costs much more, because it holds the vector too; ``docvalue_fields`` make an
answer that takes this process twice the time to read.
"""

_RESCORED_BEYOND = 500
"""Quantization moves entries by few ranks, so a long list needs no multiple of itself."""

_SPARE = 8
_ENTRIES_SCORED_AT_ONCE = 4000


class KnnSearch:
    """kNN searches of one version.

    Args:
        client: the client.
        alias: of the version.
        description: decides metric, dimension and how many entries a picture may have.
        index_type: of the version's mapping.
        num_candidates: that a shard collects at least.
    """

    def __init__(
        self,
        client: Elasticsearch,
        alias: str,
        description: ModelDescription,
        *,
        index_type: str,
        num_candidates: int,
    ) -> None:
        self._client = client
        self._alias = alias
        self._similarity = similarity_of(description.embedder)
        self._keys_at_once = max(
            1, _ENTRIES_SCORED_AT_ONCE // (1 + description.detector.max_objects)
        )
        self._oversample = OVERSAMPLE[index_type]
        self._num_candidates = num_candidates

    def nearest(
        self,
        query: NDArray[np.float32],
        limit: int,
        clauses: list[dict[str, Any]],
        prefer: LabelPreference | None = None,
    ) -> list[Candidate]:
        """Return the ``limit`` best entries that meet all clauses.

        A tie may reach over the limit; then more is fetched until the order by object id
        decides it, as far as Elasticsearch's window reaches.

        Args:
            query: ``(dimension,)`` float32.
            limit: entries at most.
            clauses: filters.
            prefer: a label whose entries rank higher (see the port).
        """
        if limit > MAX_CANDIDATES:
            raise InvalidQuery(
                f"Elasticsearch gives at most {MAX_CANDIDATES} entries, {limit} were asked for.",
                parameter="limit",
                actual=limit,
            )
        wanted = min(limit + _SPARE, MAX_CANDIDATES)
        while True:
            found = self._found(query, wanted, clauses, prefer)
            tied = _ties_over(found, limit, wanted) or (
                prefer is not None
                and _ties_over([one for one in found if one.label == prefer.label], limit, wanted)
            )
            if not tied or wanted == MAX_CANDIDATES:
                return preferred(found, prefer, limit) if prefer else found[:limit]
            wanted = min(2 * wanted, MAX_CANDIDATES)

    def score(
        self,
        query: NDArray[np.float32],
        image_keys: Sequence[str],
        clauses: list[dict[str, Any]],
        prefer: LabelPreference | None = None,
    ) -> list[ScoredEntry]:
        """Score every entry of some pictures that meets all clauses.

        Where no more entries pass the filter than candidates are asked for, the search is
        exhaustive; so pictures are asked for in parts that cannot have more. That moves no
        vectors, which fetching them would: 8 KB each.
        """
        hits = self._scored(query, image_keys, clauses, _ENTRIES)
        return ranked([entry_of(hit["_source"]) for hit in hits], self._scores(hits), prefer)

    def candidates(
        self, query: NDArray[np.float32], image_keys: Sequence[str], clauses: list[dict[str, Any]]
    ) -> list[Candidate]:
        """Return what score does, without reading the whole entries."""
        return self._candidates(self._scored(query, image_keys, clauses, _CANDIDATES))

    def _scored(
        self,
        query: NDArray[np.float32],
        image_keys: Sequence[str],
        clauses: list[dict[str, Any]],
        returned: Mapping[str, Any],
    ) -> list[dict[str, Any]]:
        hits: list[dict[str, Any]] = []
        for start in range(0, len(image_keys), self._keys_at_once):
            part = image_keys[start : start + self._keys_at_once]
            filters = [{"terms": {"image_key": list(part)}}, *clauses]
            hits += self._search(query, MAX_CANDIDATES, MAX_CANDIDATES, filters, returned)
        return hits

    def _found(
        self,
        query: NDArray[np.float32],
        wanted: int,
        clauses: list[dict[str, Any]],
        prefer: LabelPreference | None,
    ) -> list[Candidate]:
        candidates = max(wanted, self._num_candidates)
        hits = self._search(query, wanted, candidates, clauses, _CANDIDATES, prefer)
        if len(hits) < wanted and len(hits) < self._count(clauses):
            # The graph did not reach every entry; more candidates make the search wider, and
            # exhaustive when no more than these pass.
            hits = self._search(query, wanted, MAX_CANDIDATES, clauses, _CANDIDATES, prefer)
        return self._candidates(hits, prefer)

    def _search(
        self,
        query: NDArray[np.float32],
        wanted: int,
        candidates: int,
        clauses: list[dict[str, Any]],
        returned: Mapping[str, Any],
        prefer: LabelPreference | None = None,
    ) -> list[dict[str, Any]]:
        answer = self._client.search(
            index=self._alias,
            query={"bool": self._ranking(query, wanted, candidates, clauses, prefer)},
            size=wanted if prefer is None else min(2 * wanted, MAX_CANDIDATES),
            track_scores=True,
            track_total_hits=False,
            allow_partial_search_results=False,
            **returned,
        )
        found: list[dict[str, Any]] = answer["hits"]["hits"]
        return found

    def _ranking(
        self,
        query: NDArray[np.float32],
        wanted: int,
        candidates: int,
        clauses: list[dict[str, Any]],
        prefer: LabelPreference | None,
    ) -> dict[str, Any]:
        """Body of the ``bool`` query: near entries must come from a graph, a label only adds.

        The best by rank score are among the nearest of all together with the nearest of the
        label, so a second kNN reaches those that the first has no room for.
        """
        everyone = self._clause(query, wanted, candidates, clauses)
        if prefer is None:
            return {"must": [everyone]}
        label = {"term": {"label": text_of(prefer.label)}}
        labelled = self._clause(query, wanted, candidates, [label, *clauses])
        boost = {
            "query": {"constant_score": {"filter": label}},
            "functions": [
                {"field_value_factor": {"field": "bbox_score", "factor": 1 / prefer.sure_from}}
            ],
            "max_boost": 1.0,
            "boost": self._share * prefer.bonus,
        }
        return {
            "must": [{"dis_max": {"queries": [everyone, labelled]}}],
            "should": [{"function_score": boost}],
        }

    def _clause(
        self,
        query: NDArray[np.float32],
        wanted: int,
        candidates: int,
        clauses: list[dict[str, Any]],
    ) -> dict[str, Any]:
        knn: dict[str, Any] = {
            "field": "features",
            "query_vector": query.tolist(),
            "k": wanted,
            "num_candidates": min(candidates, MAX_CANDIDATES),
            "filter": clauses,
        }
        if self._oversample is not None:
            most = 1.0 + _RESCORED_BEYOND / wanted
            knn["rescore_vector"] = {"oversample": min(self._oversample, most)}
        return {"knn": knn}

    def _candidates(
        self, hits: Sequence[Mapping[str, Any]], prefer: LabelPreference | None = None
    ) -> list[Candidate]:
        ids = [hit["sort"][1] for hit in hits]
        labels = [hit["sort"][2] for hit in hits]
        if prefer is None:
            return ranked_candidates(ids, labels, self._scores(hits))
        sure = [hit["sort"][3] for hit in hits]
        added = [prefer.bonus_of(*pair) for pair in zip(labels, sure, strict=True)]
        found = ranked_candidates(ids, labels, self._scores(hits, added))
        sure_of = dict(zip(ids, sure, strict=True))
        return [
            replace(one, bonus=prefer.bonus_of(one.label, sure_of[one.object_id], one.score))
            for one in found
        ]

    def _scores(
        self, hits: Sequence[Mapping[str, Any]], bonuses: Sequence[float] | None = None
    ) -> NDArray[np.float64]:
        """Scores of the port from Elasticsearch's, less what a label added to them."""
        scores = np.array([hit["_score"] for hit in hits], np.float64)
        if bonuses is not None:
            scores -= self._share * np.array(bonuses, np.float64)
        if self._similarity != "l2_norm":
            scores = np.clip(2.0 * scores - 1.0, -1.0, 1.0)
        return rounded_scores(scores)

    @property
    def _share(self) -> float:
        """How much one of the port's score is in Elasticsearch's: (1 + cosine) / 2."""
        return 1.0 if self._similarity == "l2_norm" else 0.5

    def _count(self, clauses: list[dict[str, Any]]) -> int:
        entries = {"exists": {"field": "kind"}}  # not the claims of puts that have not ended
        answer = self._client.count(
            index=self._alias, query={"bool": {"filter": [entries, *clauses]}}
        )
        return int(answer["count"])


def _ties_over(closest: Sequence[Candidate], limit: int, wanted: int) -> bool:
    """Whether equal scores reach over the limit, so that candidates may be missing."""
    return len(closest) >= wanted and closest[wanted - 1].score == closest[limit - 1].score
