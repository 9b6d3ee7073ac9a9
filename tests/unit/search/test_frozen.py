"""Frozen rankings and cursors."""

from __future__ import annotations

import re
import threading

import numpy as np
import pytest

from embedding_pipeline.domain.entries import EntryFilter
from embedding_pipeline.errors import CursorExpired, InvalidQuery
from embedding_pipeline.search.frozen import (
    FrozenRanking,
    FrozenRankings,
    make_cursor,
    read_cursor,
)
from embedding_pipeline.search.ranking import Question
from embedding_pipeline.search.results import QueryView
from support.api_clock import ManualClock


def ranking() -> FrozenRanking:
    """A ranking of two pictures."""
    return FrozenRanking(
        question=Question(np.ones(2, np.float32), EntryFilter(), -1.0),
        version="v1",
        image_keys=("a", "b"),
        facets={},
        query=QueryView((10, 10), (), (0, 0, 10, 10), None),
        query_id=None,
        limit=1,
    )


def test_a_ranking_is_kept_for_its_time_and_not_longer() -> None:
    """Using it does not prolong its life."""
    clock = ManualClock(0.0)
    rankings = FrozenRankings(ttl_s=900, clock=clock)
    token = rankings.keep(ranking())
    clock.now = 899.0
    assert rankings.get(token).image_keys == ("a", "b")
    clock.now = 900.0
    with pytest.raises(CursorExpired):
        rankings.get(token)


def test_the_oldest_ranking_goes_first() -> None:
    """Memory is bounded by number."""
    rankings = FrozenRankings(ttl_s=900, max_rankings=2)
    tokens = [rankings.keep(ranking()) for _ in range(3)]
    with pytest.raises(CursorExpired):
        rankings.get(tokens[0])
    assert rankings.get(tokens[1])
    assert rankings.get(tokens[2])


def test_cursors_are_plain_and_unguessable() -> None:
    """No two rankings share a token, and cursors fit into any address."""
    rankings = FrozenRankings(ttl_s=900)
    tokens = {rankings.keep(ranking()) for _ in range(100)}
    assert len(tokens) == 100
    for token in tokens:
        cursor = make_cursor(token, 120)
        assert re.fullmatch(r"[A-Za-z0-9_-]+", cursor)
        assert read_cursor(cursor) == (token, 120)


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "a" * 27,
        "a" * 22 + "-0001",
        "ä" * 22 + "00001",
        "a" * 22 + "\u0660" * 5,
        "a" * 5000,
    ],
    ids=["empty", "short", "no digits", "negative", "not ascii", "other digits", "long"],
)
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    """The error names the parameter and repeats a bounded part."""
    with pytest.raises(InvalidQuery) as caught:
        read_cursor(cursor)
    assert caught.value.details["parameter"] == "cursor"
    assert len(str(caught.value.details["actual"])) <= 80


def test_many_threads_may_keep_and_get() -> None:
    """Every thread gets its own rankings back."""
    rankings = FrozenRankings(ttl_s=900, max_rankings=10_000)
    wrong: list[str] = []

    def work() -> None:
        for _ in range(200):
            token = rankings.keep(ranking())
            if rankings.get(token).version != "v1":
                wrong.append(token)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
