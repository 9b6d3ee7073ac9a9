"""When the parts of an Elasticsearch index are merged into one."""

from __future__ import annotations

from collections.abc import Sequence

from elasticsearch import Elasticsearch

MERGE_TIMEOUT_S = 4 * 3600.0

MERGED_AT_ONCE = 50_000
"""Documents of a shard that are merged whenever there are parts: half a minute at most."""

MERGED_FROM_SHARE = 0.1
"""In a larger shard, the share of documents outside its largest part that is worth a merge. All of
them are written anew (50 minutes at a million), and few of them in small parts slow no search."""


def merge(client: Elasticsearch, alias: str) -> None:
    """Merge each shard into one part, where that is worth it, and wait until it is done.

    Args:
        client: of the cluster.
        alias: of one version.
    """
    found = client.indices.segments(index=alias)["indices"].values()
    shards = [
        [segment["num_docs"] for segment in copy["segments"].values()]
        for index in found
        for copies in index["shards"].values()
        for copy in copies
    ]
    if worth_merging(shards):
        patient = client.options(request_timeout=MERGE_TIMEOUT_S)
        patient.indices.forcemerge(index=alias, max_num_segments=1)


def worth_merging(shards: Sequence[Sequence[int]]) -> bool:
    """Whether a merge would make searches noticeably faster.

    Args:
        shards: documents of each part, by shard.
    """
    return any(_is_divided(parts) for parts in shards)


def _is_divided(parts: Sequence[int]) -> bool:
    if len(parts) < 2:  # noqa: PLR2004 - nothing to merge
        return False
    total = sum(parts)
    return total <= MERGED_AT_ONCE or total - max(parts) >= MERGED_FROM_SHARE * total
