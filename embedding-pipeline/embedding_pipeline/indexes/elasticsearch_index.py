"""One open version of the index in Elasticsearch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from elasticsearch import Elasticsearch
from numpy.typing import NDArray

from embedding_pipeline.domain.entries import (
    Candidate,
    Entry,
    EntryFilter,
    LabelPreference,
    PictureEntries,
    ScoredEntry,
    image_key_of,
    object_id,
)
from embedding_pipeline.indexes.elasticsearch_bulk import BulkWriter
from embedding_pipeline.indexes.elasticsearch_documents import (
    NO_VECTORS,
    entry_of,
    filter_of,
    vector_of,
)
from embedding_pipeline.indexes.elasticsearch_errors import elasticsearch_errors
from embedding_pipeline.indexes.elasticsearch_merging import merge
from embedding_pipeline.indexes.elasticsearch_vectors import KnnSearch
from embedding_pipeline.indexes.elasticsearch_writes import PictureWriter
from embedding_pipeline.indexes.scoring import (
    check_pictures,
    checked_query,
    labelled_pictures,
    most_first,
)
from embedding_pipeline.ports.index import Floor, IndexCounts, IndexVersion, WriteReport
from embedding_pipeline.settings import Settings

BULK_TIMEOUT_S = 60.0
RETRY_DEADLINE_S = 30.0

_BUCKETS_A_PAGE = 10_000
_LARGEST_PAGE = 1000


class ElasticsearchIndex:
    """ObjectIndex on one index of a cluster; ElasticsearchCatalog opens it.

    Args:
        client: shared with the catalog, which closes it.
        version: the version; its settings name alias and index type.
        settings: timeouts and candidates.
        place: for messages.
    """

    def __init__(
        self, client: Elasticsearch, version: IndexVersion, settings: Settings, place: str
    ) -> None:
        self._client = client
        self._version = version
        self._alias = str(version.settings["alias"])
        self._embedder = version.description.embedder
        self._place = f"{place}/{version.name}"
        bulk = BulkWriter(
            client,
            self._place,
            deadline_s=RETRY_DEADLINE_S,
            timeout_s=max(BULK_TIMEOUT_S, settings.elasticsearch_timeout_s),
        )
        self._writer = PictureWriter(client, bulk, self._alias, self._place)
        self._knn = KnnSearch(
            client,
            self._alias,
            version.description,
            index_type=str(version.settings["index_type"]),
            num_candidates=settings.elasticsearch_num_candidates,
        )

    @property
    def version(self) -> IndexVersion:
        """See ObjectIndex."""
        return self._version

    def put(self, pictures: Sequence[PictureEntries]) -> WriteReport:
        """See ObjectIndex."""
        check_pictures(pictures, self._embedder)
        latest = {picture.image_key: picture for picture in pictures}
        failures = self._writer.put(list(latest.values()))
        return WriteReport(len(latest) - len(failures), tuple(failures.values()))

    def delete(self, image_keys: Sequence[str]) -> int:
        """See ObjectIndex."""
        return self._writer.delete(sorted(set(image_keys)))

    def make_searchable(self) -> None:
        """See ObjectIndex."""
        with self._errors():
            self._client.indices.refresh(index=self._alias)

    def picture(self, image_key: str) -> PictureEntries | None:
        """See ObjectIndex."""
        head = self._writer.heads([image_key]).get(image_key)
        if head is None or head.bare:
            return None
        ids = [object_id(image_key, rank) for rank in range(head.entry_count)]
        found = self._writer.entries([{"_id": name, "routing": image_key} for name in ids])
        if len(found) < head.entry_count:
            return None  # a put that was broken off, or has not ended
        sources = [document["_source"] for document in found]
        vectors = np.array([vector_of(source) for source in sources], np.float32)
        return PictureEntries(image_key, tuple(entry_of(source) for source in sources), vectors)

    def object(self, object_id: str) -> tuple[Entry, NDArray[np.float32]] | None:
        """See ObjectIndex."""
        image_key = image_key_of(object_id)
        if not image_key:
            return None
        found = self._writer.entries([{"_id": object_id, "routing": image_key}])
        if not found:
            return None
        source = found[0]["_source"]
        return entry_of(source), vector_of(source)

    def pictures(self, *, after: str = "", limit: int = 100) -> list[Entry]:
        """See ObjectIndex."""
        entries: list[Entry] = []
        while len(entries) < limit:
            page = self._page(after, min(limit - len(entries), _LARGEST_PAGE))
            if not page:
                break
            entries += page
            after = page[-1].image_key
        return entries

    def nearest(
        self,
        vector: NDArray[np.float32],
        *,
        limit: int,
        where: EntryFilter,
        prefer: LabelPreference | None = None,
    ) -> list[Candidate]:
        """See ObjectIndex."""
        query = checked_query(vector, self._embedder)
        clauses = filter_of(where)
        if limit <= 0:
            return []
        with self._errors():
            return self._knn.nearest(query, limit, clauses, prefer)

    def score(
        self,
        vector: NDArray[np.float32],
        *,
        image_keys: Sequence[str],
        where: EntryFilter,
        prefer: LabelPreference | None = None,
    ) -> list[ScoredEntry]:
        """See ObjectIndex."""
        query = checked_query(vector, self._embedder)
        clauses = filter_of(where)
        with self._errors():
            return self._knn.score(query, sorted(set(image_keys)), clauses, prefer)

    def labelled_pictures(
        self, image_keys: Sequence[str], *, where: EntryFilter, floor: Floor | None = None
    ) -> dict[str, int]:
        """See ObjectIndex."""
        keys = sorted(set(image_keys))
        clauses = [{"term": {"kind": "object"}}, *filter_of(where)]
        if floor is not None:
            query = checked_query(floor.vector, self._embedder)
            with self._errors():
                scored = self._knn.candidates(query, keys, clauses)
            return labelled_pictures(
                (one.image_key, one.label) for one in scored if one.score >= floor.min_score
            )
        if not keys:
            return {}
        wanted = {"bool": {"filter": [{"terms": {"image_key": keys}}, *clauses]}}
        buckets = self._buckets(["image_key", "label"], wanted)
        return labelled_pictures((key, label) for (key, label), _ in buckets)

    def picture_vectors(self, image_keys: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """See ObjectIndex."""
        keys = sorted(set(image_keys))
        if not keys:
            return {}
        found = self._writer.entries(
            [
                {"_id": object_id(key, 0), "routing": key, "_source": ["image_key", "features"]}
                for key in keys
            ]
        )
        return {one["_source"]["image_key"]: vector_of(one["_source"]) for one in found}

    def count(self) -> IndexCounts:
        """See ObjectIndex."""
        counts = self._counts("kind", {"match_all": {}})
        return IndexCounts(counts.get("image", 0), counts.get("object", 0))

    def label_counts(self) -> dict[str, int]:
        """See ObjectIndex."""
        return self._counts("label", {"term": {"kind": "object"}})

    def collection_counts(self) -> dict[str, int]:
        """See ObjectIndex."""
        return self._counts("collections", {"term": {"kind": "image"}})

    def optimize(self) -> None:
        """See ObjectIndex."""
        with self._errors():
            self._client.indices.refresh(index=self._alias)
            merge(self._client, self._alias)
            self._client.indices.refresh(index=self._alias)

    def check(self) -> None:
        """See ObjectIndex."""
        with self._errors():
            self._client.search(
                index=self._alias,
                query={"term": {"object_id": ""}},
                size=1,
                allow_partial_search_results=False,
            )

    def close(self) -> None:
        """See ObjectIndex; the connections are the catalog's."""

    def _page(self, after: str, limit: int) -> list[Entry]:
        filters = [{"term": {"kind": "image"}}, {"range": {"image_key": {"gt": after}}}]
        with self._errors():
            answer = self._client.search(
                index=self._alias,
                query={"bool": {"filter": filters}},
                sort=[{"image_key": "asc"}],
                size=limit,
                source=NO_VECTORS,
                track_total_hits=False,
                allow_partial_search_results=False,
            )
        return [entry_of(hit["_source"]) for hit in answer["hits"]["hits"]]

    def _counts(self, field: str, query: dict[str, Any]) -> dict[str, int]:
        """Documents a value."""
        return most_first(
            Counter({value: count for (value,), count in self._buckets([field], query)})
        )

    def _buckets(
        self, fields: Sequence[str], query: dict[str, Any]
    ) -> Iterator[tuple[tuple[str, ...], int]]:
        """Values of some fields and how many documents have them together.

        Complete and exact on any number of shards; documents without a value are left out.
        """
        composite: dict[str, Any] = {
            "size": _BUCKETS_A_PAGE,
            "sources": [{field: {"terms": {"field": field}}} for field in fields],
        }
        while True:
            with self._errors():
                answer = self._client.search(
                    index=self._alias,
                    query=query,
                    size=0,
                    aggs={"values": {"composite": composite}},
                    allow_partial_search_results=False,
                )
            found = answer["aggregations"]["values"]
            for bucket in found["buckets"]:
                yield tuple(bucket["key"][field] for field in fields), bucket["doc_count"]
            if len(found["buckets"]) < _BUCKETS_A_PAGE:
                return
            composite["after"] = found["after_key"]

    def _errors(self) -> AbstractContextManager[None]:
        return elasticsearch_errors(self._place)
