"""Frozen rankings: what a cursor points into."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from embedding_pipeline.errors import CursorExpired, InvalidQuery
from embedding_pipeline.search.ranking import Question
from embedding_pipeline.search.results import QueryView

TOKEN_BYTES = 16
CURSOR = re.compile(r"(?P<token>[A-Za-z0-9_-]{22})(?P<offset>[0-9]{5})", re.ASCII)


@dataclass(frozen=True, slots=True)
class FrozenRanking:
    """Everything that later pages of a search need.

    Args:
        question: what was asked of the index.
        version: name of the index version that answered.
        image_keys: the order, best first.
        facets: over all of it.
        query: the question as it was understood.
        query_id: names the stored query picture, or None.
        limit: images on a page.
        folded: near-duplicates behind a picture; only those that have any.
    """

    question: Question
    version: str
    image_keys: tuple[str, ...]
    facets: Mapping[str, int]
    query: QueryView
    query_id: str | None
    limit: int
    folded: Mapping[str, int] = field(default_factory=dict)


class FrozenRankings:
    """The latest rankings, each for a limited time; thread-safe.

    Args:
        ttl_s: life of a ranking, seconds; using it does not prolong it.
        max_rankings: kept at once; the oldest goes first.
        clock: seconds that only grow.
    """

    def __init__(
        self, *, ttl_s: float, max_rankings: int = 512, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ttl_s = ttl_s
        self._max = max_rankings
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, FrozenRanking]] = OrderedDict()

    def keep(self, ranking: FrozenRanking) -> str:
        """Freeze a ranking; returns its unguessable token."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        with self._lock:
            self._kept[token] = (self._clock() + self._ttl_s, ranking)
            self._forget()
        return token

    def get(self, token: str) -> FrozenRanking:
        """The ranking of a token; CursorExpired when it is too old, dropped or unknown."""
        with self._lock:
            self._forget()
            kept = self._kept.get(token)
        if kept is None:
            raise CursorExpired("This cursor has expired; search again.")
        return kept[1]

    def _forget(self) -> None:
        now = self._clock()
        while self._kept:
            expires, _ = next(iter(self._kept.values()))
            if expires > now and len(self._kept) <= self._max:
                return
            self._kept.popitem(last=False)


def make_cursor(token: str, offset: int) -> str:
    """Cursor of ``[A-Za-z0-9_-]+`` that continues a ranking at this place."""
    return f"{token}{offset:05d}"


def read_cursor(cursor: str) -> tuple[str, int]:
    """Token and place of a cursor; anything else raises InvalidQuery."""
    found = CURSOR.fullmatch(cursor)
    if found is None:
        raise InvalidQuery("This is no cursor of a search.", parameter="cursor", actual=cursor[:80])
    return found["token"], int(found["offset"])
