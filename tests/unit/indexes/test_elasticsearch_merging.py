"""Which indices are merged at the end of a run."""

from __future__ import annotations

import pytest

from embedding_pipeline.indexes.elasticsearch_merging import worth_merging


@pytest.mark.parametrize(
    ("shards", "worth"),
    [
        pytest.param([], False, id="nothing"),
        pytest.param([[]], False, id="empty"),
        pytest.param([[1_000_000]], False, id="merged"),
        pytest.param([[900, 3]], True, id="small"),
        pytest.param([[1_000_000, 20, 500]], False, id="a-few-new-ones"),
        pytest.param([[900_000, 60_000, 40_000]], True, id="a-tenth-is-new"),
        pytest.param([[16_000] * 60], True, id="just-filled"),
        pytest.param([[1_000_000, 20], [500_000, 400_000]], True, id="one-shard-of-two"),
    ],
)
def test_a_large_index_is_merged_only_when_much_is_new(
    shards: list[list[int]], *, worth: bool
) -> None:
    """A few new pictures must not cost an hour."""
    assert worth_merging(shards) is worth
