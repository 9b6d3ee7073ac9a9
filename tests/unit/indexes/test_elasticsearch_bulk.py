"""Growing batches, and errors of single items."""

from __future__ import annotations

import json
from typing import Any

import pytest

from embedding_pipeline.errors import (
    IndexConflict,
    IndexDenied,
    IndexError_,
    IndexFull,
    IndexNotFound,
    IndexUnavailable,
)
from embedding_pipeline.indexes.elasticsearch_bulk import (
    FIRST_BATCH,
    LARGEST_BATCH,
    MAX_BATCH_BYTES,
    BulkWriter,
    Operation,
)
from embedding_pipeline.indexes.elasticsearch_errors import error_of


class _Client:
    """A client whose bulk takes a fixed time and a time a document."""

    def __init__(self, fixed_s: float, each_s: float) -> None:
        self.sizes: list[int] = []
        self.now = 0.0
        self._fixed_s, self._each_s = fixed_s, each_s

    def options(self, **_: Any) -> _Client:
        return self

    def bulk(self, *, operations: list[bytes], **_: Any) -> dict[str, Any]:
        self.sizes.append(len(operations))
        self.now += self._fixed_s + self._each_s * len(operations)
        return {"items": [{"index": {"status": 201}}] * len(operations)}


def _written(client: _Client, count: int, text: str = "") -> list[int]:
    writer = BulkWriter(
        client,  # type: ignore[arg-type]
        "here",
        deadline_s=1,
        timeout_s=1,
        clock=lambda: client.now,
        sleep=lambda _: None,
    )
    source = json.dumps({"text": text}).encode()
    operations = [Operation("index", {"_id": str(i)}, source) for i in range(count)]
    assert len(writer.write("alias", operations)) == count
    return client.sizes


def test_nothing_sends_nothing() -> None:
    """No operations make no request."""
    assert _written(_Client(0, 0.001), 0) == []


def test_batches_double_while_that_pays() -> None:
    """With much fixed cost a bulk the batches grow to the largest."""
    sizes = _written(_Client(1.0, 0.0001), 12_000)
    assert sizes[:6] == [FIRST_BATCH * 2**i for i in range(6)]
    assert max(sizes) == LARGEST_BATCH


def test_batches_stay_when_growth_does_not_pay() -> None:
    """When the rate doesn't rise the size stays where it is."""
    assert max(_written(_Client(0.0, 0.001), 2000)) == 2 * FIRST_BATCH


def test_batches_are_bounded_in_bytes() -> None:
    """Large documents go in smaller batches, and one alone always goes."""
    sizes = _written(_Client(0.0, 0.001), 5, "x" * (MAX_BATCH_BYTES // 2))
    assert sizes == [1, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("status", "kind", "reason", "expected"),
    [
        (429, "cluster_block_exception", "disk usage exceeded flood-stage watermark", IndexFull),
        (403, "cluster_block_exception", "index read-only / allow delete", IndexFull),
        (503, "cluster_block_exception", "no master", IndexUnavailable),
        (404, "index_not_found_exception", "no such index", IndexNotFound),
        (400, "resource_already_exists_exception", "", IndexConflict),
        (401, "security_exception", "", IndexDenied),
        (403, "security_exception", "", IndexDenied),
        (429, "es_rejected_execution_exception", "", IndexUnavailable),
        (503, "no_shard_available_action_exception", "", IndexUnavailable),
        (500, "node_disconnected_exception", "", IndexUnavailable),
        (500, "null_pointer_exception", "", IndexError_),
        (400, "document_parsing_exception", "", IndexError_),
    ],
)  # fmt: skip
def test_errors_of_items(status: int, kind: str, reason: str, expected: type[IndexError_]) -> None:
    """Status and type of an error decide its class; the place is named."""
    error = error_of(status, {"type": kind, "reason": reason}, "the place")
    assert type(error) is expected
    assert "the place" in error.message
