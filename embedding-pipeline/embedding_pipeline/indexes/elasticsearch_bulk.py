"""Bulk writes: batches that grow, and retries of just the items that were refused."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from elasticsearch import ApiError, Elasticsearch, TransportError

from embedding_pipeline.errors import IndexFull, IndexNotFound
from embedding_pipeline.indexes.elasticsearch_errors import (
    BUSY_STATUS,
    elasticsearch_errors,
    error_of,
    passes,
)

FIRST_BATCH = 100
LARGEST_BATCH = 3200
MAX_BATCH_BYTES = 12 * 2**20
GROWTH_WORTH = 1.05
"""A doubled batch must write this much faster, else the size before stays."""

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0


@dataclass(frozen=True, slots=True)
class Operation:
    """One line pair of a bulk.

    Args:
        action: ``index``, ``create``, ``update`` or ``delete``.
        header: ``_id``, ``routing``, version and conditions.
        source: the document, or its change, as JSON on one line; None for a delete.
    """

    action: str
    header: dict[str, Any]
    source: bytes | None = None

    def encoded(self) -> bytes:
        """Newline-delimited JSON of the operation."""
        header = json.dumps({self.action: self.header}, separators=(",", ":")).encode()
        return header + b"\n" + (b"" if self.source is None else self.source + b"\n")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one operation.

    Args:
        status: HTTP status of the item; 409 is a conflict, 404 a delete of nothing.
        error: the item's ``error`` object, empty when it worked.
        seq_no: sequence number of the write, -1 without one.
        primary_term: primary term of the write.
    """

    status: int
    error: dict[str, Any]
    seq_no: int = -1
    primary_term: int = 0

    @property
    def worked(self) -> bool:
        """Whether the index now is as the operation wanted."""
        return not self.error


class BulkWriter:
    """Sends operations in order and says what became of each.

    Args:
        client: the client.
        place: for messages.
        deadline_s: how long items that are refused as too many are tried again.
        timeout_s: of one bulk request.
        clock: seconds; a test's double.
        sleep: waits; a test's double.
    """

    def __init__(
        self,
        client: Elasticsearch,
        place: str,
        *,
        deadline_s: float,
        timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client.options(request_timeout=timeout_s, max_retries=0)
        self._place = place
        self._deadline_s = deadline_s
        self._clock = clock
        self._sleep = sleep
        self._size = FIRST_BATCH
        self._rate = 0.0
        self._growing = True

    @property
    def batch_size(self) -> int:
        """Operations that the next bulk may hold."""
        return self._size

    def write(self, alias: str, operations: Sequence[Operation]) -> list[Outcome]:
        """Send operations to an alias; the outcomes are in their order.

        Raises:
            IndexFull: the index takes no writes for lack of space.
            IndexNotFound: the alias is gone.
            IndexUnavailable: no answer until the deadline.
        """
        outcomes: list[Outcome] = []
        position = 0
        encoded = [operation.encoded() for operation in operations]
        while position < len(encoded):
            count = self._fitting(encoded, position)
            started = self._clock()
            outcomes += self._persist(alias, encoded[position : position + count])
            self._grow(count, self._clock() - started)
            position += count
        return outcomes

    def _fitting(self, encoded: Sequence[bytes], position: int) -> int:
        total, count = 0, 0
        for part in encoded[position : position + self._size]:
            total += len(part)
            if count and total > MAX_BATCH_BYTES:
                break
            count += 1
        return count

    def _grow(self, count: int, seconds: float) -> None:
        if not self._growing or count < self._size:
            return
        rate = count / max(seconds, 1e-9)
        if rate >= self._rate * GROWTH_WORTH and self._size < LARGEST_BATCH:
            self._size, self._rate = self._size * 2, rate
        else:
            self._growing = False

    def _persist(self, alias: str, encoded: Sequence[bytes]) -> list[Outcome]:
        outcomes: list[Outcome | None] = [None] * len(encoded)
        waiting = list(range(len(encoded)))
        deadline = self._clock() + self._deadline_s
        for pause in _pauses():
            last = self._clock() >= deadline
            for place, outcome in zip(
                waiting, self._send(alias, [encoded[i] for i in waiting], last=last), strict=True
            ):
                outcomes[place] = outcome
            waiting = [i for i in waiting if _busy(outcomes[i])]
            if not waiting or last:
                break
            # Fewer at a time: the node has said that it is too much.
            self._size, self._growing = max(FIRST_BATCH, self._size // 2), False
            self._sleep(pause)
        return [outcome for outcome in outcomes if outcome is not None]

    def _send(self, alias: str, encoded: Sequence[bytes], *, last: bool) -> list[Outcome]:
        try:
            # Without require_alias a bulk would make an index that was deleted meanwhile.
            lines: Any = encoded  # the client takes encoded lines, its types do not say so
            answer = self._client.bulk(index=alias, operations=lines, require_alias=True)
        except (ApiError, TransportError) as exc:
            status = exc.meta.status if isinstance(exc, ApiError) else 503
            if last or status not in BUSY_STATUS:
                with elasticsearch_errors(self._place):
                    raise
            return [Outcome(status, {"type": "bulk", "reason": str(exc)})] * len(encoded)
        outcomes = [_outcome(next(iter(item.values()))) for item in answer["items"]]
        for outcome in outcomes:
            if outcome.error:
                error = error_of(outcome.status, outcome.error, self._place)
                if isinstance(error, IndexFull | IndexNotFound):
                    raise error
        return outcomes


def _outcome(item: dict[str, Any]) -> Outcome:
    return Outcome(
        item["status"],
        item.get("error") or {},
        item.get("_seq_no", -1),
        item.get("_primary_term", 0),
    )


def _busy(outcome: Outcome | None) -> bool:
    if outcome is None or not outcome.error:
        return False
    return passes(outcome.status, str(outcome.error.get("type", "")))


def _pauses() -> Iterator[float]:
    longest = _FIRST_PAUSE_S
    while True:
        yield random.uniform(longest / 2, longest)
        longest = min(2 * longest, _LONGEST_PAUSE_S)
